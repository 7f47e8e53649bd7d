"""What output manifests of one or several jobs say together: which lines count for an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from roundtruth.categories import CategoryMerge, normalise_category
from roundtruth.datasets.manifest_parts import DecodedPart, Decoding, Part, decode_part, read_columns
from roundtruth.errors import CategoryError
from roundtruth.ground_truth.label_columns import DIGEST
from roundtruth.ground_truth.manifests import moment_of

Item = TypeVar("Item")
Result = TypeVar("Result")
# Runs an action on each item, here or in other processes; results in the order of the items.
Run = Callable[[Callable[[Item], Result], Iterable[Item]], Iterable[Result]]


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
    """What a first reading finds; ``digests`` has one entry a usable line, part after part."""

    class_maps: dict[str, dict[int, str]] = field(default_factory=dict)  # job -> class id -> name
    problems: list[ConversionProblem] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # how many usable lines there are up to each part's end
    digests: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 2), dtype=np.uint64))

    def start(self, place: int) -> int:
        """How many usable lines stand before a part."""
        return self.ends[place - 1] if place else 0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which of a survey's usable lines count.

    ``written`` tells which lines the images are written with: the last that counts for each. ``several``
    gives all lines, with their places, of the images that more than one counts for. ``digests`` holds one
    entry an image, ``image`` the place of each line's image there.
    """

    written: NDArray[np.bool_]
    several: list[tuple[tuple[int, Line], ...]]
    digests: NDArray[np.uint64]
    image: NDArray[np.int64]


def survey(
    parts: Sequence[Part],
    label_attribute: str | None,
    label_categories: Sequence[Sequence[str]],
    run: Run[Part, DecodedPart],
) -> Survey:
    """Decode all parts and keep what is small: class maps, problems, and 16 bytes a line.

    A class id that the line's class map does not name is taken from the label category file, when there is
    exactly one; otherwise the line is a problem.

    :raises CategoryError: when one job gives an id two names.
    """
    fallback = dict(enumerate(label_categories[0])) if len(label_categories) == 1 else {}
    decoding = Decoding(label_attribute=label_attribute, other_names=fallback)
    decoded = list(run(partial(decode_part, decoding=decoding), parts))
    for place, repeated in _repeated(decoded).items():
        decoded[place] = decode_part(parts[place], decoding, repeated)
    found = Survey(parts=list(parts))
    usable: list[NDArray[np.uint64]] = [found.digests]
    total = 0
    for one in decoded:
        for job, names in one.names.items():
            named = job_of(job, one.part.name)
            _learn(found.class_maps.setdefault(named, {}), names, named, one.part.name)
        found.problems += [
            ConversionProblem(
                kind=str(problem.kind),
                reason=problem.reason,
                file=problem.file,
                line=problem.line_number,
                source_ref=problem.source_ref or "",
            )
            for problem in one.problems
        ]
        usable.append(_digests(one)[np.frombuffer(one.usable, dtype=np.bool_)])
        total += len(usable[-1])
        found.ends.append(total)
    found.digests = np.concatenate(usable)
    return found


def choose_lines(found: Survey, merged: CategoryMerge, manifests: Sequence[str]) -> Choice:
    """The lines that count for each image; the others are added to the survey's problems.

    Of one job the newest line counts. Of several jobs all count when they have no category in common (each
    asked for other things); otherwise the newest job's does.
    """
    written = np.ones(len(found.digests), dtype=np.bool_)
    several: list[tuple[tuple[int, Line], ...]] = []
    categories = {job: frozenset(ids.values()) for job, ids in merged.ids.items()}
    digests, image = _images(found.digests)
    for source_ref, places in _rivals(found, np.bincount(image)[image] > 1).items():
        kept: list[tuple[int, Line]] = []
        # Newest first; of equals the one that was given later.
        for place, line in sorted(
            places, key=lambda pair: (pair[1].created, pair[1].manifest, pair[1].number), reverse=True
        ):
            rival = next(
                (one for _, one in kept if one.job == line.job or categories[one.job] & categories[line.job]),
                None,
            )
            if rival is None:
                kept.append((place, line))
                continue
            written[place] = False
            kind = "duplicate" if rival.job == line.job else "superseded"
            reason = f"{manifests[rival.manifest]}:{rival.number} of job {rival.job} is newer and counts"
            found.problems.append(
                ConversionProblem(
                    kind=kind,
                    reason=reason,
                    file=manifests[line.manifest],
                    line=line.number,
                    source_ref=source_ref,
                )
            )
        if len(kept) > 1:
            several.append(tuple(sorted(kept)))
            written[[place for place, _ in several[-1][:-1]]] = False
    return Choice(written=written, several=several, digests=digests, image=image)


