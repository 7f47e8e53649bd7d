"""Convert output manifests of one or several jobs into a dataset on this machine."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roundtruth.datasets.boxes import CleanedBoxes, PixelBox, clean_boxes
from roundtruth.datasets.class_lists import ClassList, class_list
from roundtruth.datasets.conversion_folder import MADE_BY, ConversionReport, prepare, write_csv, write_report
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.datasets.local_images import LocalImages, local_header
from roundtruth.datasets.manifest_labels import (
    ConversionProblem,
    Line,
    choose_lines,
    job_of,
    moment_of,
    read_lines,
    survey,
)
from roundtruth.datasets.splits import assign_splits
from roundtruth.datasets.tree import TreeImage, TreeMaker
from roundtruth.datasets.version_writer import Progress
from roundtruth.errors import DatasetError, ImageError
from roundtruth.ground_truth.label_categories import decode_label_categories
from roundtruth.ground_truth.records import LabeledImage
from roundtruth.storage import ObjectUri, Storage

IMAGES_COLUMNS = ("source_ref", "file", "split", "width", "height", "orientation", "boxes", "status")
PROBLEMS_COLUMNS = ("kind", "file", "line", "source_ref", "reason")


@dataclass(frozen=True, kw_only=True)
class ConversionSettings:
    """What to convert and how; ``splits`` are shares that add up to 1."""

    manifests: tuple[str, ...]  # local paths or s3:// URIs
    formats: tuple[str, ...] = ("yolo",)
    label_categories: tuple[str, ...] = ()
    label_attribute: str | None = None
    images: Path | None = None
    link: bool = False  # hard-link the images; else they are copied
    splits: tuple[tuple[str, float], ...] = (("train", 0.8), ("val", 0.2))


def convert_manifests(
    storage: Storage, settings: ConversionSettings, out: Path, progress: Progress | None = None
) -> ConversionReport:
    """Write a dataset from output manifests; the same manifests give the same bytes.

    The manifests are read twice: first class maps and which lines count, then the boxes, image by image.

    :param out: a new or empty folder, or one that an earlier conversion made: that output is replaced.
    :raises CategoryError: when the jobs' categories conflict, or one is in none of the label category files.
    :raises DatasetError: when no line holds a box label, or ``out`` holds something else.
    :raises StorageError: when a manifest is not there.
    """
    manifests = tuple(ObjectUri.parse(text) for text in settings.manifests)
    files = {
        text: decode_label_categories(storage.read(ObjectUri.parse(text)), file=text)
        for text in settings.label_categories
    }
    found = survey(storage, manifests, settings.label_attribute, list(files.values()))
    classes = class_list(found.class_maps, files)
    chosen = choose_lines(found, classes.merged, manifests)
    if not chosen:
        raise DatasetError(_nothing(found.problems))
    prepare(out)
    conversion = _Conversion(out, settings, classes, chosen, found.problems)
    images = _images(storage, manifests, settings.label_attribute, chosen)
    for done, (source_ref, records) in enumerate(images, start=1):
        conversion.add(source_ref, records)
        if progress is not None:
            progress(done, len(chosen))
    return conversion.finish(found.class_maps)


def _images(
    storage: Storage,
    manifests: Sequence[ObjectUri],
    label_attribute: str | None,
    chosen: dict[str, tuple[Line, ...]],
) -> Iterator[tuple[str, list[tuple[str, LabeledImage]]]]:
    """Each image once, with (job, record) of all its lines that count."""
    waiting: dict[str, list[tuple[str, LabeledImage]]] = {}
    for place, manifest in enumerate(manifests):
        for record in read_lines(storage, manifest, label_attribute):
            if isinstance(record, ConversionProblem):
                continue
            lines = chosen.get(record.source_ref, ())
            if not any((line.manifest, line.number) == (place, record.line_number) for line in lines):
                continue
            records = [*waiting.pop(record.source_ref, []), (job_of(record, manifest), record)]
            if len(records) < len(lines):
                waiting[record.source_ref] = records
            else:
                yield record.source_ref, records


class _Conversion:
    """Writes image after image, and counts."""

    def __init__(
        self,
        out: Path,
        settings: ConversionSettings,
        classes: ClassList,
        chosen: dict[str, tuple[Line, ...]],
        problems: list[ConversionProblem],
    ) -> None:
        self._out = out
        self._settings = settings
        self._classes = classes
        self._chosen = chosen
        self._problems = problems
        self._maker = TreeMaker(classes.names, settings.formats)
        self._splits = assign_splits(chosen, dict(settings.splits), {})
        self._local = LocalImages(settings.images, chosen) if settings.images else None
        self._rows: list[tuple[object, ...]] = []
        self._boxes_by_class: Counter[int] = Counter()
        self._repairs: Counter[str] = Counter(clipped=0, outside=0, duplicates=0)
        self._folders: set[Path] = set()

    def add(self, source_ref: str, records: list[tuple[str, LabeledImage]]) -> None:
        """Write the files of one image."""
        newest = max(records, key=lambda pair: moment_of(pair[1].creation_date))[1]
        width, height = newest.image_width or 0, newest.image_height or 0
        boxes = [
            PixelBox(self._classes.class_id(job, box.class_id), box.left, box.top, box.width, box.height)
            for job, record in records
            for box in record.boxes
        ]
        cleaned = clean_boxes(boxes, width, height)
        self._count(cleaned)
        file = dataset_file_name(source_ref)
        split = self._splits[source_ref]
        place, orientation = self._find_image(source_ref, width, height)
        image = TreeImage(
            source_ref=source_ref, file=file, split=split, width=width, height=height, orientation=orientation
        )
        if place is not None:
            self._place_image(place, image)
        for made in self._maker.image_files(image, cleaned.boxes):
            self._write(made.path, made.data)
        status = "labeled" if cleaned.boxes else "negative"
        self._rows.append(
            (source_ref, image.path, split, width, height, orientation, len(cleaned.boxes), status)
        )

    def finish(self, class_maps: dict[str, dict[int, str]]) -> ConversionReport:
        """Write what covers all images, then the report."""
        for made in [*self._maker.split_files(), *self._maker.data_yaml()]:
            self._write(made.path, made.data)
        write_csv(self._out / "images.csv", IMAGES_COLUMNS, self._rows)
        write_csv(
            self._out / "problems.csv",
            PROBLEMS_COLUMNS,
            ((one.kind, one.file, one.line, one.source_ref, one.reason) for one in self._problems),
        )
        names = self._classes.names
        report = ConversionReport(
            made_by=MADE_BY,
            complete=True,
            images=len(self._rows),
            negatives=sum(1 for row in self._rows if not row[6]),
            boxes=self._boxes_by_class.total(),
            classes=dict(enumerate(names)),
            boxes_by_class={name: self._boxes_by_class[place] for place, name in enumerate(names)},
            unseen_classes=self._classes.unseen,
            normalised_names=dict(self._classes.merged.normalised),
            jobs={job: dict(sorted(class_maps[job].items())) for job in sorted(class_maps)},
            splits=dict(sorted(Counter(self._splits.values()).items())),
            problems=dict(sorted(Counter(one.kind for one in self._problems).items())),
            repairs=dict(self._repairs),
            parameters=_parameters(self._settings),
        )
        write_report(self._out, report)
        return report

    def _count(self, cleaned: CleanedBoxes) -> None:
        self._boxes_by_class.update(box.class_id for box in cleaned.boxes)
        self._repairs.update(clipped=cleaned.clipped, outside=cleaned.outside, duplicates=cleaned.duplicates)

    def _find_image(self, source_ref: str, width: int, height: int) -> tuple[Path | None, int]:
        """The image on this machine, if it can be used, and its EXIF orientation."""
        if self._local is None:
            return None, 1
        found = self._local.find(source_ref)
        if isinstance(found, str):
            return self._unusable("image-missing", source_ref, found)
        try:
            header = local_header(found)
        except ImageError as error:
            return self._unusable("image-unreadable", source_ref, str(error))
        if (header.width, header.height) != (width, height):
            sizes = f"is {header.width}×{header.height} pixels and was labeled at {width}×{height}"
            return self._unusable("image-size", source_ref, f"{found} {sizes}")
        return found, header.orientation

    def _unusable(self, kind: str, source_ref: str, reason: str) -> tuple[None, int]:
        self._problems.append(ConversionProblem(kind=kind, reason=reason, source_ref=source_ref))
        return None, 1

    def _place_image(self, place: Path, image: TreeImage) -> None:
        target = self._out / image.path
        self._make_folder(target.parent)
        if self._settings.link:
            try:
                os.link(place.resolve(), target)
            except OSError:  # another disk refuses it
                shutil.copyfile(place, target)
        else:
            # Ultralytics rewrites a JPEG without an end marker where it lies: the people's own must stay.
            shutil.copyfile(place, target)

    def _write(self, path: str, data: bytes) -> None:
        target = self._out / path
        self._make_folder(target.parent)
        with target.open("wb") as file:
            file.write(data)

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)


def _parameters(settings: ConversionSettings) -> dict[str, Any]:
    return {
        "manifests": list(settings.manifests),
        "formats": list(settings.formats),
        "label_categories": list(settings.label_categories),
        "label_attribute": settings.label_attribute,
        "images": str(settings.images) if settings.images else None,
        "link": settings.link,
        "splits": dict(settings.splits),
    }


def _nothing(problems: list[ConversionProblem]) -> str:
    kinds = Counter(problem.kind for problem in problems)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no lines"
    first = f"; the first: {problems[0].file}:{problems[0].line} {problems[0].reason}" if problems else ""
    return f"The manifests hold no usable box label: {counted}{first}."
