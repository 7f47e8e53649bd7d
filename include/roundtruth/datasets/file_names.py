"""The names of a dataset's files: made from an image's whole key, so that two images never share one."""

from __future__ import annotations

import hashlib
import re

READABLE = (
    80  # characters of the key's last part that are kept; with the digest 97, under any file system's 255
)
DIGEST = 16  # hexadecimal digits: 64 bits, for images whose readable parts are the same
# What Ground Truth labels (input-data-limits.md); another suffix would hide the image from trainers.
SUFFIXES = (".jpg", ".jpeg", ".png")
_UNREADABLE = re.compile(r"[^A-Za-z0-9._-]+")


def dataset_file_stem(source_ref: str) -> str:
    """The file name, without suffix, of an image in a dataset: ``<readable part>-<digest of the whole URI>``.

    Only ASCII letters, digits, ``-``, ``_`` and ``.``: no key can leave the folder or upset a file system,
    a URL or a shell. The same URI always gives the same stem, whatever other images there are.
    """
    last = source_ref.rstrip("/").rpartition("/")[2]
    return _stem(source_ref, last, _suffix(last))


def dataset_file_name(source_ref: str) -> str:
    """The stem with the key's own suffix in lower case, or ``.jpg`` where it has none of an image's.

    A suffix may lie (PNG named .jpg occurs); trainers look at the bytes, so it stays as it is.
    """
    last = source_ref.rpartition("/")[2]
    if not last:
        return dataset_file_stem(source_ref) + (_suffix(source_ref).lower() or ".jpg")
    suffix = _suffix(last)
    return _stem(source_ref, last, suffix) + (suffix.lower() or _suffix(source_ref).lower() or ".jpg")


def _stem(source_ref: str, last: str, suffix: str) -> str:
    stem = last[: -len(suffix)] if suffix else last
    readable = _UNREADABLE.sub("_", stem)[:READABLE].strip("._-") or "image"
    # surrogatepass: a key that is no valid UTF-8 must still get a name.
    digest = hashlib.sha256(source_ref.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}-{digest[:DIGEST]}"


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    if dot <= 0:
        return ""
    suffix = name[dot:]
    return suffix if suffix in SUFFIXES or suffix.lower() in SUFFIXES else ""
