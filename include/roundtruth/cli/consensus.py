"""`roundtruth consensus`: fuse the workers' answers of Ground Truth jobs into labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from pydantic import ValidationError

from roundtruth.cli.console import endpoint_option, json_option, notes, open_storage, print_json, progress_bar
from roundtruth.errors import ConsensusError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.project import Consensus
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    import pandas as pd

    from roundtruth.consensus.job_answers import JobAnswers
    from roundtruth.consensus.measure import ConsensusResult
    from roundtruth.consensus.worker_skills import WorkerSkills

DEFAULTS = Consensus()
METHODS = get_args(Consensus.model_fields["method"].annotation)
CSV_COLUMNS = ("image", "category", "left", "top", "width", "height", "score")


@click.command(name="consensus")
@click.argument("job_folders", nargs=-1, required=True, metavar="JOB_FOLDER...")
@click.option("--out", required=True, help="Folder or s3:// prefix for labels.csv and report.json.")
@click.option("--method", type=click.Choice(METHODS), default=DEFAULTS.method, show_default=True)
@click.option(
    "--min-iou",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.min_iou,
    show_default=True,
    help="Boxes of two workers that overlap less are different objects.",
)
@click.option(
    "--min-agreement",
    type=click.FloatRange(0, 1),
    default=DEFAULTS.min_agreement,
    show_default=True,
    help="Majority, median: images whose workers agree less are disputed.",
)
@click.option(
    "--max-doubt",
    type=click.FloatRange(min=0),
    default=DEFAULTS.max_doubt,
    show_default=True,
    help="Fused: images with more boxes expected to be wrong are disputed.",
)
@click.option("--skills", help="The skills.json of an earlier round: what is known of its workers.")
@json_option
@endpoint_option
def command(
    job_folders: tuple[str, ...],
    out: str,
    method: str,
    min_iou: float,
    min_agreement: float,
    max_doubt: float,
    skills: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Fuse the raw answers of one or several jobs, local or s3:// (<S3OutputPath>/<job name>).

    Writes labels.csv (image, category, left, top, width, height, score; pixels; no place for classification)
    report.json (agreement, workers by pseudonym, disputed images and why), with the method fused skills.json
    (what is now known of each worker), and pseudonyms.key: whoever has it can tell by a worker's id who is
    who. With --skills, the key that lies beside that file, or a folder above, is used on.
    """
    settings = _settings(method=method, min_iou=min_iou, min_agreement=min_agreement, max_doubt=max_doubt)
    storage = _storage((*job_folders, out, *([skills] if skills else [])), endpoint_url)
    with progress_bar() as progress:
        jobs = [
            _read(storage, folder) for folder in progress.track(job_folders, description="Reading answers")
        ]
        measuring = progress.add_task("Matching boxes", total=None)
        known = _known(storage, skills)
        key = _pseudonym_key(storage, ObjectUri.parse(out), skills)
        result = _measure(jobs, settings, known, key)
        progress.remove_task(measuring)
    report = _report(result, jobs)
    _write(storage, ObjectUri.parse(out), result, report, with_skills=method == "fused")
    _show(result, report, out, as_json)


def _storage(places: tuple[str, ...], endpoint_url: str | None) -> Storage:
    """Folders on this machine need no AWS credentials."""
    if all(ObjectUri.parse(place).is_local for place in places):
        return Storage()
    return open_storage(endpoint_url)


def _settings(**values: Any) -> Consensus:
    try:
        return Consensus(**values)
    except ValidationError as error:
        detail = error.errors()[0]
        option = "--" + str(detail["loc"][0]).replace("_", "-")
        raise click.BadParameter(str(detail["msg"]), param_hint=option) from None


def _read(storage: Storage, folder: str) -> JobAnswers:
    from roundtruth.consensus.job_answers import read_job_answers

    uri = ObjectUri.parse(folder.rstrip("/"))
    if uri.is_local and not Path(uri.key).is_dir():
        what = "is a file" if Path(uri.key).exists() else "does not exist"
        raise ConsensusError(f"{folder} {what}; give the folder <S3OutputPath>/<job name> of a job.")
    return read_job_answers(JobFolder(storage, uri))


def _known(storage: Storage, place: str | None) -> WorkerSkills | None:
    from roundtruth.consensus.worker_skills import decode_skills

    return decode_skills(storage.read(ObjectUri.parse(place)), name=place) if place else None


