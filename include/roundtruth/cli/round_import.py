"""`roundtruth round import`: record finished labeling jobs as a round."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from roundtruth.cli.console import endpoint_option, json_option, notes, open_storage, print_json
from roundtruth.project_files import load_project

SHOWN_PROBLEMS = 20
# What stands for an image that a job labeled, in the words of the table below.
FROM = {
    "answers": "workers' answers",
    "consolidated": "Ground Truth's own boxes",
    "both": "answers, else Ground Truth's boxes",
    "none": "nothing labeled",
}


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option(
    "--round",
    "round_key",
    required=True,
    metavar="KEY",
    help="The round, best the day of the jobs, such as 2024-03-01: of an image in several rounds the labels "
    "of the newest round by key count.",
)
@click.option(
    "--label-categories",
    metavar="URI",
    help="The label category config of jobs whose folder holds none; else only the categories that they used "
    "count as asked for.",
)
@click.option(
    "--moved",
    multiple=True,
    metavar="OLD=NEW",
    help="Images that were copied since: the beginning of their source-refs, and what it is now, such as "
    "s3://old-bucket/=s3://new-bucket/images/.",
)
@click.option(
    "--consolidated",
    is_flag=True,
    help="Take Ground Truth's own boxes also where workers' answers are there: nothing is disputed then.",
)
@endpoint_option
@json_option
def command(
    file: Path,
    jobs: tuple[str, ...],
    round_key: str,
    label_categories: str | None,
    moved: tuple[str, ...],
    consolidated: bool,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Record finished labeling jobs as a round.

    They are fused, merged and checked like any other round.

    FILE is the project file. A JOB is the output folder of a job (<S3OutputPath>/<job name>, s3:// or a copy
    on this machine), an output manifest, or a job's name in this account. No job is created, nothing is paid.
    Importing the same jobs again changes nothing.
    """
    from roundtruth.stages.round_import import import_round, job_sources, moved_images  # imports pandas

    project = load_project(file)
    storage = open_storage(endpoint_url)
    client = functools.cache(lambda: _client(project.labeling.region, endpoint_url))
    sources = job_sources(
        jobs,
        label_categories,
        describe=lambda name: _describe(client(), name),
        answers=not consolidated,
    )
    with notes.status(f"Importing {len(sources)} jobs …"):
        imported = import_round(storage, project, round_key, sources, moved_images(moved))
    if as_json:
        print_json(imported)
    else:
        _show(imported)


def _client(region: str, endpoint_url: str | None) -> Any:
    import boto3

    return boto3.client("sagemaker", region_name=region, endpoint_url=endpoint_url)


def _describe(client: Any, name: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    from roundtruth.errors import RoundError

    try:
        return dict(client.describe_labeling_job(LabelingJobName=name))
    except ClientError as error:
        raise RoundError(
            f"No labeling job {name!r} can be described ({error.response['Error']['Code']}), nor is there "
            "such a folder here; give the output folder of the job, or look at name, region and account."
        ) from error


def _show(imported: dict[str, Any]) -> None:
    for problem in imported["problems"][:SHOWN_PROBLEMS]:
        notes.print(f"unusable: {problem}", markup=False, highlight=False, soft_wrap=True)
    more = len(imported["problems"]) - SHOWN_PROBLEMS
    if more > 0:
        notes.print(f"and {more} more unusable lines (all of them with --json)")
    for task, lines in imported["labels_of_other_tasks"].items():
        notes.print(f"passed over: {lines} labels of task {task}", markup=False, highlight=False)
    for job in imported["jobs"]:
        click.echo(_of_job(job))
        if job["asked"] == "labels":
            click.echo(
                f"  all it is known to have asked for: {', '.join(job['categories'])}; if it asked for more, "
                "import it with --label-categories"
            )
    counts = ", ".join(f"{images} {status}" for status, images in imported["counts"].items())
    click.echo(
        f"round {imported['round']}: {imported['images']} images ({counts}), {imported['boxes']} boxes"
    )
    waiting = sum(
        imported["counts"].get(name, 0) for name in ("disputed", "failed", "quarantined", "unlabeled")
    )
    if waiting:
        click.echo(f"{waiting} of them are carried over: the next round takes them first")
    click.echo(f"recorded: {imported['record_uri']}; no job was created, nothing was paid")


def _of_job(job: dict[str, Any]) -> str:
    said = [f"{job['labeled']} labeled", f"{job['negative']} negative"]
    said += [f"{job[name]} {name}" for name in ("failed", "unlabeled", "superseded") if job[name]]
    kind = "adjustment job" if job["adjusts"] else "job"
    attribute = f" ({job['label_attribute']})" if job["label_attribute"] else ""
    return f"{kind} {job['name']}{attribute}: {', '.join(said)}; labels from {FROM[job['labels_from']]}"
