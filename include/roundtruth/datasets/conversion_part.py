"""Writes the files of one part of a conversion: label files, images, rows of images.csv."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.box_columns import BoxColumns, CleanColumns, clean_columns
from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.datasets.class_lists import ClassList
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.datasets.formats import yolo
from roundtruth.datasets.formats.yolo_columns import encode_rows
from roundtruth.datasets.local_images import LocalImages, local_header
from roundtruth.datasets.manifest_labels import ConversionProblem, job_of
from roundtruth.datasets.manifest_parts import Part, read_columns, read_line
from roundtruth.datasets.tree import TreeImage, TreeMaker, image_path
from roundtruth.errors import ImageError
from roundtruth.ground_truth.label_columns import LabelColumns

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class OtherLine(NamedTuple):
    """A line of another job that counts for an image too: where its boxes are kept."""

    part: Part
    place: int
    job: str


@dataclass(frozen=True, kw_only=True)
class PartToWrite:
    """The images of a part and what other parts say of them."""

    part: Part
    kept: NDArray[np.bool_]  # usable line -> whether its image is written with this part
    splits: NDArray[np.int64]  # usable line -> place of its image's split
    several: dict[int, tuple[tuple[OtherLine, ...], int]]
    """Line -> all lines that count for its image, this one last, and which of them is the newest."""


@dataclass(kw_only=True)
class WrittenPart:
    """What was written; counts add up over the parts."""

    images: int = 0
    negatives: int = 0
    rows: str = ""  # of images.csv
    boxes_by_class: Counter[int] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    problems: list[ConversionProblem] = field(default_factory=list)

    def add(self, other: WrittenPart) -> None:
        """Count another part too; its rows are not kept."""
        self.images += other.images
        self.negatives += other.negatives
        self.boxes_by_class.update(other.boxes_by_class)
        self.splits.update(other.splits)
        self.repairs.update(other.repairs)
        self.problems += other.problems


class PartWriter:
    """Writes parts into a folder; the same parts give the same bytes, whichever process writes them."""

    def __init__(
        self,
        out: Path,
        classes: ClassList,
        splits: tuple[str, ...],
        formats: tuple[str, ...],
        images: LocalImages | None,
        *,
        link: bool,
    ) -> None:
        self._out = out
        self._classes = classes
        self._splits = splits
        self._yolo = "yolo" in formats
        others = [one for one in formats if one != "yolo"]
        self.others = TreeMaker(classes.names, others) if others else None
        self._images = images
        self._link = link
        self._folders: dict[str, int] = {}

    def write(self, task: PartToWrite) -> WrittenPart:
        """Write the files of a part's images."""
        columns = read_columns(task.part)
        boxes = self._boxes(task, columns)
        clean = clean_columns(boxes)
        written = _counted(clean)
        refs = [columns.source_refs[place] for place in np.flatnonzero(task.kept).tolist()]
        splits = [self._splits[split] for split in task.splits[task.kept].tolist()]
        sizes = list(zip(boxes.widths.tolist(), boxes.heights.tolist(), strict=True))
        names = [dataset_file_name(source_ref) for source_ref in refs]
        written.splits.update(splits)
        orientations = [1] * len(refs)
        if self._images is not None:
            images = zip(refs, splits, names, sizes, strict=True)
            orientations = [self._place_image(*image, self._images, written) for image in images]
        if self._yolo:
            files = zip(splits, names, _label_files(clean, sizes, orientations), strict=True)
            for split, name, text in files:
                self._write(f"labels/{split}", f"{name.rpartition('.')[0]}.txt", text)
        if self.others is not None:
            rows = zip(refs, names, splits, sizes, orientations, strict=True)
            for number, row in enumerate(rows):
                self._write_others(self.others, row, clean.boxes_of(number))
        written.rows = _rows(refs, names, splits, sizes, orientations, clean.counts.tolist())
        return written

    def close(self) -> None:
        """Let go of the folders."""
        for folder in self._folders.values():
            os.close(folder)
        self._folders.clear()

    def _boxes(self, task: PartToWrite, columns: LabelColumns) -> BoxColumns:
        """The boxes of the images that are written, with the dataset's class ids."""
        class_ids = self._translated(task.part, columns)
        edges = columns.edges
        widths, heights, counts = columns.widths.copy(), columns.heights.copy(), columns.counts.copy()
        starts = np.cumsum(counts) - counts
        for place, (lines, newest) in task.several.items():
            read = [read_line(line.part, line.place) for line in lines]
            widths[place], heights[place] = read[newest].width, read[newest].height
            starts[place], counts[place] = len(class_ids), sum(len(one.class_ids) for one in read)
            ids = [self._new_ids(one.class_ids, line.job) for line, one in zip(lines, read, strict=True)]
            class_ids = np.concatenate([class_ids, *ids])
            edges = np.concatenate([edges, *(one.edges for one in read)])
        starts, counts = starts[task.kept], counts[task.kept]
        # The places of the boxes of each image: its start, and so many more.
        places = np.arange(counts.sum()) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
        return BoxColumns(
            counts=counts,
            widths=widths[task.kept],
            heights=heights[task.kept],
            class_ids=class_ids[places],
            edges=edges[places],
        )

    def _translated(self, part: Part, columns: LabelColumns) -> NDArray[np.int64]:
        jobs = set(columns.jobs)
        if len(jobs) == 1:
            return self._new_ids(columns.class_ids, job_of(jobs.pop(), part.name))
        class_ids = columns.class_ids.copy()
        names = np.repeat(np.array(columns.jobs, dtype=object), columns.counts)
        for job in sorted(jobs):
            own = names == job
            class_ids[own] = self._new_ids(class_ids[own], job_of(job, part.name))
        return class_ids

    def _new_ids(self, class_ids: NDArray[np.int64], job: str) -> NDArray[np.int64]:
        found, inverse = np.unique(class_ids, return_inverse=True)
        new = np.array([self._classes.class_id(job, one) for one in found.tolist()], dtype=np.int64)
        return new[inverse]

    def _place_image(
        self,
        source_ref: str,
        split: str,
        name: str,
        size: tuple[int, int],
        images: LocalImages,
        written: WrittenPart,
    ) -> int:
        """Copy or link the image, if it is on this machine and can be used; its EXIF orientation."""
        found = images.find(source_ref)
        if isinstance(found, str):
            return _unusable(written, "image-missing", source_ref, found)
        try:
            header = local_header(found)
        except ImageError as error:
            return _unusable(written, "image-unreadable", source_ref, str(error))
        if (header.width, header.height) != size:
            sizes = f"is {header.width}×{header.height} pixels and was labeled at {size[0]}×{size[1]}"
            return _unusable(written, "image-size", source_ref, f"{found} {sizes}")
        self._open(f"images/{split}")
        target = self._out / image_path(split, name)
        if self._link:
            try:
                os.link(found.resolve(), target)
            except OSError:  # another disk refuses it
                shutil.copyfile(found, target)
        else:
            # Ultralytics rewrites a JPEG without an end marker where it lies: the people's own must stay.
            shutil.copyfile(found, target)
        return header.orientation

    def _write_others(
        self, maker: TreeMaker, row: tuple[str, str, str, tuple[int, int], int], boxes: list[PixelBox]
    ) -> None:
        source_ref, file, split, (width, height), orientation = row
        image = TreeImage(
            source_ref=source_ref,
            file=file,
            split=split,
            width=width,
            height=height,
            orientation=orientation,
        )
        for made in maker.image_files(image, boxes):
            folder, _, name = made.path.rpartition("/")
            self._write(folder, name, made.data)

    def _write(self, folder: str, name: str, data: bytes) -> None:
        # Relative to its open folder a file costs half of what a path through all folders does.
        place = self._folders.get(folder) or self._open(folder)
        file = os.open(name, _NEW, 0o666, dir_fd=place)
        try:
            done = os.write(file, data)
            while done < len(data):
                done += os.write(file, data[done:])
        finally:
            os.close(file)

    def _open(self, folder: str) -> int:
        if folder not in self._folders:
            place = self._out / folder
            place.mkdir(parents=True, exist_ok=True)
            self._folders[folder] = os.open(place, os.O_RDONLY)
        return self._folders[folder]