def source_refs(found: Survey, choice: Choice) -> Iterator[str]:
    """All images, each once."""
    for place, part in enumerate(found.parts):
        refs = read_columns(part).source_refs
        for row in np.flatnonzero(choice.written[found.start(place) : found.ends[place]]).tolist():
            yield refs[row]


def _digests(one: DecodedPart) -> NDArray[np.uint64]:
    """Line × two halves, which sort as the digests do."""
    return np.frombuffer(one.digests, dtype=">u8").astype(np.uint64).reshape(-1, DIGEST // 8)


def _repeated(decoded: Sequence[DecodedPart]) -> dict[int, dict[int, int]]:
    """Part -> line -> the first line of that manifest with the same source-ref."""
    by_manifest: dict[int, list[int]] = {}
    for place, one in enumerate(decoded):
        by_manifest.setdefault(one.part.manifest, []).append(place)
    found: dict[int, dict[int, int]] = {}
    for places in by_manifest.values():
        digests = np.concatenate([_digests(decoded[place]) for place in places])
        numbers = np.concatenate([np.frombuffer(decoded[place].numbers, dtype=np.int64) for place in places])
        owners = np.repeat(places, [len(decoded[place].numbers) // 8 for place in places])
        order, same = _in_order(digests)
        for position in np.flatnonzero(same):
            first = position
            while same[first]:
                first -= 1
            line, owner = int(numbers[order[position]]), int(owners[order[position]])
            found.setdefault(owner, {})[line] = int(numbers[order[first]])
    return found


def _in_order(digests: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The order that sorts digests, equal ones as they stand, and which of them equals the one before it."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    return order, same


def _images(digests: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The digests of all images, sorted, and the place of each line's image among them."""
    order, same = _in_order(digests)
    image = np.empty(len(order), dtype=np.int64)
    image[order] = np.cumsum(~same) - 1
    return digests[order[~same]], image


def _rivals(found: Survey, wanted: NDArray[np.bool_]) -> dict[str, list[tuple[int, Line]]]:
    """source_ref -> its lines with their places, of images that stand in more than one manifest."""
    rivals: dict[str, list[tuple[int, Line]]] = {}
    start = 0
    for part, end in zip(found.parts, found.ends, strict=True):
        places = np.flatnonzero(wanted[start:end])
        if len(places):
            columns = read_columns(part)
            for place in places.tolist():
                line = Line(
                    part.manifest,
                    int(columns.numbers[place]),
                    job_of(columns.jobs[place], part.name),
                    moment_of(columns.created[place]),
                )
                rivals.setdefault(columns.source_refs[place], []).append((start + place, line))
        start = end
    return rivals


def job_of(job: str, manifest: str) -> str:
    """The job of a line; lines that name none belong to a job called after the file."""
    return job or manifest


def _learn(known: dict[int, str], names: Mapping[tuple[int, str], int], job: str, manifest: str) -> None:
    for (class_id, name), number in names.items():
        first = known.setdefault(class_id, name)
        if first != name and normalise_category(first) != normalise_category(name):
            raise CategoryError(
                f"{manifest}:{number}: class {class_id} of job {job!r} is {name!r} here and {first!r} on an "
                "earlier line; are these manifests of two jobs with the same name?"
            )


def problem_counts(problems: Iterable[ConversionProblem]) -> dict[str, int]:
    """Kind -> how many, sorted."""
    return dict(sorted(Counter(one.kind for one in problems).items()))
