"""Tables too large to be held: written piece by piece and then sent, read piece by piece where they lie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roundtruth.annotations import arrow_rows, as_arrow
from roundtruth.errors import StorageError
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    from typing_extensions import Buffer

ROW_GROUP = 1 << 20  # rows: what pyarrow puts into a row group of a table that is written at once


@contextmanager
def written_table(
    storage: Storage, uri: ObjectUri, schema: pa.Schema, *, as_one: bool = False
) -> Iterator[Callable[[pd.DataFrame | pa.Table], None]]:
    """Write a table piece by piece, each in row groups of its own; it is there when all were written.

    One piece gives the bytes of ``annotations.to_parquet``; no piece those of a table without rows.

    :param as_one: all pieces together give the bytes of one: those of a row group wait for one another.
    """
    with TemporaryDirectory(prefix="roundtruth-") as folder:
        path = Path(folder) / "table.parquet"
        waiting = schema.empty_table()
        written = 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:

            def write(piece: pd.DataFrame | pa.Table) -> None:
                nonlocal waiting
                rows = piece if isinstance(piece, pa.Table) else as_arrow(piece, schema)
                waiting = pa.concat_tables([waiting, rows])
                while len(waiting) >= (ROW_GROUP if as_one else 1):
                    put(waiting.slice(0, ROW_GROUP))
                    # A slice without rows would still hold all of the last piece.
                    waiting = waiting.slice(ROW_GROUP) if len(waiting) > ROW_GROUP else schema.empty_table()

            def put(rows: pa.Table) -> None:
                nonlocal written
                writer.write_table(rows.combine_chunks() if as_one else rows)
                written += len(rows)

            yield write
            if len(waiting) or not written:
                put(waiting)
        storage.write_file(uri, path)


def write_pieces(storage: Storage, uri: ObjectUri, pieces: Iterable[bytes]) -> None:
    """Write an object of bytes that come piece by piece."""
    with TemporaryDirectory(prefix="roundtruth-") as folder:
        path = Path(folder) / "content"
        with path.open("wb") as file:
            file.writelines(pieces)
        storage.write_file(uri, path)


def read_span(
    storage: Storage, uri: ObjectUri, schema: pa.Schema, span: tuple[str | None, str | None]
) -> pd.DataFrame:
    """The rows of a table whose source_ref lies in a span, from the first up to, not including, the second.

    Only row groups that may hold some are read, one after the other.
    """
    with pq.ParquetFile(_opened(storage, uri)) as file:
        place = file.schema_arrow.get_field_index("source_ref")
        found = [schema.empty_table()]
        for number in range(file.num_row_groups):
            column = file.metadata.row_group(number).column(place)
            if _may_overlap(column.statistics, span):
                # In this thread: those of Arrow must not hold bytes of Python's, see arrow_memory.
                group = file.read_row_group(number, columns=schema.names, use_threads=False)
                rows = arrow_rows(group, schema, name=str(uri))
                found.append(rows.filter(_inside(rows["source_ref"], span)))
    frame: pd.DataFrame = pa.concat_tables(found).to_pandas()
    return frame


@contextmanager
def copied_pieces(
    storage: Storage, uri: ObjectUri, schema: pa.Schema
) -> Iterator[Callable[[], Iterator[pd.DataFrame]]]:
    """What reads the rows of a table as it is now, from the first one each time; see ``read_pieces``.

    The table lies on this machine meanwhile: another run may write the object anew between two readings.
    """
    with TemporaryDirectory(prefix="roundtruth-") as folder:
        path = Path(folder) / "table.parquet"
        path.write_bytes(storage.read(uri))
        yield partial(read_pieces, path, schema, name=str(uri))


def read_pieces(path: Path, schema: pa.Schema, *, name: str) -> Iterator[pd.DataFrame]:
    """The rows of a table in which those of one source_ref stand together, a row group at a time.

    The rows of one source_ref are in one piece; there is at least one piece, perhaps without rows.
    """
    with pq.ParquetFile(path, pre_buffer=True) as file:
        waiting = schema.empty_table()
        for number in range(file.num_row_groups):
            rows = arrow_rows(file.read_row_group(number, columns=schema.names), schema, name=name)
            whole = pa.concat_tables([waiting, rows])
            last = whole.column("source_ref")[-1] if len(whole) else None
            ends = pc.index(whole.column("source_ref"), last).as_py() if len(whole) else 0
            waiting = whole.slice(ends)
            if ends:
                yield whole.slice(0, ends).to_pandas()
        yield waiting.to_pandas()


def count_rows(storage: Storage, uri: ObjectUri) -> int:
    """How many rows a table has; only its footer is read."""
    with pq.ParquetFile(_opened(storage, uri)) as file:
        return int(file.metadata.num_rows)


def _opened(storage: Storage, uri: ObjectUri) -> io.BufferedReader:
    return io.BufferedReader(_ObjectFile(storage, uri), 1 << 20)


def _may_overlap(statistics: pq.Statistics | None, span: tuple[str | None, str | None]) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    first, last = span
    return (first is None or statistics.max >= first) and (last is None or statistics.min < last)


def _inside(values: pa.ChunkedArray, span: tuple[str | None, str | None]) -> pa.ChunkedArray:
    first, last = span
    inside = pc.is_valid(values)
    if first is not None:
        inside = pc.and_(inside, pc.greater_equal(values, first))
    return inside if last is None else pc.and_(inside, pc.less(values, last))


class _ObjectFile(io.RawIOBase):
    """An object as a file that is read where it is looked at."""

    def __init__(self, storage: Storage, uri: ObjectUri) -> None:
        found = storage.head(uri)
        if found is None:
            raise StorageError(f"Cannot read {uri}: it does not exist.")
        self._storage, self._uri, self._size, self._at = storage, uri, found.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        into = memoryview(buffer).cast("B")
        data = self._storage.read_range(self._uri, self._at, min(len(into), self._size - self._at))
        into[: len(data)] = data
        self._at += len(data)
        return len(data)