def _label_files(
    clean: CleanColumns, sizes: list[tuple[int, int]], orientations: list[int]
) -> Iterator[bytes]:
    """The YOLO label file of each image."""
    text, begins = encode_rows(clean.class_ids, clean.shares)
    start = 0
    ends = begins[np.cumsum(clean.counts)].tolist()
    for number, (end, size, orientation) in enumerate(zip(ends, sizes, orientations, strict=True)):
        if orientation == 1:
            yield text[start:end]
        else:
            upright = [upright_box(box, *size, orientation) for box in clean.boxes_of(number)]
            yield yolo.encode_labels(upright, *upright_size(*size, orientation))
        start = end


def _rows(
    refs: list[str],
    names: list[str],
    splits: list[str],
    sizes: list[tuple[int, int]],
    orientations: list[int],
    counts: list[int],
) -> str:
    """The images' rows of images.csv."""
    rows = io.StringIO(newline="")
    places = (image_path(split, name) for split, name in zip(splits, names, strict=True))
    status = ("labeled" if count else "negative" for count in counts)
    widths, heights = (size[0] for size in sizes), (size[1] for size in sizes)
    csv.writer(rows, lineterminator="\n").writerows(
        zip(refs, places, splits, widths, heights, orientations, counts, status, strict=True)
    )
    return rows.getvalue()


def _counted(clean: CleanColumns) -> WrittenPart:
    found, times = np.unique(clean.class_ids, return_counts=True)
    return WrittenPart(
        images=len(clean.counts),
        negatives=int((clean.counts == 0).sum()),
        boxes_by_class=Counter(dict(zip(found.tolist(), times.tolist(), strict=True))),
        repairs=Counter(clipped=clean.clipped, outside=clean.outside, duplicates=clean.duplicates),
    )


def _unusable(written: WrittenPart, kind: str, source_ref: str, reason: str) -> int:
    written.problems.append(ConversionProblem(kind=kind, reason=reason, source_ref=source_ref))
    return 1
