"""The files of a dataset's tree, made from images and their boxes: the same bytes whoever makes them.

Publishing, pulling a packed version and converting manifests all come here. Labels for trainers (YOLO, VOC,
COCO) are in pixels of the upright image: Ultralytics takes sizes after EXIF orientation, and OpenCV, which it
and most other trainers read images with, turns them too. annot.csv and the augmented manifest keep the stored
image's pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.datasets.formats import csv, manifest, voc, yolo
from roundtruth.datasets.formats.coco import CocoDocument

SPLITS = ("train", "val", "test")
# Packed versions hold no label files: whoever pulls one makes them. Other bytes from the same tables need
# another number here, so that a pull of years later says what it cannot make (test_tree.py holds the bytes).
TREE_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TreeImage:
    """An image of the tree: its identity, its file name there, its split, its stored size in pixels."""

    source_ref: str
    file: str
    split: str
    width: int
    height: int
    orientation: int = 1  # EXIF, 1–8
    unknown: tuple[int, ...] = ()  # classes that nobody was asked for on it: unknown, not absent

    @property
    def path(self) -> str:
        """Where the image lies in the tree."""
        return image_path(self.split, self.file)

    @property
    def stem(self) -> str:
        """The file name without its suffix; label files are named after it."""
        return self.file.rpartition(".")[0]


@dataclass(frozen=True, kw_only=True)
class TreeFile:
    """A file of the tree that is made from the labels; one that covers several images names none."""

    path: str
    data: bytes
    split: str = ""
    source_ref: str = ""


def image_path(split: str, file: str) -> str:
    """Where an image lies in the tree."""
    return f"images/{split}/{file}"


def label_file_count(formats: Sequence[str], images: int, splits: int) -> int:
    """How many files a TreeMaker makes of so many images in so many splits, without data.yaml."""
    of_an_image = len({"yolo", "voc"} & set(formats))
    of_all = splits * ("coco" in formats) + ("csv" in formats) + 2 * ("manifest" in formats)
    return images * of_an_image + of_all


class TreeMaker:
    """Makes the files of a tree; the same images in the same order give the same bytes."""

    def __init__(self, names: Sequence[str], formats: Sequence[str]) -> None:
        self.names = tuple(names)
        self.formats = frozenset(formats)
        self._coco: dict[str, CocoDocument] = {}
        self._csv: list[bytes] = [csv.HEADER]
        self._manifest: list[bytes] = []
        self._splits: set[str] = set()
        self._unknown: Counter[int] = Counter()

    def image_files(self, image: TreeImage, boxes: Sequence[PixelBox]) -> Iterator[TreeFile]:
        """The label files of one image; what belongs into files of a whole split is kept for the end.

        :param boxes: inside the image, in pixels of the stored image.
        """
        self._splits.add(image.split)
        self._unknown.update(image.unknown)
        width, height = upright_size(image.width, image.height, image.orientation)
        upright = [upright_box(box, image.width, image.height, image.orientation) for box in boxes]
        of_image = {"split": image.split, "source_ref": image.source_ref}
        if "yolo" in self.formats:
            data = yolo.encode_labels(upright, width, height)
            yield TreeFile(path=f"labels/{image.split}/{image.stem}.txt", data=data, **of_image)
        if "voc" in self.formats:
            data = voc.encode_image(
                upright, self.names, file_name=image.file, folder=image.split, width=width, height=height
            )
            yield TreeFile(path=f"voc/{image.split}/{image.stem}.xml", data=data, **of_image)
        if "coco" in self.formats:
            self._coco.setdefault(image.split, CocoDocument()).add(
                upright, file_name=image.file, width=width, height=height, source_ref=image.source_ref
            )
        if "csv" in self.formats:
            self._csv.append(
                csv.encode_rows(
                    boxes, self.names, img_file=image.source_ref, width=image.width, height=image.height
                )
            )

        if "manifest" in self.formats:
            self._manifest.append(
                manifest.encode_line(
                    boxes, self.names, source_ref=image.source_ref, width=image.width, height=image.height
                )
            )

    def data_yaml(
        self, splits: Iterable[str] | None = None, unknown: Mapping[int, int] | None = None
    ) -> Iterator[TreeFile]:
        """data.yaml, once all images were given; nothing without YOLO.

        :param splits: those with images, and ``unknown`` class id -> images on which nobody was asked for
            it, of a dataset whose images are not given.
        """
        if "yolo" in self.formats:
            held = self._splits if splits is None else set(splits)
            filled = [split for split in SPLITS if split in held]
            counts = self._unknown if unknown is None else unknown
            data = yolo.encode_data_yaml(self.names, filled, unknown=dict(sorted(counts.items())))
            yield TreeFile(path="data.yaml", data=data)

    def split_files(self) -> Iterator[TreeFile]:
        """The files that hold the boxes of all images, once all of them were given."""
        for split, document in sorted(self._coco.items()):
            yield TreeFile(path=f"annotations/{split}.json", data=document.encode(self.names), split=split)
        if "csv" in self.formats:
            yield TreeFile(path="annot.csv", data=b"".join(self._csv))
        if "manifest" in self.formats:
            yield TreeFile(path="manifest/label-categories.json", data=manifest.encode_categories(self.names))
            yield TreeFile(path="manifest/output.manifest", data=b"".join(self._manifest))
