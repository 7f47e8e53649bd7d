from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from roundtruth.datasets.local_images import LocalImages
from roundtruth.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/one.jpg", "b/one.jpg", "flat.PNG", "notes.txt", unicodedata.normalize("NFD", "사진.jpg")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("key", "found"),
    [
        pytest.param("x/a/one.jpg", "a/one.jpg", id="told apart by the folder"),
        pytest.param("x/b/one.jpg", "b/one.jpg", id="the other one"),
        pytest.param("deep/er/flat.PNG", "flat.PNG", id="by name alone"),
        pytest.param("사진.jpg", unicodedata.normalize("NFD", "사진.jpg"), id="a Mac's spelling of the name"),
        pytest.param("x/c/one.jpg", "is one of 2 files with that name", id="two files fit"),
        pytest.param("notes.txt", "is not among the images", id="no image"),
    ],
)
def test_find(folder: Path, key: str, found: str) -> None:
    result = LocalImages(folder, [f"s3://bucket/{key}"]).find(f"s3://bucket/{key}")
    if isinstance(result, Path):
        assert result == folder / found
    else:
        assert result.startswith(found)


def test_one_file_is_never_taken_for_two_images(folder: Path) -> None:
    refs = ["s3://bucket/x/flat.PNG", "s3://bucket/y/flat.PNG"]
    images = LocalImages(folder, refs)
    assert all("has the same name as another image" in str(images.find(ref)) for ref in refs)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no folder"):
        LocalImages(tmp_path / "nowhere", [])
