"""`roundtruth check`: the quality report of output manifests and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roundtruth.cli.console import (
    FAILED_CHECK,
    endpoint_option,
    json_option,
    notes,
    open_storage,
    print_json,
)
from roundtruth.errors import StorageError
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    from roundtruth.quality.verdict import FailedCheck, Verdict

SHOWN_EXAMPLES = 3
COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan"}


@click.command(name="check")
@click.argument("inputs", nargs=-1, required=True, metavar="MANIFEST_OR_DATASET…")
@click.option("--label-attribute", help="Check this attribute of manifests, not the newest one.")
@click.option(
    "--project",
    "project_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Take categories, thresholds and severities from this project file.",
)
@click.option("--docs", help="Write Data Docs under this folder (a path or s3://…); open its index.html.")
@endpoint_option
@json_option
def command(
    inputs: tuple[str, ...],
    label_attribute: str | None,
    project_file: Path | None,
    docs: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Report the quality of output manifests and of datasets, local or s3://.

    A dataset is a folder with data.yaml (YOLO), or the folder of a published version.

    Exit codes: 0 no critical check failed; 1 one failed; 2 an input cannot be read.
    """
    storage = _storage((*inputs, docs or ""), endpoint_url)
    project = load_project(project_file) if project_file else None
    verdicts: list[tuple[str, Verdict]] = []
    for number, text in enumerate(inputs, start=1):
        docs_uri = _docs_uri(docs, number, len(inputs))
        with notes.status(f"Checking {text} …"):
            verdicts.append((text, _check(text, label_attribute, project, storage, docs_uri)))
        if not as_json:
            _print_report(text, verdicts[-1][1], docs_uri)
    if as_json:
        print_json(
            {"inputs": [{"input": text, "verdict": msgspec.to_builtins(found)} for text, found in verdicts]}
        )
    if any(verdict.critical for _, verdict in verdicts):
        raise SystemExit(FAILED_CHECK)


def _check(
    text: str,
    label_attribute: str | None,
    project: Project | None,
    storage: Storage,
    docs_uri: ObjectUri | None,
) -> Verdict:
    uri = ObjectUri.parse(text)
    if "images" not in storage.list_folders(uri) and storage.head(uri / "images.parquet") is not None:
        return _check_packed_version(uri, project, storage, docs_uri)
    if storage.head(uri / "data.yaml") is not None:
        return _check_yolo_folder(uri, project, storage, docs_uri)
    if storage.head(uri) is None:
        raise StorageError(
            f"{text} is neither a manifest nor a dataset folder (one with data.yaml); check the path."
        )
    from roundtruth.ground_truth.manifests import read_output_manifest
    from roundtruth.quality.manifest_gate import check_manifest

    lines = storage.read(uri).splitlines()
    return check_manifest(
        read_output_manifest(lines, file=text, label_attribute=label_attribute),
        file=text,
        settings=project.quality if project else Quality(),
        # The lines hold the jobs' names; aliases are names that the project knows too.
        categories=(*project.categories, *project.aliases) if project else None,
        docs_uri=docs_uri,
        storage=storage,
    )


def _check_yolo_folder(
    uri: ObjectUri, project: Project | None, storage: Storage, docs_uri: ObjectUri | None
) -> Verdict:
    from roundtruth.cli.yolo_folder import read_yolo_folder
    from roundtruth.quality.checks import FILE_CHECKS
    from roundtruth.quality.dataset_gate import suites_of_splits
    from roundtruth.quality.gate import check_round
    from roundtruth.quality.validation import Suite

    found = read_yolo_folder(storage, uri)
    by_name = found.labels.assign(source_ref=found.labels["source_ref"].str.rpartition("/")[2])
    return check_round(
        labels=found.labels,
        images=found.images,
        planned=len(found.images),
        settings=project.quality if project else Quality(),
        categories=found.classes,
        also=[
            Suite(name="dataset_files", frame=found.files, key=("file", "problem"), checks=FILE_CHECKS),
            *suites_of_splits(found.places, by_name, found.classes, sorted(set(found.places["split"]))),
        ],
        docs_uri=docs_uri,
        storage=storage,
    ).verdict


def _check_packed_version(
    uri: ObjectUri, project: Project | None, storage: Storage, docs_uri: ObjectUri | None
) -> Verdict:
    from roundtruth.annotations import IMAGES, LABELED, LABELS, NEGATIVE, from_parquet
    from roundtruth.datasets.folder import VersionFolder
    from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
    from roundtruth.quality.dataset_gate import suites_of_splits
    from roundtruth.quality.gate import check_round

    folder = VersionFolder(uri)
    images = from_parquet(storage.read(folder.images), DATASET_IMAGES, name=str(folder.images))
    labels = from_parquet(storage.read(folder.labels), DATASET_LABELS, name=str(folder.labels))
    classes = sorted(labels["category"].unique())
    has_boxes = images["source_ref"].isin(labels["source_ref"])
    as_round = images.assign(
        status=has_boxes.map({True: LABELED, False: NEGATIVE}), reason="", answers=None, agreement=None
    )
    return check_round(
        labels=labels[LABELS.names],
        images=as_round[IMAGES.names],
        planned=len(images),
        settings=project.quality if project else Quality(),
        categories=project.categories if project else classes,
        also=suites_of_splits(images, labels, classes, sorted(images["split"].unique())),
        docs_uri=docs_uri,
        storage=storage,
    ).verdict


def _storage(paths: Sequence[str], endpoint_url: str | None) -> Storage:
    # Local files must be readable on a machine without AWS credentials.
    return open_storage(endpoint_url) if any(path.startswith("s3://") for path in paths) else Storage()


def _docs_uri(docs: str | None, number: int, inputs: int) -> ObjectUri | None:
    if docs is None:
        return None
    return ObjectUri.parse(docs) / str(number) if inputs > 1 else ObjectUri.parse(docs)


def _print_report(text: str, verdict: Verdict, docs_uri: ObjectUri | None) -> None:
    console = Console()
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in verdict.counts.items() if count)
    console.print(f"{text}: {counts}", markup=False, highlight=False, soft_wrap=True)
    if verdict.failed:
        console.print(_report(verdict.failed))
    else:
        console.print(f"All {len(verdict.parameters['severities'])} checks passed.", style="green")
    if docs_uri is not None:
        console.print(f"Data Docs: {docs_uri / 'index.html'}", markup=False, highlight=False, soft_wrap=True)


def _report(failed: Sequence[FailedCheck]) -> Table:
    report = Table("check", "severity", "failed rows")
    report.add_column("examples", overflow="fold")  # a URI that is cut names no image
    for check in failed:
        examples = list(check.images[:SHOWN_EXAMPLES] or check.values[:SHOWN_EXAMPLES])
        more = check.image_count - SHOWN_EXAMPLES
        if more > 0:
            examples.append(f"and {more} more images")
        report.add_row(
            f"{check.check}\n[dim]{check.description}[/dim]",
            f"[{COLOURS[check.severity]}]{check.severity}[/]",
            f"{check.failed_rows} of {check.rows}",
            escape("\n".join(examples)),
        )
    return report
