"""Gold images: images whose truth is known, mixed into the jobs of a round to see how workers do."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from roundtruth.categories import normalise_category
from roundtruth.errors import RoundError
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, ProblemKind
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

log = logging.getLogger(__name__)


class TruthBox(msgspec.Struct, frozen=True, kw_only=True):
    """One true box, pixels of the stored image."""

    label: str
    left: float
    top: float
    width: float
    height: float


class GoldImage(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The truth of one image; no boxes means that there is nothing to draw."""

    source_ref: str
    boxes: tuple[TruthBox, ...] = ()


class _Line(msgspec.Struct, rename="kebab"):
    source_ref: str
    boxes: tuple[TruthBox, ...]


_any_line = msgspec.json.Decoder(dict[str, msgspec.Raw])
_own_line = msgspec.json.Decoder(_Line)


def gold_share(project: Project, images: int) -> int:
    """How many gold images go with so many others: the share of ``consensus.gold``, halves rounded up."""
    gold = project.consensus.gold
    return math.floor(gold.share * images + 0.5) if gold else 0


def choose_gold(
    storage: Storage, project: Project, round_key: str, parts: Mapping[int, int], planned: Collection[str]
) -> tuple[dict[int, tuple[str, ...]], bytes]:
    """Choose the gold images of each part of a round, by hash: other rounds take others.

    Parts share gold images only where the truth file holds too few for all.

    :param parts: how many images each part of the round has.
    :param planned: images that the round labels; none of them is gold in it.
    :return: for each part the source_refs, sorted; and the truth of all of them as JSON lines, so that a
        later change of the truth file does not change what the round is measured by.
    :raises RoundError: when the truth file cannot be used.
    :raises StorageError: when there is none.
    """
    settings = project.consensus.gold
    sizes = {part: gold_share(project, images) for part, images in sorted(parts.items())}
    if settings is None or not any(sizes.values()):
        return dict.fromkeys(parts, ()), b""
    truth = read_truth(storage, ObjectUri.parse(settings.truth), project)
    taken = set(planned)
    order = sorted(
        (ref for ref in truth if ref not in taken),
        key=lambda ref: _hash(f"{project.project}/{round_key}", ref),
    )
    order = _that_exist(storage, order, sum(sizes.values()))
    chosen: dict[int, tuple[str, ...]] = {}
    start = 0
    for part, size in sizes.items():
        taken_here = [order[(start + place) % len(order)] for place in range(min(size, len(order)))]
        chosen[part] = tuple(sorted(taken_here))
        start += size
    used = sorted({ref for refs in chosen.values() for ref in refs})
    return chosen, encode_truth([truth[ref] for ref in used])


def mixed(images: Sequence[str], gold: Sequence[str], *, job: str) -> list[str]:
    """The images of a job with its gold images among them, at places that a hash gives."""
    places: dict[int, list[str]] = {}
    for ref in sorted(gold, key=lambda ref: _hash(f"{job}/order", ref)):
        place = int(_hash(f"{job}/place", ref)[:12], 16) % (len(images) + 1)
        places.setdefault(place, []).append(ref)
    result: list[str] = []
    for place in range(len(images) + 1):
        result += places.get(place, [])
        result += images[place : place + 1]
    return result


def read_truth(storage: Storage, uri: ObjectUri, project: Project) -> dict[str, GoldImage]:
    """Read a truth file: own JSON lines, or lines of a trusted job's output manifest, or both.

    Labels are brought to the project's categories. Lines that a job failed on or nobody answered are passed
    over and counted in the log.

    :raises RoundError: naming the line, when one is broken, is there twice, or has an unknown category.
    """
    truth: dict[str, GoldImage] = {}
    skipped = 0
    for number, image in _lines(storage.read(uri), str(uri)):
        if image is None:
            skipped += 1
        elif image.source_ref in truth:
            raise _broken(uri, number, f"{image.source_ref} is there before; keep one line an image")
        else:
            truth[image.source_ref] = _in_project_categories(image, project, f"{uri}:{number}")
    if skipped:
        log.warning("%s: %d lines without a label are no gold images", uri, skipped)
    if not truth:
        raise RoundError(f"{uri} holds no image with its truth; fill it, or remove consensus.gold.")
    return truth