def _pseudonym_key(storage: Storage, out: ObjectUri, skills: str | None) -> bytes:
    """The key in the output folder; a new one is that of the skills, whose workers have their names by it."""
    from roundtruth.consensus.pseudonyms import KEY_FILE, project_key, read_key

    if skills is not None:
        folder = _folder_of(ObjectUri.parse(skills))
        known = read_key(storage, folder / KEY_FILE) or read_key(storage, _folder_of(folder) / KEY_FILE)
        if known is None:
            raise ConsensusError(
                f"No {KEY_FILE} lies beside {skills} or a folder above, so nobody can tell who its workers "
                "are; bring it there."
            )
        storage.write_if_absent(out / KEY_FILE, f"{known.hex()}\n".encode())
        if read_key(storage, out / KEY_FILE) != known:
            raise ConsensusError(
                f"{out / KEY_FILE} is another key than that of {skills}; choose another folder for --out."
            )
    return project_key(storage, out / KEY_FILE)


def _folder_of(uri: ObjectUri) -> ObjectUri:
    return ObjectUri(uri.bucket, uri.key.rstrip("/").rpartition("/")[0])


def _measure(
    jobs: list[JobAnswers], settings: Consensus, skills: WorkerSkills | None, key: bytes
) -> ConsensusResult:
    import pandas as pd

    from roundtruth.consensus.classification import measure_classes
    from roundtruth.consensus.measure import measure_consensus

    names = [job.job for job in jobs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConsensusError(f"Two folders are of the job {', '.join(twice)}; give each job once.")
    if len({job.is_classification for job in jobs}) > 1:
        raise ConsensusError("Some jobs hold boxes and some hold chosen categories; fuse them apart.")
    answers = pd.concat([job.answers for job in jobs], ignore_index=True)
    consolidated = _stacked([job.consolidated for job in jobs])
    if jobs[0].is_classification:
        multi_label = any(job.is_multi_label for job in jobs)
        return measure_classes(
            answers,
            settings,
            multi_label=multi_label,
            consolidated=consolidated,
            skills=skills,
            pseudonym_key=key,
        )
    return measure_consensus(
        answers,
        settings,
        consolidated=consolidated,
        categories_by_job=_categories_by_job(jobs),
        skills=skills,
        pseudonym_key=key,
    )


def _stacked(tables: list[pd.DataFrame | None]) -> pd.DataFrame | None:
    """Ground Truth's own labels, only where every job has them: a part would look like missing boxes."""
    import pandas as pd

    there = [one for one in tables if one is not None]
    return pd.concat(there, ignore_index=True) if len(there) == len(tables) else None


def _categories_by_job(jobs: list[JobAnswers]) -> dict[str, tuple[str, ...]] | None:
    """None where nobody drew anything and no folder says what was asked for."""
    everything = tuple(sorted({name for job in jobs for name in job.categories}))
    return {job.job: job.categories or everything for job in jobs} if everything else None


def _report(result: ConsensusResult, jobs: list[JobAnswers]) -> dict[str, Any]:
    sources = [
        {"job": job.job, "categories": list(job.categories), "problems": list(job.problems)} for job in jobs
    ]
    return {**result.report, "jobs": sources}


def _write(
    storage: Storage, out: ObjectUri, result: ConsensusResult, report: dict[str, Any], *, with_skills: bool
) -> None:
    from roundtruth.consensus.report import encode_report
    from roundtruth.consensus.worker_skills import encode_skills

    labels = result.labels.rename(columns={"source_ref": "image"})[list(CSV_COLUMNS)]
    labels = labels.sort_values(list(CSV_COLUMNS), kind="stable")
    storage.write(out / "labels.csv", labels.to_csv(index=False, lineterminator="\n").encode())
    storage.write(out / "report.json", encode_report(report))
    if with_skills:
        storage.write(out / "skills.json", encode_skills(result.skills))


def _show(result: ConsensusResult, report: dict[str, Any], out: str, as_json: bool) -> None:
    problems = [problem for job in report["jobs"] for problem in job["problems"]]
    summary = {
        "labels": len(result.labels),
        "images": len(result.images),
        "answers": report["counts"]["answers"],
        "workers": report["counts"]["workers"],
        "disputed": int(result.images["disputed"].sum()),
        "agreement": report["agreement"]["mean"],
        "krippendorff_alpha": report["agreement"]["krippendorff_alpha"],
        "careless_workers": report.get("careless_workers", []),
        "problems": problems,
        "out": out,
    }
    if as_json:
        print_json(summary)
        return
    for problem in problems:
        notes.print(f"unusable: {problem}", markup=False, highlight=False, soft_wrap=True)
    click.echo(
        f"{summary['labels']} labels on {summary['images']} images from {summary['answers']} answers "
        f"of {summary['workers']} workers; {summary['disputed']} images disputed"
    )
    if summary["agreement"] is not None:
        alpha = summary["krippendorff_alpha"]
        shown = f", Krippendorff's alpha {alpha:.3f}" if alpha is not None else ""
        click.echo(f"mean agreement {summary['agreement']:.3f}{shown}")
    for worker in summary["careless_workers"]:
        click.echo(f"looks careless: {worker}")
    click.echo(f"written: {out}/labels.csv, {out}/report.json")
