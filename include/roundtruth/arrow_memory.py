"""Bytes as Arrow's own memory, so that a process may end at any moment after Arrow's threads read them.

A thread of Arrow's that lets go of Python's bytes after the interpreter began to end aborts the process,
whose work was done: https://github.com/apache/arrow/issues/34314. pyarrow 26 does so for one in five short
processes that read a Parquet file from ``io.BytesIO`` on a busy machine.
"""

from __future__ import annotations

import pyarrow as pa


def arrow_file(data: bytes) -> pa.BufferReader:
    """A copy of the bytes as a file that pyarrow reads, such as ``pyarrow.parquet.ParquetFile``."""
    memory = pa.allocate_buffer(len(data))
    if data:  # a view without bytes has no form to cast
        memoryview(memory).cast("B")[:] = data
    return pa.BufferReader(memory)
