"""The tables that a round ends with, after its checks: labels.parquet, annot.csv and images.parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from roundtruth.annotations import IMAGES, PUBLISHABLE, ROUND_LABELS, annot_csv_pieces, to_parquet
from roundtruth.quality.membership import is_among
from roundtruth.rounds.folder import RoundFolder
from roundtruth.stages.large_tables import write_pieces, written_table
from roundtruth.storage import Storage

if TYPE_CHECKING:
    from roundtruth.quality.gate import QualityResult  # Great Expectations takes seconds to import


def write_final_tables(storage: Storage, folder: RoundFolder, result: QualityResult) -> tuple[int, int]:
    """Write what passed the checks; the labels are read piece by piece, each for both of their tables.

    :returns: how many images may be published, and how many boxes they have.
    """
    publishable = result.images.loc[result.images["status"].isin(PUBLISHABLE), "source_ref"]
    boxes = 0
    with written_table(storage, folder.labels, ROUND_LABELS, as_one=True) as write:

        def published() -> Iterator[pd.DataFrame]:
            nonlocal boxes
            for labels in result.pieces():
                final = labels[is_among(labels["source_ref"], publishable)]
                write(final)
                boxes += len(final)
                yield final

        write_pieces(storage, folder.annot_csv, annot_csv_pieces(published(), result.images))
    storage.write(folder.images, to_parquet(result.images, IMAGES))
    return len(publishable), boxes
