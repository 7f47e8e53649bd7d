"""The tables everything speaks: images, answers (one worker's one box) and labels (one final box).

All boxes are in pixels of the stored image (before EXIF rotation), possibly fractional, origin top left.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from roundtruth import arrow_columns
from roundtruth.arrow_memory import arrow_file
from roundtruth.errors import RoundtruthError

if TYPE_CHECKING:
    import pandas as pd

IMAGES = pa.schema(
    [
        ("source_ref", pa.string()),  # s3://bucket/key, the image's identity together with etag
        ("etag", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),  # stored pixels; null where the image could not be read
        ("height", pa.int32()),
        ("orientation", pa.int8()),  # EXIF orientation 1–8; 1 where the image has none
        ("status", pa.string()),  # one of STATUSES
        ("reason", pa.string()),  # why it is not labeled; empty where it is
        ("answers", pa.int16()),  # how many workers answered, over all jobs of the round
        ("agreement", pa.float64()),  # 0–1, mean over the image's matched objects; null with one answer
    ]
)

LABELED = "labeled"  # at least one box
NEGATIVE = "negative"  # people looked and drew nothing: belongs in the dataset
FAILED = "failed"  # Ground Truth says the object failed
UNLABELED = "unlabeled"  # nobody answered, or a job skipped it
DISPUTED = "disputed"  # people disagree, also after the relabel passes
QUARANTINED = "quarantined"  # a quality check failed on it
UNREADABLE = "unreadable"  # not an image, or empty
STATUSES = (LABELED, NEGATIVE, FAILED, UNLABELED, DISPUTED, QUARANTINED, UNREADABLE)
PUBLISHABLE = (LABELED, NEGATIVE)

ANSWERS = pa.schema(
    [
        ("source_ref", pa.string()),
        ("job", pa.string()),
        ("worker", pa.string()),
        ("box", pa.int32()),  # 0-based place in the worker's answer; -1 is the one row of an empty answer
        ("category", pa.string()),  # as the worker's page named it; null for an empty answer
        ("left", pa.float64()),
        ("top", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("image_width", pa.int32()),  # as the worker's browser saw it; null where the answer does not say
        ("image_height", pa.int32()),
        ("seconds", pa.float64()),  # time spent on the task; null in files of 2019
        ("submitted", pa.string()),  # ISO 8601, as Ground Truth wrote it
    ]
)

LABELS = pa.schema(
    [
        ("source_ref", pa.string()),
        ("category", pa.string()),
        ("left", pa.float64()),
        ("top", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("score", pa.float64()),  # 0–1: how sure the consensus is that this object is real
        ("votes", pa.int16()),  # workers whose box is part of it
        ("answers", pa.int16()),  # workers who were asked and answered
        ("job", pa.string()),  # the job whose categories it belongs to
    ]
)

# Ground Truth's own box of the same job that overlaps ours most, one to one; null where it has none. Tables
# that an earlier roundtruth wrote lack these columns and read as nulls.
GROUND_TRUTH_COLUMNS = pa.schema(
    [
        ("ground_truth_category", pa.string()),
        ("ground_truth_left", pa.float64()),
        ("ground_truth_top", pa.float64()),
        ("ground_truth_width", pa.float64()),
        ("ground_truth_height", pa.float64()),
        ("ground_truth_iou", pa.float64()),  # 0–1, of the two boxes
    ]
)

# labels.parquet of a round: LABELS, and Ground Truth's own box beside each.
ROUND_LABELS = pa.schema([*LABELS, *GROUND_TRUTH_COLUMNS])

# What the consensus says of each answered image.
AGREEMENT = pa.schema(
    [
        ("source_ref", pa.string()),
        ("answers", pa.int16()),  # distinct workers
        ("agreement", pa.float64()),  # 0–1; null with one answer
        ("disputed", pa.bool_()),
        ("reason", pa.string()),  # such as `2 missing, 1 extra`; empty where not disputed
    ]
)

_CSV_ROWS = 50_000  # at once: Python's own objects of so many are some 50 MB
ANNOT_CSV_COLUMNS = (
    "img_file",
    "category",
    "box_left",
    "box_top",
    "box_height",
    "box_width",
    "img_width",
    "img_height",
)


def table(rows: list[dict[str, object]], schema: pa.Schema) -> pd.DataFrame:
    """Make a table of a schema from rows; missing keys become nulls."""
    frame: pd.DataFrame = pa.Table.from_pylist(rows, schema=schema).to_pandas()
    return frame


def to_parquet(frame: pd.DataFrame, schema: pa.Schema) -> bytes:
    """Encode a table; the same rows in the same order give the same bytes.

    :raises RoundtruthError: when a column is missing or of another type.
    """
    sink = io.BytesIO()
    pq.write_table(as_arrow(frame, schema), sink, compression="zstd")
    return sink.getvalue()


def as_arrow(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The table as it is encoded.

    :raises RoundtruthError: when a column is missing or of another type.
    """
    missing = [name for name in schema.names if name not in frame.columns]
    if missing:
        raise RoundtruthError(f"The table lacks the columns {', '.join(missing)}.")
    try:
        rows = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RoundtruthError(f"The table does not fit its schema: {error}.") from error
    return rows.replace_schema_metadata(None)


