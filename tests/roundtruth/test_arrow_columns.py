"""Columns of Arrow tables as NumPy arrays and back; and pandas stays out of the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roundtruth.arrow_columns import codes, floats, integer_array, integers, places_in, strings

INCLUDE = Path(__file__).parents[2] / "include"


@pytest.mark.parametrize(
    ("column", "missing", "wanted"),
    [
        pytest.param(pa.array([1, None, 3], pa.int8()), -1, [1, -1, 3], id="nulls"),
        pytest.param(pa.chunked_array([[1], [2, 3]]), 0, [1, 2, 3], id="chunks"),
        pytest.param(pa.array([True, None, False]), 0, [1, 0, 0], id="booleans"),
        pytest.param(pa.array([], pa.int64()), 0, [], id="nothing"),
        pytest.param(pa.array([2**53]), 0, [2**53], id="the largest exact one"),
    ],
)
def test_integers(column, missing, wanted) -> None:
    assert integers(column, missing).tolist() == wanted


def test_floats_have_no_nulls() -> None:
    assert np.array_equal(floats(pa.array([1.5, None])), [1.5, np.nan], equal_nan=True)


@pytest.mark.parametrize("texts", [[], ["a"], ["사진", "", "é b"]])
def test_texts_and_back(texts: list[str]) -> None:
    column = strings(texts)
    assert column.to_pylist() == texts
    numbers, names = codes(column)
    assert [names[number] for number in numbers] == texts
    assert places_in(column, strings([*reversed(texts)])).tolist() == list(reversed(range(len(texts))))


def test_arrays_of_numbers() -> None:
    assert integer_array(np.arange(6)[::2]).to_pylist() == [0, 2, 4]


def test_pandas_stays_out() -> None:
    script = (
        "import sys, numpy as np, pyarrow.compute as pc\n"
        "from roundtruth.arrow_columns import *\n"
        "places_in(strings(['a']), strings(['b'])), codes(strings(['a']))\n"
        "integers(integer_array(np.arange(3)))\n"
        "print('pandas' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(INCLUDE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
