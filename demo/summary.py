"""What a demo made: counts of the round and the version, and how close the labels are to the truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from roundtruth.annotations import ANSWERS, DISPUTED, IMAGES, LABELS, PUBLISHABLE, from_parquet, table
from roundtruth.consensus.evaluation import detection_scores
from roundtruth.datasets.diff import diff_versions
from roundtruth.datasets.diff_text import diff_lines
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.datasets.versions import VersionRecord
from roundtruth.project import Project
from roundtruth.rounds.collect import read_job_table
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.planned import require_plan
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.rounds.relabel import round_jobs
from roundtruth.sandbox.truth import ReplayedManifest, Truth, read_truths
from roundtruth.storage import ObjectUri, Storage

Scored = tuple[str, pd.DataFrame]


def print_summary(
    console: Console,
    storage: Storage,
    project: Project,
    round_key: str,
    version: VersionRecord,
    pulled: Path,
    replayed: Path | None,
) -> None:
    """Print what a round made, and the version that holds it."""
    folder = round_folder(project, round_key)
    record = read_record(storage, folder)
    if record is None:
        console.print(f"Round {round_key} is not recorded yet.")
        return
    uri = dataset_folder(project).uri / "versions" / version.version
    # Plain lines: a table would break a URI in two on a narrow terminal, and nobody could copy it.
    for name, value in _facts(record, version, uri, pulled):
        console.print(f"{name:<16} {value}", markup=False)
    console.print(_accuracy(storage, project, folder, record, replayed))
    for line in _since_parent(storage, project, version):
        console.print(line, markup=False)
    if replayed:
        console.print("The workers drew what the manifest records, so all three must agree with it.")


def _facts(
    record: RoundRecord, version: VersionRecord, uri: ObjectUri, pulled: Path
) -> list[tuple[str, str]]:
    published = sum(record.counts.get(status, 0) for status in PUBLISHABLE)
    return [
        ("round", f"{record.round} of project {record.project}"),
        ("images", f"{record.images} planned, {published} labeled or without objects"),
        ("by status", ", ".join(f"{status} {count}" for status, count in record.counts.items())),
        ("boxes", str(record.boxes)),
        ("jobs", f"{len(record.jobs)} ({', '.join(job.name for job in record.jobs)})"),
        ("answers", f"{record.answers} by people, {record.answers / max(record.images, 1):.2f} an image"),
        ("answers spent", _answers_spent(record)),
        (
            "disputed images",
            f"{record.counts.get(DISPUTED, 0)} (they join the next round with new images)",
        ),
        ("price", f"{record.spent_usd:.2f} USD on AWS at the project's fees"),
        ("version", f"{version.version}: {version.images} images, {version.boxes} boxes"),
        ("in S3", str(uri)),
        ("on disk", str(pulled)),
    ]


def _since_parent(storage: Storage, project: Project, version: VersionRecord) -> list[str]:
    """What changed since the version before, as `roundtruth dataset diff` says it."""
    if version.parent is None:
        return []
    old, new = (
        read_version_tables(storage, project.root_uri, version.dataset, name)
        for name in (version.parent, version.version)
    )
    return diff_lines(diff_versions(old, new))


def _answers_spent(record: RoundRecord) -> str:
    """Answers an image, beside as many workers on every image as a disputed one gets."""
    first = max((job.workers for job in record.jobs if not job.relabel_pass), default=0)
    passes = {job.relabel_pass: job.workers for job in record.jobs if job.relabel_pass}
    fixed = first + sum(passes.values())
    # Several jobs ask about one image where it has many categories: then an image has as many answers more.
    asked = sum(job.images for job in record.jobs if not job.relabel_pass)
    an_image = record.answers / max(asked, 1)
    gold = f", and {record.gold_answers} on gold images" if record.gold_answers else ""
    return f"{an_image:.2f} an image, against {fixed} for a fixed number of workers{gold}"


def _accuracy(
    storage: Storage, project: Project, folder: RoundFolder, record: RoundRecord, replayed: Path | None
) -> Table:
    """Labels against the truth that the sandbox knows, beside one worker and Ground Truth's own boxes."""
    images = from_parquet(storage.read(folder.images), IMAGES, name=str(folder.images))
    published = images.loc[images["status"].isin(PUBLISHABLE), "source_ref"].tolist()
    truth = _truth_table(storage, published, replayed)
    shown = Table(title="Against the truth", title_justify="left")
    for heading in ("labels", "precision", "recall", "F1 at IoU 0.5", "mean IoU"):
        shown.add_column(heading, justify="left" if heading == "labels" else "right")
    for name, labels in _contenders(storage, project, folder):
        scores = detection_scores(labels, truth, 0.5, images=published)
        shown.add_row(
            name,
            f"{scores.precision:.3f}",
            f"{scores.recall:.3f}",
            f"{scores.f1:.3f}",
            f"{scores.mean_iou:.3f}",
        )
    return shown


def _contenders(storage: Storage, project: Project, folder: RoundFolder) -> list[Scored]:
    plan = require_plan(storage, folder)
    consolidated = [
        read_job_table(storage, folder.job(job.name).consolidated, LABELS, gold=job.gold)
        for job in round_jobs(storage, folder, plan, passes=0)
    ]
    answers = from_parquet(storage.read(folder.answers), ANSWERS, name=str(folder.answers))
    labels = from_parquet(storage.read(folder.labels), LABELS, name=str(folder.labels))
    first = answers.groupby("source_ref")["worker"].transform("min")
    one_worker = answers[(answers["worker"] == first) & (answers["box"] >= 0)]
    return [
        ("one worker", one_worker),
        ("Ground Truth's consolidation", pd.concat(consolidated, ignore_index=True)),
        (f"ours ({project.consensus.method})", labels),
    ]


def _truth_table(storage: Storage, images: list[str], replayed: Path | None) -> pd.DataFrame:
    if replayed is not None:
        manifest = ReplayedManifest(replayed)
        found = {uri: manifest.find(uri) for uri in images}
        truths = {uri: truth for uri, truth in found.items() if truth is not None}
    else:
        truths = read_truths(images, lambda uri: _read(storage, uri))
    return table([row for uri, truth in truths.items() for row in _truth_rows(uri, truth)], LABELS)


def _truth_rows(uri: str, truth: Truth) -> list[dict[str, object]]:
    return [
        {
            "source_ref": uri,
            "category": box.label,
            "left": box.left,
            "top": box.top,
            "width": box.width,
            "height": box.height,
        }
        for box in truth.objects
    ]


def _read(storage: Storage, uri: str) -> bytes | None:
    content = storage.read_if_there(ObjectUri.parse(uri))
    return content.data if content else None