def from_parquet(
    data: bytes, schema: pa.Schema, *, name: str, categories: Sequence[str] = ()
) -> pd.DataFrame:
    """Decode a table; ``name`` says in errors which one it is.

    GROUND_TRUTH_COLUMNS that the file lacks are null.

    :param categories: columns of texts that repeat, to be held as categories: a tenth of the memory.
    :raises RoundtruthError: when the bytes are no Parquet file or lack a column of the schema.
    """
    content = arrow_table(data, schema, name=name, categories=categories)
    # A column is let go as soon as it is copied: else all of them are in memory twice.
    frame: pd.DataFrame = content.to_pandas(self_destruct=True)
    return frame


def arrow_table(data: bytes, schema: pa.Schema, *, name: str, categories: Sequence[str] = ()) -> pa.Table:
    """The same as an Arrow table, for processes that do not import pandas; other columns are not decoded."""
    for place in map(schema.get_field_index, categories):
        coded = pa.dictionary(pa.int32(), schema.field(place).type)
        schema = schema.set(place, schema.field(place).with_type(coded))
    try:
        file = pq.ParquetFile(arrow_file(data), read_dictionary=list(categories))
        content = file.read(columns=schema.names)
    except pa.ArrowInvalid as error:
        raise RoundtruthError(f"{name} is not a Parquet file: {error}.") from error
    return arrow_rows(content, schema, name=name)


def arrow_rows(content: pa.Table, schema: pa.Schema, *, name: str) -> pa.Table:
    """Rows of a file in its schema; see ``from_parquet``."""
    for field in GROUND_TRUTH_COLUMNS:
        if field.name in schema.names and field.name not in content.column_names:
            content = content.append_column(field, pa.nulls(len(content), field.type))
    missing = [column for column in schema.names if column not in content.column_names]
    if missing:
        raise RoundtruthError(f"{name} lacks the columns {', '.join(missing)}.")
    return content.select(schema.names).cast(schema)


def annot_csv(labels: pd.DataFrame, images: pd.DataFrame) -> bytes:
    """The labels in the columns that pandas users of Ground Truth know, one row a box.

    ``img_file`` is the image's whole S3 URI, since two folders may hold the same file name. Images without
    boxes have no row here; they are in the images table. GROUND_TRUTH_COLUMNS, where given, stand last.
    """
    return b"".join(annot_csv_pieces([labels], images))


def annot_csv_pieces(pieces: Iterable[pd.DataFrame], images: pd.DataFrame) -> Iterator[bytes]:
    """What ``annot_csv`` gives of labels that come in pieces, at least one: of 7 million boxes two gigabytes.

    The bytes are those of pandas' ``to_csv(index=False)``, which takes three times as long.
    """
    names = pa.array(images["source_ref"], type=pa.string(), from_pandas=True)
    sizes = images[["width", "height"]].reset_index(drop=True)
    for number, labels in enumerate(pieces):
        beside = [name for name in GROUND_TRUTH_COLUMNS.names if name in labels]
        if not number:
            yield _csv([[*ANNOT_CSV_COLUMNS, *beside]])
        refs = pa.array(labels["source_ref"], type=pa.string(), from_pandas=True)
        of_image = sizes.reindex(arrow_columns.places_in(refs, names))
        boxes = (labels[name] for name in ("source_ref", "category", "left", "top", "height", "width"))
        columns = [*boxes, of_image["width"], of_image["height"], *(labels[name] for name in beside)]
        for start in range(0, len(labels), _CSV_ROWS):
            rows = (column.iloc[start : start + _CSV_ROWS] for column in columns)
            yield _csv(zip(*map(_csv_values, rows), strict=True))


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _csv_values(column: pd.Series) -> list[object]:
    """As Python's own objects; None, which is written as nothing, where one is missing."""
    if column.dtype.kind == "f":
        return [None if value != value else value for value in column.tolist()]  # NaN
    if column.dtype.kind in "iu":
        numbers: list[object] = column.tolist()
        return numbers
    codes, texts = column.factorize()
    known = [*texts.tolist(), None]  # the last one is that of code -1, a missing text
    return [known[code] for code in codes.tolist()]
