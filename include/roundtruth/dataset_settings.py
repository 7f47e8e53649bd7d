"""What a dataset is written as, and how images are kept together and apart in its splits."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict, StringConstraints, field_validator, model_validator

from roundtruth.labeling_settings import Settings

Format = Literal["yolo", "voc", "coco", "csv", "manifest"]


class GroupBy(Settings):
    """Which images belong together, so that no split tears them apart; near_duplicates joins with the others.

    Images with the same bytes are always together.
    """

    # The first so many folders below images.prefix; of an image elsewhere, imported, all its folders.
    folder: int | None = Field(default=None, ge=1)
    pattern: str | None = None  # a regular expression that finds one group in the image's whole key
    near_duplicates: bool = False  # images that look alike; reads those that no round inspected

    @field_validator("pattern")
    @classmethod
    def _has_one_group(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"must be a regular expression: {error}") from error
        if groups != 1:
            raise ValueError(f"must have one group in parentheses, such as (clip_[0-9]+); it has {groups}")
        return pattern

    @model_validator(mode="after")
    def _says_how(self) -> GroupBy:
        if self.folder is not None and self.pattern is not None:
            raise ValueError("takes a folder or a pattern, not both")
        if self.folder is None and self.pattern is None and not self.near_duplicates:
            raise ValueError("must say by what: folder, pattern or near_duplicates")
        return self


def _no_pattern_twice(pinned: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    seen: dict[str, str] = {}
    for split, patterns in pinned.items():
        for pattern in patterns:
            if seen.setdefault(pattern, split) != split:
                raise ValueError(f"{pattern!r} is pinned to {seen[pattern]} and to {split}")
    return pinned


# Shell patterns (*, ?, [a-z]; * also crosses folders) of keys below the project's root, by split.
_Patterns = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Strict(False)]
Pinned = Annotated[dict[Literal["train", "val", "test"], _Patterns], AfterValidator(_no_pattern_twice)]
