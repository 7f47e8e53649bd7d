"""Every image that failed a quality check, where a check failed on more of them than quality.json names."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from roundtruth.rounds.folder import RoundFolder
from roundtruth.storage import Storage

FAILING_IMAGES = pa.schema(
    [
        ("table", pa.string()),  # with the check: a name may be that of checks of several tables
        ("check", pa.string()),
        ("source_ref", pa.string()),
    ]
)


def write_failing_images(
    storage: Storage, folder: RoundFolder, failing: Mapping[tuple[str, str], Sequence[str]]
) -> bool:
    """Write failing-images.parquet where it is needed; tells whether there is one now.

    That of an earlier check is made empty: nothing in the pipeline may delete. It holds no more rows than
    there are images, a failed check.

    :param failing: the images of each table and check that quality.json does not name all of, in its order.
    """
    if not failing and storage.head(folder.failing_images) is None:
        return False
    rows = [
        {"table": table, "check": check, "source_ref": ref}
        for (table, check), refs in sorted(failing.items())
        for ref in refs
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=FAILING_IMAGES), sink, compression="zstd")
    storage.write(folder.failing_images, sink.getvalue())
    return True
