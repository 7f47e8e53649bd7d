"""Files of a tree on this machine: hostile paths, links, and writing over what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from roundtruth.datasets.local_tree import local_path, write_new, write_whole
from roundtruth.errors import DatasetError

HOSTILE = [
    "../outside.txt",
    "/etc/outside.txt",
    "images/../../outside.txt",
    "a\\b",
    "C:/x",
    "",
    "images/\n",
    "./x",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(DatasetError, match="no path inside a dataset"):
        local_path(tmp_path, path)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "images").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="leads out"):
        local_path(tmp_path / "tree", "images/x.jpg")


@pytest.mark.parametrize("write", [write_whole, write_new], ids=["whole", "new"])
@pytest.mark.parametrize(
    "before", [None, b"", b"much longer than what comes"], ids=["none", "empty", "longer"]
)
def test_a_file_is_what_was_written_last(
    tmp_path: Path, write: Callable[[str, bytes], None], before: bytes | None
) -> None:
    place = tmp_path / "labels" / "train" / "one.txt"
    if before is not None:
        place.parent.mkdir(parents=True)
        place.write_bytes(before)
    write(str(place), b"0 0.5 0.5 1 1\n")
    assert place.read_bytes() == b"0 0.5 0.5 1 1\n"
    assert [found.name for found in place.parent.iterdir()] == ["one.txt"]


def test_another_name_of_a_file_keeps_its_content(tmp_path: Path) -> None:
    """People keep versions side by side by hard links, which writing in place would change, too."""
    place, kept = tmp_path / "one.txt", tmp_path / "kept.txt"
    place.write_bytes(b"of v0001")
    kept.hardlink_to(place)
    write_new(str(place), b"of v0002")
    assert (kept.read_bytes(), place.read_bytes()) == (b"of v0001", b"of v0002")
