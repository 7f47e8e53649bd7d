"""Label files are made anew at every pull of a packed version: they stay the same for years, to the byte."""

from __future__ import annotations

import hashlib

from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.tree import TREE_FORMAT, TreeImage, TreeMaker, label_file_count

FORMATS = ("yolo", "voc", "coco", "csv", "manifest")
IMAGES = (
    (TreeImage(source_ref="s3://b/a.jpg", file="a-1.jpg", split="train", width=100, height=80), 2),
    (
        TreeImage(
            source_ref="s3://b/한글 #1.jpg", file="b-2.jpg", split="val", width=33, height=7, orientation=6
        ),
        1,
    ),
    (TreeImage(source_ref="s3://b/none.jpg", file="c-3.jpg", split="train", width=1, height=1), 0),
)
BOXES = (PixelBox(0, 1.5, 2.25, 10.0, 5.0), PixelBox(1, 0.1, 0.2, 0.3, 0.4))
# A version holds the number of its tree format. Where these bytes have to change, TREE_FORMAT takes the next
# number, and this table a row.
DIGESTS = {1: "14bd7a4450456ef160e2b69e5757a2411490deddf1cfed158fbed0801694f015"}


def test_the_bytes_of_a_tree_format_never_change() -> None:
    maker = TreeMaker(("pencil", "pen"), FORMATS)
    files = [file for image, boxes in IMAGES for file in maker.image_files(image, BOXES[:boxes])]
    files += maker.split_files()
    assert len(files) == label_file_count(FORMATS, len(IMAGES), 2)
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda one: one.path):
        digest.update(file.path.encode() + b"\n" + file.data + b"\n")
    assert digest.hexdigest() == DIGESTS[TREE_FORMAT]
