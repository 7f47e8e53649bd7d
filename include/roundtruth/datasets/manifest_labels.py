"""What output manifests of one or several jobs say together: which lines count for an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from roundtruth.categories import CategoryMerge, normalise_category
from roundtruth.errors import CategoryError, StorageError
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class ConversionProblem:
    """An image or a line that is not in the output, or not as it should be; ``line`` counts from 1."""

    kind: str
    reason: str
    file: str = ""
    line: int | None = None
    source_ref: str = ""


class Line(NamedTuple):
    """A usable line: which manifest (0-based), which line (1-based), of which job, made when."""

    manifest: int
    number: int
    job: str
    created: datetime


@dataclass(kw_only=True)
class Survey:
    """What a first reading finds; ``lines`` gives the lines of each image, in order of the manifests."""

    class_maps: dict[str, dict[int, str]] = field(default_factory=dict)  # job -> class id -> name
    lines: dict[str, list[Line]] = field(default_factory=dict)
    problems: list[ConversionProblem] = field(default_factory=list)


def read_lines(
    storage: Storage, manifest: ObjectUri, label_attribute: str | None
) -> Iterator[LabeledImage | ConversionProblem]:
    """The box labels of a manifest and the lines that give none, in order of the lines.

    :raises StorageError: when the manifest is not there.
    """
    for record in read_output_manifest(
        _raw_lines(storage, manifest), file=str(manifest), label_attribute=label_attribute
    ):
        if not isinstance(record, LabeledImage):
            yield ConversionProblem(
                kind=str(record.kind),
                reason=record.reason,
                file=record.file,
                line=record.line_number,
                source_ref=record.source_ref or "",
            )
        elif record.image_width is None or record.image_height is None:
            yield _problem(
                record, manifest, "unsupported", f"{record.label_attribute} holds classes, not boxes"
            )
        elif record.image_width < 1 or record.image_height < 1:
            yield _problem(record, manifest, "broken", "image_size is 0: shares of it cannot be taken")
        else:
            yield record


def survey(
    storage: Storage,
    manifests: Sequence[ObjectUri],
    label_attribute: str | None,
    label_categories: Sequence[Sequence[str]],
) -> Survey:
    """Read all manifests once and keep only what is small: class maps, and where each image's labels stand.

    A class id that the line's class map does not name is taken from the label category file, when there is
    exactly one; otherwise the line is a problem.

    :raises CategoryError: when one job gives an id two names.
    """
    found = Survey()
    fallback = dict(enumerate(label_categories[0])) if len(label_categories) == 1 else {}
    for place, manifest in enumerate(manifests):
        for record in read_lines(storage, manifest, label_attribute):
            if isinstance(record, ConversionProblem):
                found.problems.append(record)
                continue
            job = job_of(record, manifest)
            names = {
                box.class_id: record.class_map.get(box.class_id, fallback.get(box.class_id))
                for box in record.boxes
            }
            unnamed = sorted(class_id for class_id, name in names.items() if name is None)
            if unnamed:
                reason = (
                    f"class-map does not name class {unnamed[0]}; give the job's file by --label-categories"
                )
                found.problems.append(_problem(record, manifest, "unknown-class", reason))
                continue
            _learn(found.class_maps.setdefault(job, {}), names, job, f"{manifest}:{record.line_number}")
            line = Line(place, record.line_number, job, moment_of(record.creation_date))
            found.lines.setdefault(record.source_ref, []).append(line)
    return found


def choose_lines(
    found: Survey, merged: CategoryMerge, manifests: Sequence[ObjectUri]
) -> dict[str, tuple[Line, ...]]:
    """The lines that count for each image; the others are added to the survey's problems.

    Of one job the newest line counts. Of several jobs all count when they have no category in common (each
    asked for other things); otherwise the newest job's does.
    """
    chosen: dict[str, tuple[Line, ...]] = {}
    categories = {job: frozenset(ids.values()) for job, ids in merged.ids.items()}
    for source_ref, lines in found.lines.items():
        kept: list[Line] = []
        # Newest first; of equals the one that was given later.
        for line in sorted(lines, key=lambda line: (line.created, line.manifest, line.number), reverse=True):
            rival = next(
                (one for one in kept if one.job == line.job or categories[one.job] & categories[line.job]),
                None,
            )
            if rival is None:
                kept.append(line)
                continue
            kind = "duplicate" if rival.job == line.job else "superseded"
            reason = f"{manifests[rival.manifest]}:{rival.number} of job {rival.job} is newer and counts"
            found.problems.append(
                ConversionProblem(
                    kind=kind,
                    reason=reason,
                    file=str(manifests[line.manifest]),
                    line=line.number,
                    source_ref=source_ref,
                )
            )
        chosen[source_ref] = tuple(sorted(kept))
    return chosen


def job_of(record: LabeledImage, manifest: ObjectUri) -> str:
    """The job of a line; lines that name none belong to a job called after the file."""
    return record.job_name or str(manifest)


def moment_of(creation_date: str) -> datetime:
    """When a line was labeled; naive dates are UTC, unreadable ones count as oldest."""
    try:
        moment = datetime.fromisoformat(creation_date)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _raw_lines(storage: Storage, manifest: ObjectUri) -> Iterator[bytes]:
    if not manifest.is_local:
        yield from storage.read(manifest).split(b"\n")
        return
    path = Path(manifest.key)
    if path.is_dir():
        raise StorageError(
            f"{manifest} is a folder; name its output.manifest, which in a job's folder is "
            "manifests/output/output.manifest."
        )
    if not path.is_file():
        raise StorageError(f"{manifest} does not exist; name an output.manifest.")
    with path.open("rb") as file:
        yield from file


def _problem(record: LabeledImage, manifest: ObjectUri, kind: str, reason: str) -> ConversionProblem:
    return ConversionProblem(
        kind=kind, reason=reason, file=str(manifest), line=record.line_number, source_ref=record.source_ref
    )


def _learn(known: dict[int, str], names: Mapping[int, str | None], job: str, place: str) -> None:
    for class_id, name in names.items():
        if name is None:
            continue
        first = known.setdefault(class_id, name)
        if first != name and normalise_category(first) != normalise_category(name):
            raise CategoryError(
                f"{place}: class {class_id} of job {job!r} is {name!r} here and {first!r} on an earlier "
                "line; are these manifests of two jobs with the same name?"
            )