def encode_truth(images: Sequence[GoldImage]) -> bytes:
    """JSON lines, one an image."""
    return b"".join(msgspec.json.encode(image) + b"\n" for image in images)


def decode_truth(data: bytes) -> tuple[GoldImage, ...]:
    """Read what ``encode_truth`` wrote."""
    return tuple(decode_json(line, GoldImage) for line in data.splitlines())


def _lines(data: bytes, file: str) -> Iterator[tuple[int, GoldImage | None]]:
    """The images of a truth file by line number; None for a line of a job that brought no label."""
    others: list[bytes] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        own = _own(line, number, file)
        others.append(b"" if own else line)  # a blank line keeps the numbers of those behind it
        if own:
            yield number, own
    for record in read_output_manifest(others, file=file):
        if isinstance(record, LabeledImage):
            boxes = tuple(
                TruthBox(
                    label=record.class_map.get(box.class_id, str(box.class_id)),
                    left=box.left,
                    top=box.top,
                    width=box.width,
                    height=box.height,
                )
                for box in record.boxes
            )
            yield record.line_number, GoldImage(source_ref=record.source_ref, boxes=boxes)
        elif record.kind in {ProblemKind.FAILED, ProblemKind.UNLABELED}:
            yield record.line_number, None
        else:
            raise _broken(file, record.line_number, record.reason)


def _own(line: bytes, number: int, file: str) -> GoldImage | None:
    """A line in our own form: it has `boxes` that are a list, and no metadata of a label attribute."""
    try:
        values = _any_line.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # the reader of manifests says what is wrong with it
    if "boxes" not in values or "boxes-metadata" in values:
        return None
    try:
        read = _own_line.decode(line)
    except msgspec.DecodeError as error:
        raise _broken(file, number, str(error)) from error
    if any(box.width <= 0 or box.height <= 0 for box in read.boxes):
        raise _broken(file, number, "a box has no area")
    return GoldImage(source_ref=read.source_ref, boxes=read.boxes)


def _in_project_categories(image: GoldImage, project: Project, where: str) -> GoldImage:
    boxes = []
    for box in image.boxes:
        name = normalise_category(box.label)
        name = project.aliases.get(name, name)
        if name not in project.categories:
            raise RoundError(
                f"{where}: the category {box.label!r} is none of project {project.project!r}; "
                "add it to categories or aliases, or take the line out of the truth file."
            )
        boxes.append(msgspec.structs.replace(box, label=name))
    return GoldImage(source_ref=image.source_ref, boxes=tuple(boxes))


def _that_exist(storage: Storage, order: list[str], wanted: int) -> list[str]:
    """The first images of an order that are in S3; as many as wanted, fewer where there are not so many."""
    found: list[str] = []
    missing = 0
    for start in range(0, len(order), max(wanted, 1)):
        if len(found) >= wanted:
            break
        batch = order[start : start + wanted]
        heads = storage.run_many(storage.head, [ObjectUri.parse(ref) for ref in batch])
        there = [ref for ref, head in zip(batch, heads, strict=True) if head is not None]
        missing += len(batch) - len(there)
        found += there
    if missing:
        log.warning("%d gold images of the truth file are no longer in S3, others take their place", missing)
    if len(found) < wanted:
        log.warning("%d gold images are wanted, the truth file has %d to give", wanted, len(found))
    return found[:wanted]


def _hash(salt: str, ref: str) -> str:
    return hashlib.sha256(f"{salt}\0{ref}".encode()).hexdigest()


def _broken(file: ObjectUri | str, number: int, reason: str) -> RoundError:
    return RoundError(f"{file}:{number} is no truth of an image: {reason}.")
