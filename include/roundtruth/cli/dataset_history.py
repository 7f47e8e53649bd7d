"""`roundtruth dataset show | diff | rollback`: what versions hold, how they differ, which is `latest`."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from roundtruth.cli.console import notes, open_storage, print_json
from roundtruth.cli.dataset_place import find_dataset, place_options

if TYPE_CHECKING:
    from roundtruth.datasets.versions import VersionRecord


@click.command()
@click.argument("dataset", required=False)
@place_options
def show(
    dataset: str | None, project_file: Path | None, root: str | None, as_json: bool, endpoint_url: str | None
) -> None:
    """Show what a version holds: splits, classes, rounds."""
    from roundtruth.datasets.folder import DatasetFolder
    from roundtruth.datasets.latest import read_latest
    from roundtruth.datasets.versions import resolve_version

    place = find_dataset(dataset, project_file, root)
    storage = open_storage(endpoint_url)
    folder = DatasetFolder(place.root / "datasets" / place.name)
    record = resolve_version(storage, folder, place.version)
    pointer = read_latest(storage, folder)
    latest = pointer is not None and pointer.version == record.version
    withdrawn = pointer is not None and record.version in pointer.withdrawn
    if as_json:
        print_json(msgspec.to_builtins(record) | {"latest": latest, "withdrawn": withdrawn})
        return
    mark = "  latest" if latest else "  withdrawn" if withdrawn else ""
    click.echo(f"{record.dataset}@{record.version}{mark}")
    for line in _lines(record):
        click.echo(line)


@click.command()
@click.argument("old")
@click.argument("new")
@place_options
def diff(
    old: str, new: str, project_file: Path | None, root: str | None, as_json: bool, endpoint_url: str | None
) -> None:
    """Tell what changed from version OLD to NEW.

    Such as `diff pens@v0001 pens@v0002`.
    """
    from roundtruth.datasets.diff import diff_versions
    from roundtruth.datasets.diff_text import diff_lines
    from roundtruth.datasets.version_tables import read_version_tables

    name = old.rpartition("@")[0]
    places = [find_dataset(one if "@" in one else f"{name}@{one}", project_file, root) for one in (old, new)]
    storage = open_storage(endpoint_url)
    tables = [read_version_tables(storage, place.root, place.name, place.version) for place in places]
    found = diff_versions(tables[0], tables[1])
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for line in diff_lines(found):
        click.echo(line)


@click.command()
@click.argument("dataset", required=False)
@click.option("--reason", required=True, help="Why; it is written down in latest.json.")
@click.option("--by", default=getpass.getuser, show_default="your user name", help="Who moves it.")
@place_options
def rollback(
    dataset: str | None,
    reason: str,
    by: str,
    project_file: Path | None,
    root: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Move `latest` back to an earlier version.

    To name@v0002, or without a version to the one before it. Nothing is deleted.

    Releases do not undo it: `latest` moves on when labels give a content that was not withdrawn.
    """
    from roundtruth.datasets.rollback import roll_back
    from roundtruth.datasets.versions import LATEST

    place = find_dataset(dataset, project_file, root)
    moved = roll_back(
        open_storage(endpoint_url),
        place.root,
        place.name,
        None if place.version == LATEST else place.version,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by,
        reason=reason,
    )
    new = moved.record.version
    if as_json:
        print_json({"dataset": place.name, "from": moved.old, "to": new})
    elif moved.old == new:
        notes.print(f"latest of {place.name} was {new} already", highlight=False)
    else:
        click.echo(f"latest of {place.name} was {moved.old} and is {new}")


def _lines(record: VersionRecord) -> list[str]:
    lines = [
        f"{record.images} images, {record.boxes} boxes, {record.negatives} negatives, {record.bytes} bytes "
        f"in {record.files} files, layout {record.layout}, formats {', '.join(record.formats)}",
        f"rounds {', '.join(record.rounds)}; parent {record.parent or 'none'}; made by roundtruth "
        f"{record.roundtruth}",
    ]
    for split, counts in record.splits.items():
        boxes = ", ".join(
            f"{name} {count}" for name, count in zip(record.classes, counts.boxes_by_class, strict=True)
        )
        lines.append(f"{split}: {counts.images} images, {counts.negatives} negatives, boxes: {boxes}")
    lines += [f"{count} images left out: {reason}" for reason, count in record.left_out.items()]
    if record.partial:
        lines.append(f"{record.partial} images are partially labeled")
    return lines
