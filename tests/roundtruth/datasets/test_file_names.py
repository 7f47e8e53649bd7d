from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.file_names import dataset_file_name, dataset_file_stem

ODD_KEYS = [
    "a/one.jpg",
    "b/one.jpg",
    "B/one.jpg",
    "a/one.png",
    "a b/c#d%20.jpeg",
    "사진/연필 1.JPG",
    unicodedata.normalize("NFD", "사진/연필 1.JPG"),  # another key to S3
    "😀/😀.png",
    "zero\u200bwidth.jpg",
    "zerowidth.jpg",
    "../../etc/passwd",
    "..",
    "con.jpg",
    "x" * 1000 + ".jpg",
    "x" * 1001 + ".jpg",
    "no suffix",
    "archive.tar.gz",
    ".jpg",
]
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def test_no_two_odd_keys_share_a_name_even_where_case_does_not_count() -> None:
    names = [dataset_file_stem(f"s3://bucket/{key}").casefold() for key in ODD_KEYS]
    assert len(set(names)) == len(ODD_KEYS)


@given(st.text(alphabet=st.characters(), min_size=1, max_size=1100))
def test_any_key_gives_a_safe_name(key: str) -> None:
    stem, name = dataset_file_stem(f"s3://bucket/{key}"), dataset_file_name(f"s3://bucket/{key}")
    assert SAFE.fullmatch(stem)
    assert len(name.encode()) <= 120
    assert name.endswith((".jpg", ".jpeg", ".png"))
    assert name.rpartition(".")[0] == stem


@given(st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=20))
def test_different_keys_have_different_stems(keys: list[str]) -> None:
    assert len({dataset_file_stem(f"s3://bucket/{key}") for key in keys}) == len(keys)


@pytest.mark.parametrize(
    ("key", "start", "suffix"),
    [
        ("a/photo 12.JPEG", "photo_12-", ".jpeg"),
        ("a/IMG.v2.final.png", "IMG.v2.final-", ".png"),
        ("a/연필.jpg", "image-", ".jpg"),
        ("a/no-suffix", "no-suffix-", ".jpg"),
    ],
)
def test_the_name_stays_readable(key: str, start: str, suffix: str) -> None:
    name = dataset_file_name(f"s3://bucket/{key}")
    assert name.startswith(start)
    assert name.endswith(suffix)
