"""The tables of a dataset version: its images, its boxes, and the index of its files."""

from __future__ import annotations

import pyarrow as pa

DATASET_IMAGES = pa.schema(
    [
        ("source_ref", pa.string()),  # s3://bucket/key; sorted by it
        ("etag", pa.string()),  # of the image that people labeled
        ("bytes", pa.int64()),
        ("width", pa.int32()),  # stored pixels
        ("height", pa.int32()),
        ("orientation", pa.int8()),  # EXIF, 1–8
        ("split", pa.string()),
        ("file", pa.string()),  # file name in the tree
        ("round", pa.string()),  # the round that its labels come from
        ("unknown", pa.list_(pa.int32())),  # classes that no job of that round asked for: unknown, not absent
    ]
)

DATASET_LABELS = pa.schema(
    [
        ("source_ref", pa.string()),
        ("class_id", pa.int32()),
        ("category", pa.string()),
        ("left", pa.float64()),  # pixels of the stored image; inside it
        ("top", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("score", pa.float64()),  # as in annotations.LABELS
        ("votes", pa.int16()),
        ("answers", pa.int16()),
        ("job", pa.string()),
        ("round", pa.string()),
    ]
)

# What else is known of each image; the same whether a version was assembled from its parent or from scratch.
IMAGE_FACTS = pa.schema(
    [
        ("boxes", pa.int32()),  # rows of DATASET_LABELS
        # What was done to its boxes, see boxes.clean_boxes; and boxes of classes no longer listed.
        ("clipped", pa.int32()),
        ("outside", pa.int32()),
        ("duplicates", pa.int32()),
        ("retired", pa.int32()),
        ("digest", pa.string()),  # SHA-256 of the row and its boxes, see content_digests
    ]
)
VERSION_IMAGES = pa.schema([*DATASET_IMAGES, *IMAGE_FACTS])

# Images with publishable labels that are not in the version; sorted by source_ref.
LEFT_OUT_IMAGES = pa.schema(
    [
        ("source_ref", pa.string()),
        ("reason", pa.string()),
        ("etag", pa.string()),  # of the image that people labeled
    ]
)

# A part (parts.py) marks what is in the version no longer; such a row's other columns are empty.
REMOVED = pa.field("removed", pa.bool_())
# The boxes of a part of VERSION_IMAGES, in the order of its rows: so many rows an image as its `boxes` says.
# An image's source_ref and round, and the names of classes, are not repeated on each box.
PART_LABELS = pa.schema(
    [field for field in DATASET_LABELS if field.name not in {"source_ref", "category", "round"}]
)

# Where the bytes of a file of the tree are.
HERE = "version"  # at this path in the version's folder
SOURCE = "source"  # the image itself, at source_ref: packed versions copy no images
TABLES = "tables"  # nowhere: made from the version's tables, the same bytes each time

# One row a file of the tree, sorted by path. version.json, claim.json and the index itself are not in it. The
# index of a packed version holds what lies in its folder only: the rest follows from its tables.
INDEX = pa.schema(
    [
        ("path", pa.string()),
        ("held", pa.string()),  # HERE, SOURCE or TABLES
        ("size", pa.int64()),  # bytes
        # Null for images: they never pass through the worker that publishes. Their ETag is their digest.
        ("sha256", pa.string()),
        ("etag", pa.string()),  # of the object that holds an image's bytes; null for other files
        ("split", pa.string()),
        ("source_ref", pa.string()),  # empty for a file that covers several images
        ("source_etag", pa.string()),  # of the image that people labeled
    ]
)
