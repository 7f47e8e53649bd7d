"""Look at the images under an S3 prefix: how many there are, and whether they have stopped arriving."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ground_truth.exceptions import GroundTruthError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""What Ground Truth labels (developer guide, input-data-limits.md); case does not count here."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one listing showed.

    :param images: How many new images there are.
    :param newest: When the newest of them was last modified, None without images.
    :param empty: How many images of 0 bytes were passed over: an upload may still be under way.
    :param digest: Of keys, ETags and times; two looks with the same digest saw the same images.
    """

    images: int
    newest: datetime | None
    empty: int
    digest: str

    def __str__(self) -> str:
        """Say it in a log line."""
        empty = f" ({self.empty} more are empty)" if self.empty else ""
        return f"{self.images} new images{empty}" + (
            f", the newest of {self.newest:%Y-%m-%d %H:%M:%S%z}" if self.newest else ""
        )


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What images are waited for.

    :param minimum_images: How many there have to be.
    :param settle_seconds: How long the newest has to lie there.
    :param modified_after: Only images last modified after this count.
    :param modified_until: Only images last modified at this moment or before count.
    """

    minimum_images: int = 1
    settle_seconds: float = 300
    modified_after: datetime | None = None
    modified_until: datetime | None = None

    def takes(self, key: str, modified: datetime) -> bool:
        """Tell whether an object is an image of the time that is asked for.

        One whose key has a control character is none: no list of known images can name it, so it would be
        new for ever.
        """
        return (
            key.lower().endswith(IMAGE_SUFFIXES)
            and not any(ord(letter) < 32 for letter in key)
            and (self.modified_after is None or modified > self.modified_after)
            and (self.modified_until is None or modified <= self.modified_until)
        )

    def closed(self, now: datetime) -> bool:
        """Tell whether no further image can come: the time asked for has passed."""
        settle = timedelta(seconds=self.settle_seconds)
        return self.modified_until is not None and now > self.modified_until + settle

    def met(self, look: Look, previous: Look | None, now: datetime) -> bool:
        """Tell whether enough images are there and no more are arriving.

        Two looks in a row must have seen the same, beside the age of the newest image: a multipart upload
        carries the time at which it began, and the clocks of S3 and of this machine may differ. When no
        further image can come, one look is enough.
        """
        if look.images < self.minimum_images or look.newest is None:
            return False
        if self.closed(now):
            return True
        settled = now - look.newest >= timedelta(seconds=self.settle_seconds)
        return settled and previous is not None and previous.digest == look.digest


@dataclass
class Tally:
    """Counts the pages of one listing; :meth:`look` at the end.

    :param expectation: Which objects count.
    :param known: Lines ``etag<TAB>key`` of images that were taken before.
    """

    expectation: Expectation
    known: frozenset[str] = frozenset()
    _images: int = field(default=0, init=False)
    _empty: int = field(default=0, init=False)
    _newest: datetime | None = field(default=None, init=False)
    _digest: Any = field(default_factory=hashlib.sha256, init=False)

    def add(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Count the ``Contents`` of one page of ListObjectsV2."""
        for entry in objects:
            key, modified = str(entry["Key"]), entry["LastModified"]
            if not self.expectation.takes(key, modified):
                continue
            identity = image_identity(str(entry["ETag"]), key)
            if identity in self.known:
                continue
            if not entry["Size"]:
                self._empty += 1
                continue
            self._images += 1
            self._newest = modified if self._newest is None else max(self._newest, modified)
            self._digest.update(f"{identity}\t{modified.isoformat()}\n".encode())

    def look(self) -> Look:
        """What the listing showed."""
        return Look(
            images=self._images, newest=self._newest, empty=self._empty, digest=self._digest.hexdigest()
        )


def image_identity(etag: str, key: str) -> str:
    """The line that stands for an image in a list of known images; a replaced image has another ETag."""
    return etag.strip('"') + "\t" + key


def read_known_images(content: bytes, *, name: str) -> frozenset[str]:
    """Read a list of images that were taken before: UTF-8, a line ``etag<TAB>key`` each.

    :param content: The bytes of the list.
    :param name: What errors call it.
    :raises GroundTruthError: when a line has another form, naming it.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise GroundTruthError(f"{name} is not UTF-8: {error}.") from error
    known: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line:
            continue
        etag, tab, key = line.partition("\t")
        if not (etag and tab and key):
            raise GroundTruthError(f"{name}, line {number}: expected etag<TAB>key, not {line!r:.120}.")
        known.add(image_identity(etag, key))
    return frozenset(known)
