"""The folder that a conversion writes: report and tables; only a conversion's own output is replaced."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from roundtruth.errors import DatasetError
from roundtruth.typed_json import decode_json

MADE_BY = "roundtruth convert"
OUTPUT = (
    "labels",
    "images",
    "voc",
    "annotations",
    "manifest",
    "data.yaml",
    "annot.csv",
    "images.csv",
    "problems.csv",
    "report.json",
)


class ConversionReport(msgspec.Struct, frozen=True, kw_only=True):
    """report.json: what was made, what was not, and with which parameters."""

    made_by: str
    complete: bool
    images: int = 0
    negatives: int = 0
    boxes: int = 0
    classes: dict[int, str] = {}
    boxes_by_class: dict[str, int] = {}
    unseen_classes: tuple[int, ...] = ()  # ids that no line names; their names are made up
    normalised_names: dict[str, str] = {}  # as a job writes it -> as it stands here
    jobs: dict[str, dict[int, str]] = {}  # job -> class id -> name, as far as its lines say
    splits: dict[str, int] = {}  # split -> images
    problems: dict[str, int] = {}  # kind -> how many; each is in problems.csv
    repairs: dict[str, int] = {}  # boxes clipped, outside, duplicates
    parameters: dict[str, Any] = {}


def prepare(out: Path) -> None:
    """Make an empty folder, or take away what an earlier conversion left there.

    :raises DatasetError: when the folder holds something else.
    """
    if out.is_dir() and any(out.iterdir()):
        if not _is_ours(out / "report.json"):
            raise DatasetError(f"{out} is not empty and no earlier conversion made it; name a new folder.")
        for name in OUTPUT:
            place = out / name
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    # From here on the folder is ours, also when this run is stopped.
    write_report(out, ConversionReport(made_by=MADE_BY, complete=False))


def _is_ours(report: Path) -> bool:
    try:
        return decode_json(report.read_bytes(), ConversionReport).made_by == MADE_BY
    except (OSError, msgspec.DecodeError):
        return False


def write_report(out: Path, report: ConversionReport) -> None:
    """Write report.json."""
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


class Table:
    """A table that is written piece by piece; the pieces are lines of CSV."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        # surrogatepass: a key that is no valid UTF-8 is still written down.
        self._file = path.open("w", encoding="utf-8", errors="surrogatepass", newline="")
        csv.writer(self._file, lineterminator="\n").writerow(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, lines: str) -> None:
        """Add lines."""
        self._file.write(lines)

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Add rows."""
        csv.writer(self._file, lineterminator="\n").writerows(rows)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table."""
    with Table(path, columns) as table:
        table.write_rows(rows)
