"""`roundtruth check`: the quality report of output manifests and datasets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    from roundtruth.quality.seen_images import SeenImages
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
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the images of a manifest or packed version on this machine.",
)
@click.option(
    "--read-images/--no-read-images",
    default=True,
    show_default=True,
    help="Decode each image: those beside labels, in --images, and of inputs in S3.",
)
@click.option("--docs", help="Write Data Docs under this folder (a path or s3://…); open its index.html.")
@endpoint_option
@json_option
def command(
    inputs: tuple[str, ...],
    label_attribute: str | None,
    project_file: Path | None,
    images: Path | None,
    read_images: bool,
    docs: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Report the quality of output manifests and of datasets, local or s3://.

    A dataset is a folder with data.yaml (YOLO), or the folder of a published version. Images are read too:
    whether all pixels are there, size as the labels say, format as the name says, EXIF rotation, copies and
    look-alikes. Those of a local manifest are found by their names in the folder --images.

    Exit codes: 0 no critical check failed; 1 one failed; 2 an input cannot be read.
    """
    storage = _storage((*inputs, docs or ""), endpoint_url)
    project = load_project(project_file) if project_file else None
    verdicts: list[tuple[str, Verdict]] = []
    for number, text in enumerate(inputs, start=1):
        docs_uri = _docs_uri(docs, number, len(inputs))
        with notes.status(f"Checking {text} …"):
            wanted = _Wanted(
                label_attribute=label_attribute,
                project=project,
                storage=storage,
                docs_uri=docs_uri,
                images=images,
                read_images=read_images,
            )
            verdicts.append((text, _check(text, wanted)))
        if not as_json:
            _print_report(text, verdicts[-1][1], docs_uri)
    if as_json:
        print_json(
            {"inputs": [{"input": text, "verdict": msgspec.to_builtins(found)} for text, found in verdicts]}
        )
    if any(verdict.critical for _, verdict in verdicts):
        raise SystemExit(FAILED_CHECK)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What the options say of an input."""

    label_attribute: str | None
    project: Project | None
    storage: Storage
    docs_uri: ObjectUri | None
    images: Path | None
    read_images: bool

    @property
    def settings(self) -> Quality:
        return self.project.quality if self.project else Quality()


def _check(text: str, wanted: _Wanted) -> Verdict:
    uri, storage = ObjectUri.parse(text), wanted.storage
    tables = ("images.parquet", "version.json")  # a packed version of before tables had parts, or since
    if "images" not in storage.list_folders(uri) and any(storage.head(uri / one) for one in tables):
        return _check_packed_version(uri, wanted)
    if storage.head(uri / "data.yaml") is not None:
        return _check_yolo_folder(uri, wanted)
    if storage.head(uri) is None:
        raise StorageError(
            f"{text} is neither a manifest nor a dataset folder (one with data.yaml); check the path."
        )
    return _check_manifest(text, uri, wanted)


def _check_manifest(text: str, uri: ObjectUri, wanted: _Wanted) -> Verdict:
    from roundtruth.ground_truth.manifests import read_output_manifest
    from roundtruth.quality.manifest_gate import check_manifest

    lines = wanted.storage.read(uri).splitlines()
    records = list(read_output_manifest(lines, file=text, label_attribute=wanted.label_attribute))
    project = wanted.project
    return check_manifest(
        records,
        file=text,
        settings=wanted.settings,
        # The lines hold the jobs' names; aliases are names that the project knows too.
        categories=(*project.categories, *project.aliases) if project else None,
        seen=_seen(uri, (record.source_ref for record in records if record.source_ref), wanted),
        docs_uri=wanted.docs_uri,
        storage=wanted.storage,
    )


def _check_yolo_folder(uri: ObjectUri, wanted: _Wanted) -> Verdict:
    from roundtruth.cli.yolo_folder import read_yolo_folder
    from roundtruth.quality.checks import FILE_CHECKS
    from roundtruth.quality.dataset_gate import look_alike_suite, suites_of_splits
    from roundtruth.quality.gate import check_round
    from roundtruth.quality.seen_images import facts_at
    from roundtruth.quality.suites import Suite

    found = read_yolo_folder(wanted.storage, uri)
    by_name = found.labels.assign(source_ref=found.labels["source_ref"].str.rpartition("/")[2])
    also = [
        Suite(name="dataset_files", frame=found.files, key=("file", "problem"), checks=FILE_CHECKS),
        *suites_of_splits(found.places, by_name, found.classes, sorted(set(found.places["split"]))),
    ]
    facts = None
    if wanted.read_images and wanted.settings.near_duplicates:
        readable = found.images[found.images["width"].notna()]
        named = zip(readable["source_ref"], readable["etag"], strict=True)
        facts = facts_at(wanted.storage, [(path, uri / path, etag or "") for path, etag in named])
        split = found.places["split"].to_numpy()
        also.append(look_alike_suite(found.images.assign(split=split), facts, wanted.settings))
    return check_round(
        labels=found.labels,
        images=found.images,
        planned=len(found.images),
        settings=wanted.settings,
        categories=found.classes,
        facts=facts,
        also=also,
        docs_uri=wanted.docs_uri,
        storage=wanted.storage,
    ).verdict


def _check_packed_version(uri: ObjectUri, wanted: _Wanted) -> Verdict:
    from roundtruth.annotations import IMAGES, LABELED, LABELS, NEGATIVE
    from roundtruth.datasets.folder import VersionFolder
    from roundtruth.datasets.version_tables import read_packed_tables
    from roundtruth.quality.dataset_gate import suites_of_splits
    from roundtruth.quality.gate import check_round
    from roundtruth.quality.seen_images import as_stored

    storage = wanted.storage
    images, labels = read_packed_tables(storage, VersionFolder(uri))
    classes = sorted(labels["category"].unique())
    has_boxes = images["source_ref"].isin(labels["source_ref"])
    as_round = images.assign(
        status=has_boxes.map({True: LABELED, False: NEGATIVE}), reason="", answers=None, agreement=None
    )[IMAGES.names]
    seen = _seen(uri, images["source_ref"], wanted)
    return check_round(
        labels=labels[LABELS.names],
        images=as_stored(as_round, seen) if seen else as_round,
        planned=len(images),
        settings=wanted.settings,
        categories=wanted.project.categories if wanted.project else classes,
        drawn_sizes=images[["source_ref", "width", "height"]] if seen else None,
        facts=seen.facts if seen else None,
        also=suites_of_splits(images, labels, classes, sorted(images["split"].unique())),
        docs_uri=wanted.docs_uri,
        storage=storage,
    ).verdict


def _seen(uri: ObjectUri, source_refs: Iterable[str], wanted: _Wanted) -> SeenImages | None:
    """The images that an input names; None where they are not to be read, or nobody knows where they lie."""
    from roundtruth.datasets.local_images import LocalImages
    from roundtruth.quality.seen_images import see_images

    if not wanted.read_images or (wanted.images is None and uri.is_local):
        return None
    refs = sorted(set(source_refs))
    if wanted.images is None:
        return see_images(wanted.storage, {ref: ObjectUri.parse(ref) for ref in refs})
    local = LocalImages(wanted.images, refs)
    # One that is not among them has no place: it is looked for where nothing lies, and told as gone.
    nowhere = ObjectUri.parse(str(wanted.images))
    found = {ref: local.find(ref) for ref in refs}
    return see_images(
        wanted.storage,
        {
            ref: ObjectUri.parse(str(path)) if isinstance(path, Path) else nowhere
            for ref, path in found.items()
        },
    )


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
