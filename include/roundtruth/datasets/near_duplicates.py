"""Which images of a dataset look alike: groups that only grow, by the perceptual hashes of their pictures.

The rounds wrote the hash of every image that they inspected (image_facts.py); only other images are read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pandas as pd

from roundtruth.quality.image_facts import inspect_images
from roundtruth.quality.near_duplicates import linked_groups, to_numbers
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

SHOWS_NOTHING = ""  # the hash of an image that was looked at: flat, or its pixels cannot be decoded


def hashes_of(
    storage: Storage, etags: Mapping[str, str], memory: pd.DataFrame, facts: pd.DataFrame | None
) -> dict[str, str]:
    """source_ref -> perceptual hash, or SHOWS_NOTHING, of all images of a dataset, past ones included.

    :param etags: source_ref -> ETag of the images that are in it now.
    :param memory: SPLIT_MEMORY.
    :param facts: IMAGE_FACTS of rounds; images that neither knows are read, past ones excepted.
    """
    etag_of = dict(zip(memory["source_ref"], memory["etag"], strict=True)) | dict(etags)
    inspected = _seen(facts) if facts is not None else ()
    found = {ref: phash for ref, etag, phash in inspected if etag_of.get(ref) == etag}
    found |= remembered_hashes(etags, memory)
    unseen = sorted(etags.keys() - found.keys())
    if unseen:
        wanted = pd.DataFrame({"source_ref": unseen, "etag": [etags[ref] for ref in unseen]})
        found |= {ref: phash for ref, _, phash in _seen(inspect_images(storage, wanted))}
    shapeless = sum(found.get(ref) == SHOWS_NOTHING for ref in etags)
    if shapeless:
        log.info("%d of %d images show nothing to find near duplicates by", shapeless, len(etags))
    return found


def remembered_hashes(etags: Mapping[str, str], memory: pd.DataFrame) -> dict[str, str]:
    """source_ref -> hash, of images that still have the ETag they had when it was made."""
    columns = (memory[name].tolist() for name in ("source_ref", "etag", "phash"))
    return {
        ref: phash
        for ref, etag, phash in zip(*columns, strict=True)
        if isinstance(phash, str) and etags.get(ref, etag) == etag
    }


def look_alikes(
    hashes: Mapping[str, str], remembered: Mapping[str, str], *, max_distance: int
) -> dict[str, str]:
    """source_ref -> the first image, in order, of those it looks like; that look like no other: not in it.

    Images that were together once stay so, also when the one between them is replaced: an image's group may
    grow, and two groups may become one, but none is taken apart.

    :param hashes: by source_ref, of present and past images.
    :param remembered: what this returned for the version before.
    :param max_distance: how many of the 64 bits may differ (quality.near_duplicate_distance).
    """
    clusters = Clusters(sorted(hashes.keys() | remembered.keys() | set(remembered.values())))
    for one, other in sorted(remembered.items()):
        clusters.join(one, other)
    shown = sorted(ref for ref, phash in hashes.items() if phash != SHOWS_NOTHING)
    first = linked_groups(to_numbers(hashes[ref] for ref in shown), max_distance=max_distance)
    for ref, place in zip(shown, first.tolist(), strict=True):
        clusters.join(shown[place], ref)
    groups = clusters.groups()
    several = {group for ref, group in groups.items() if group != ref}
    return {ref: group for ref, group in groups.items() if group in several}


class Clusters:
    """Joined sets; each is named by its smallest member, whatever the order of joining."""

    def __init__(self, members: list[str]) -> None:
        self._above = {member: member for member in members}

    def find(self, member: str) -> str:
        """The name of the set that a member is in."""
        while (above := self._above[member]) != member:
            self._above[member] = self._above[above]
            member = above
        return member

    def join(self, one: str, other: str) -> None:
        """Make the sets of two members one."""
        low, high = sorted((self.find(one), self.find(other)))
        self._above[high] = low

    def groups(self) -> dict[str, str]:
        """Each member -> the name of its set, in the order of the members that it was made of."""
        return {member: self.find(member) for member in self._above}


def _seen(facts: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """source_ref, ETag and hash of images whose bytes were there when they were inspected."""
    there = facts[~facts["gone"]]
    phashes = (phash if isinstance(phash, str) else SHOWS_NOTHING for phash in there["phash"])
    return zip(there["source_ref"], there["etag"], phashes, strict=True)
