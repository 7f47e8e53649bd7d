"""Tables that are written and read piece by piece."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roundtruth.annotations import to_parquet
from roundtruth.stages import large_tables
from roundtruth.stages.large_tables import copied_pieces, written_table
from roundtruth.storage import ObjectUri
from tests.memory_store import memory_storage

SCHEMA = pa.schema([("source_ref", pa.string()), ("score", pa.float64())])
URI = ObjectUri("bucket", "table.parquet")


def rows_of(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"source_ref": pd.Series(names, dtype="str"), "score": range(len(names))}).astype(
        {"score": float}
    )


@pytest.mark.parametrize(
    ("groups", "pieces"),
    [
        pytest.param([], [""], id="an empty table"),
        pytest.param(["aab"], ["aa", "b"], id="one group"),
        pytest.param(["aab", "bbc", "cd"], ["aa", "bbb", "cc", "d"], id="groups end within an image"),
        pytest.param(["aab", "bb", "bb"], ["aa", "bbbbb"], id="an image of three groups"),
        pytest.param(["aa", "bb"], ["aa", "bb"], id="groups end with an image"),
    ],
)
def test_an_image_is_never_cut(groups, pieces):
    storage = memory_storage()
    with written_table(storage, URI, SCHEMA) as write:
        for group in groups:
            write(rows_of(*group))
    with copied_pieces(storage, URI, SCHEMA) as read:
        found = list(read())
    assert ["".join(piece["source_ref"]) for piece in found] == pieces
    assert [piece["source_ref"].dtype for piece in found] == ["str"] * len(pieces)


def test_a_table_that_is_written_anew_meanwhile_is_read_again_as_it_was():
    storage = memory_storage()
    storage.write(URI, to_parquet(rows_of("a", "b"), SCHEMA))
    with copied_pieces(storage, URI, SCHEMA) as read:
        before = pd.concat(read())
        storage.write(URI, to_parquet(rows_of("c"), SCHEMA))
        pd.testing.assert_frame_equal(pd.concat(read()), before)
    assert before["source_ref"].tolist() == ["a", "b"]


@pytest.mark.parametrize("sizes", [[], [0], [3], [4, 4, 4], [1, 9, 0, 5], [23], [10, 10]])
def test_pieces_as_one_give_the_bytes_of_one(sizes, monkeypatch):
    monkeypatch.setattr(large_tables, "ROW_GROUP", 10)
    storage = memory_storage()
    every = rows_of(*(f"s3://bucket/{number}.jpg" for number in range(sum(sizes))))
    with written_table(storage, URI, SCHEMA, as_one=True) as write:
        start = 0
        for size in sizes:
            write(every.iloc[start : start + size])
            start += size
    at_once = io.BytesIO()
    rows = pa.Table.from_pandas(every, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(rows, at_once, compression="zstd", row_group_size=10)
    assert storage.read(URI) == at_once.getvalue()


def test_a_row_group_is_as_large_as_pyarrow_makes_one():
    many = rows_of("a").loc[[0] * (large_tables.ROW_GROUP + 1)]
    with pq.ParquetFile(io.BytesIO(to_parquet(many, SCHEMA))) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sizes == [large_tables.ROW_GROUP, 1]
