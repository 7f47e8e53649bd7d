"""All images of a round that failed a quality check: the first by the verdict, more by a table beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roundtruth.arrow_columns import codes, integer_array
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_files import RoundFiles, result_table
from roundtruth.quality.verdict import FailedCheck
from roundtruth.rounds.failing_images import FAILING_IMAGES


def failing_images(cache: EtagCache, files: RoundFiles, check: str) -> list[str]:
    """The source_refs of the images that failed a check, whatever table it is of, each once."""
    failed = [one for one in (files.verdict.failed if files.verdict else ()) if one.check == check]
    return list(dict.fromkeys(ref for one in failed for ref in images_of(cache, files, one)))


def images_of(cache: EtagCache, files: RoundFiles, failed: FailedCheck) -> Sequence[str]:
    """The source_refs of a failed check, in its order.

    Only those that the verdict names, its first hundred, where the table is not there (a round that an
    earlier roundtruth checked) or is of another verdict.
    """
    if failed.image_count <= len(failed.images):
        return failed.images
    table = result_table(cache, files, files.folder.failing_images.name, tuple(FAILING_IMAGES.names))
    every = _rows_of(table, failed) if table is not None else []
    return every if len(every) == failed.image_count else failed.images


def _rows_of(table: Any, failed: FailedCheck) -> list[str]:
    ours = _is(table["table"], failed.table) & _is(table["check"], failed.check)
    return [str(ref) for ref in table["source_ref"].take(integer_array(np.flatnonzero(ours))).to_pylist()]


def _is(column: Any, text: str) -> NDArray[np.bool_]:
    numbers, texts = codes(column)  # comparing by pyarrow.compute would import pandas
    return np.array([one == text for one in [*texts, None]], bool)[numbers]
