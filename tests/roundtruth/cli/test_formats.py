"""Commands take the formats that a project file may name."""

from __future__ import annotations

from typing import get_args

from roundtruth.cli.formats import FORMATS
from roundtruth.dataset_settings import Format


def test_every_format_and_no_other() -> None:
    assert get_args(Format) == FORMATS
