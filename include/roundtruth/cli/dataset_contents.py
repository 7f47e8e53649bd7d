"""`roundtruth dataset export | explain`: a version in other formats, and where an image's boxes come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from roundtruth.cli.console import open_storage, print_json, progress_bar
from roundtruth.cli.dataset_place import find_dataset, place_options
from roundtruth.cli.formats import FORMATS

if TYPE_CHECKING:
    from roundtruth.datasets.lineage import ImageLineage, WorkerBox


@click.command()
@click.argument("dataset", required=False)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="New folder.")
@click.option(
    "--format", "formats", multiple=True, required=True, type=click.Choice(FORMATS), help="May be repeated."
)
@click.option("--images", is_flag=True, help="Bring the images too, into images/<split>/.")
@place_options
def export(
    dataset: str | None,
    out: Path,
    formats: tuple[str, ...],
    images: bool,
    project_file: Path | None,
    root: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Write the labels of a version in other formats.

    They go to a new folder; nothing is written to S3.
    """
    from roundtruth.datasets.export import export_version

    place = find_dataset(dataset, project_file, root)
    with progress_bar() as progress:
        task = progress.add_task("Exporting", total=None)
        done = export_version(
            open_storage(endpoint_url),
            place.root,
            place.name,
            place.version,
            out,
            formats,
            images=images,
            progress=lambda number, total: progress.update(task, completed=number, total=total),
        )
    name = f"{done.record.dataset}@{done.record.version}"
    if as_json:
        print_json({"version": name, "out": str(out), "files": done.files, "images": done.images})
    else:
        click.echo(f"{name}: {done.files} files in {out}, {done.images} of them images")


@click.command()
@click.argument("dataset")
@click.argument("image")
@place_options
def explain(
    dataset: str,
    image: str,
    project_file: Path | None,
    root: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Tell where each box of an image comes from.

    Round, job, workers, their answers and the version of the code are told.

    IMAGE is its S3 URI, its file name or path in the dataset, or the end of its key.
    """
    from roundtruth.datasets.lineage import explain_image

    place = find_dataset(dataset, project_file, root)
    found = explain_image(open_storage(endpoint_url), place.root, place.name, place.version, image)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: ImageLineage) -> list[str]:
    lines = [
        f"{found.source_ref} (ETag {found.etag})",
        f"in {found.version} as images/{found.split}/{found.file}, published by roundtruth "
        f"{found.version_made_by}",
        f"labeled in round {found.round}, recorded by roundtruth {found.round_made_by}",
        f"workers: {', '.join(found.workers) or 'none'}",
    ]
    if found.empty_answers:
        lines.append(f"drew nothing: {', '.join(found.empty_answers)}")
    if found.unknown:
        lines.append(f"nobody was asked for {', '.join(found.unknown)}: unknown on it, not absent")
    for box in found.boxes:
        lines += [
            f"{box.category} (class {box.class_id}) at {_place(box.box)}: score {box.score:.2f}, "
            f"{box.votes} of {box.answers} workers",
            f"  job {box.job} {box.job_arn}",
        ]
        lines += [f"  {_drawn(one)}" for one in box.drawn]
    if found.left_over:
        lines += ["in no box of the version:", *(f"  {_drawn(one)}" for one in found.left_over)]
    return lines


def _drawn(one: WorkerBox) -> str:
    overlap = f", IoU {one.iou:.2f}" if one.iou is not None else ""
    return f"{one.worker} drew {one.category} at {_place(one.box)}{overlap}, {one.submitted}"


def _place(box: tuple[float, float, float, float]) -> str:
    return ", ".join(f"{edge:g}" for edge in box)
