"""`roundtruth dataset`: published dataset versions; list, pull and verify are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roundtruth.cli.console import (
    FAILED_CHECK,
    notes,
    open_storage,
    print_json,
    progress_bar,
)
from roundtruth.cli.dataset_contents import explain, export
from roundtruth.cli.dataset_history import diff, rollback, show
from roundtruth.cli.dataset_place import find_dataset, place_options
from roundtruth.errors import DatasetError

SHOWN_PROBLEMS = 20


@click.group(name="dataset")
def command() -> None:
    """Published dataset versions. A DATASET is name, name@v0003 or name@latest."""


@command.command(name="list")
@click.argument("dataset", required=False)
@place_options
def list_command(
    dataset: str | None, project_file: Path | None, root: str | None, as_json: bool, endpoint_url: str | None
) -> None:
    """List the versions of a dataset, oldest first."""
    from roundtruth.datasets.folder import DatasetFolder
    from roundtruth.datasets.latest import latest_version
    from roundtruth.datasets.versions import list_versions

    place = find_dataset(dataset, project_file, root)
    storage = open_storage(endpoint_url)
    folder = DatasetFolder(place.root / "datasets" / place.name)
    records = list_versions(storage, folder)
    if not records:
        raise DatasetError(
            f"{folder.uri} holds no published version; check the dataset's name and its place."
        )
    latest = latest_version(storage, folder)
    if as_json:
        versions = [
            {
                "version": one.version,
                "parent": one.parent,
                "images": one.images,
                "boxes": one.boxes,
                "negatives": one.negatives,
                "classes": list(one.classes),
                "rounds": list(one.rounds),
                "bytes": one.bytes,
            }
            for one in records
        ]
        print_json({"dataset": place.name, "latest": latest, "versions": versions})
        return
    for one in records:
        mark = "  latest" if one.version == latest else ""
        click.echo(
            f"{place.name}@{one.version}  {one.images} images  {one.boxes} boxes  "
            f"{len(one.classes)} classes  {len(one.rounds)} rounds{mark}"
        )


@command.command()
@click.argument("dataset", required=False)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to fill."
)
@place_options
def pull(
    dataset: str | None,
    out: Path,
    project_file: Path | None,
    root: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Make the tree of a version in a folder.

    Goes on where an earlier pull into the same folder stopped.
    """
    from roundtruth.datasets.pull import pull_version

    place = find_dataset(dataset, project_file, root)
    storage = open_storage(endpoint_url)
    with progress_bar() as progress:
        task = progress.add_task("Pulling", total=None)
        pulled = pull_version(
            storage,
            place.root,
            place.name,
            place.version,
            out,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    record = pulled.record
    if as_json:
        print_json(
            {
                "dataset": record.dataset,
                "version": record.version,
                "out": str(out),
                "files": pulled.files,
                "kept": pulled.kept,
                "foreign": pulled.foreign,
                "images": record.images,
                "boxes": record.boxes,
            }
        )
        return
    foreign = f", {pulled.foreign} of no file of this version deleted" if pulled.foreign else ""
    click.echo(
        f"{record.dataset}@{record.version}: {record.images} images, {record.boxes} boxes, "
        f"{pulled.files} files in {out} ({pulled.kept} were there{foreign})"
    )


@command.command()
@click.argument("dataset", required=False)
@click.option("--quick", is_flag=True, help="Compare sizes and ETags of images in S3, and read none of them.")
@place_options
def verify(
    dataset: str | None,
    quick: bool,
    project_file: Path | None,
    root: str | None,
    as_json: bool,
    endpoint_url: str | None,
) -> None:
    """Check the digest of every file, and the rules of trainers.

    An image in S3 is compared with the MD5 that its ETag is. Where the ETag is no MD5 (an upload in parts, a
    key of KMS), and with --quick, size and ETag are compared; the result says of how many images.

    Exit codes: 0 all is right; 1 something is wrong; 2 there is nothing to check.

    DATASET is a folder on this machine, or a version where it lies.
    """
    from roundtruth.datasets.verify import verify_folder, verify_version

    with progress_bar() as progress:
        task = progress.add_task("Verifying", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if dataset is not None and project_file is None and root is None:
            if quick:
                raise click.UsageError("--quick is for a version in S3; a folder is always read whole")
            what, result = dataset, verify_folder(_folder(dataset), show)
        else:
            place = find_dataset(dataset, project_file, root)
            what = f"{place.name}@{place.version}"
            result = verify_version(
                open_storage(endpoint_url), place.root, place.name, place.version, show, quick=quick
            )
    if as_json:
        problems = [{"path": one.path, "problem": one.problem} for one in result.problems]
        print_json(
            {"dataset": what, "files": result.files, "unchecked": result.unchecked, "problems": problems}
        )
    else:
        _show_problems(what, result)
    if result.problems:
        raise SystemExit(FAILED_CHECK)


def _folder(dataset: str) -> Path:
    folder = Path(dataset)
    if not folder.is_dir():
        raise click.UsageError(
            f"there is no folder {dataset}; of a published version give the place by --project or --root too"
        )
    return folder


def _show_problems(what: str, result: Any) -> None:
    for problem in result.problems[:SHOWN_PROBLEMS]:
        notes.print(str(problem), markup=False, highlight=False, soft_wrap=True)
    if len(result.problems) > SHOWN_PROBLEMS:
        notes.print(f"… and {len(result.problems) - SHOWN_PROBLEMS} more (--json lists all)", highlight=False)
    unchecked = f", {result.unchecked} images not by their bytes" if result.unchecked else ""
    click.echo(f"{what}: {result.files} files checked{unchecked}, {len(result.problems)} problems")


for _command in (show, diff, rollback, export, explain):
    command.add_command(_command)
