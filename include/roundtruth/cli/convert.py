"""`roundtruth convert`: output manifests of Ground Truth jobs to a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from roundtruth.cli.console import endpoint_option, json_option, notes, open_storage, print_json, progress_bar
from roundtruth.cli.formats import FORMATS
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    from roundtruth.datasets.conversion_folder import ConversionReport

NOT_PLACED = ("image-missing", "image-unreadable", "image-size")


@click.command(name="convert")
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST...")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write."
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("yolo",),
    show_default=True,
    help="May be given more than once.",
)
@click.option(
    "--label-categories",
    multiple=True,
    metavar="FILE",
    help="A job's label category config; its order gives the class ids. May be given more than once.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the images; they are copied into the dataset, so that it trains as it is.",
)
@click.option(
    "--link",
    is_flag=True,
    help="Hard-link the images instead of copying them: no disk space, but a trainer that mends a JPEG "
    "in its place changes yours.",
)
@click.option("--label-attribute", help="Read this label attribute instead of the newest on each line.")
@click.option(
    "--val",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Share of images to validate on.",
)
@click.option(
    "--test", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of images to test on."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Convert in so many processes; the output is the same.",
)
@json_option
@endpoint_option
def command(
    manifests: tuple[str, ...],
    out: Path,
    formats: tuple[str, ...],
    label_categories: tuple[str, ...],
    images: Path | None,
    link: bool,
    label_attribute: str | None,
    val: float,
    test: float,
    processes: int,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Merge output manifests, local or s3://, of one or several jobs into one dataset.

    Lines that give no label are listed in problems.csv and never written as empty; images without a box get
    an empty label file. images.csv says which file belongs to which image, report.json what was made.
    """
    from roundtruth.datasets.convert import ConversionSettings, convert_manifests

    if link and images is None:
        raise click.UsageError("--link is about --images; name their folder")
    if val + test > 1:
        raise click.UsageError("--val and --test add up to more than 1")
    settings = ConversionSettings(
        manifests=manifests,
        formats=tuple(dict.fromkeys(formats)),
        label_categories=label_categories,
        label_attribute=label_attribute,
        images=images,
        link=link,
        splits=(("train", 1 - val - test), ("val", val), ("test", test)),
        processes=processes,
    )
    storage = _storage((*manifests, *label_categories), endpoint_url)
    with progress_bar() as progress:
        task = progress.add_task("Converting", total=None)
        report = convert_manifests(
            storage, settings, out, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if images is not None:
        _require_an_image(report, images, out)
    if as_json:
        print_json({"out": str(out), **msgspec.to_builtins(report)})
    else:
        _show(report, out)


def _storage(places: tuple[str, ...], endpoint_url: str | None) -> Storage:
    """Files on this machine need no AWS credentials."""
    if all(ObjectUri.parse(place).is_local for place in places):
        return Storage()
    return open_storage(endpoint_url)


def _require_an_image(report: ConversionReport, images: Path, out: Path) -> None:
    unplaced = sum(report.problems.get(kind, 0) for kind in NOT_PLACED)
    if unplaced < report.images:
        return
    reasons = ", ".join(f"{report.problems[kind]} {kind}" for kind in NOT_PLACED if kind in report.problems)
    raise DatasetError(
        f"{images} holds none of the {report.images} images as they were labeled ({reasons}; see "
        f"{out / 'problems.csv'}); name their folder by --images, or leave it out: {out} holds labels only."
    )


def _show(report: ConversionReport, out: Path) -> None:
    for raw, name in report.normalised_names.items():
        notes.print(f"class {raw!r} is written as {name!r}", markup=False, highlight=False, soft_wrap=True)
    if report.unseen_classes:
        unseen = ", ".join(str(class_id) for class_id in report.unseen_classes)
        notes.print(
            f"no line names class {unseen}; --label-categories would",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for what, count in report.repairs.items():
        if count:
            notes.print(f"boxes {what}: {count}", highlight=False)
    for kind, count in report.problems.items():
        notes.print(
            f"{kind}: {count} (see {out / 'problems.csv'})", markup=False, highlight=False, soft_wrap=True
        )
    click.echo(
        f"{report.images} images ({report.negatives} without a box), {report.boxes} boxes, "
        f"{len(report.classes)} classes in {out}"
    )
