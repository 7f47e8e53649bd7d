"""One spelling for a category's name: two that look the same are one."""

from __future__ import annotations

import unicodedata


def normalise_category(name: str) -> str:
    """NFC without control and format characters (zero-width ones too) and stray spaces.

    Real jobs hold names such as ``"设备 "``; two spellings that look the same must be one class.
    """
    # White space first: a tab or a no-break space is a space, not nothing.
    spaced = " ".join(name.split())
    visible = "".join(
        character for character in spaced if unicodedata.category(character) not in {"Cc", "Cf"}
    )
    # NFC last: a format character between a letter and its accent keeps them apart.
    return " ".join(unicodedata.normalize("NFC", visible).split())
