"""Which images belong together: the same bytes, the same folder or name pattern, or nearly the same look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from roundtruth.dataset_settings import GroupBy
from roundtruth.datasets.near_duplicates import Clusters
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri


def group_images(
    project: Project, etags: Mapping[str, str], alike: Mapping[str, str] | None = None
) -> dict[str, str]:
    """source_ref -> the name of its group: its first image in order.

    Groups that share an image are one group.

    :param etags: source_ref -> ETag; the same ETag is the same image under another key.
    :param alike: source_ref -> an image it looks like (near_duplicates.look_alikes), both in ``etags``; it
        counts where the project groups by near duplicates.
    """
    clusters = Clusters(sorted(etags))
    by = project.dataset.group_by
    shared: dict[tuple[str, str], str] = {}
    for source_ref in sorted(etags):
        for kind, value in (("etag", etags[source_ref]), ("key", _key_group(project, by, source_ref))):
            if value:
                clusters.join(shared.setdefault((kind, value), source_ref), source_ref)
    if by is not None and by.near_duplicates:
        for one, other in (alike or {}).items():
            clusters.join(one, other)
    return clusters.groups()


def pinned_images(project: Project, source_refs: Iterable[str]) -> dict[str, str]:
    """source_ref -> the split that `dataset.pinned` gives it; images that no pattern fits are missing.

    Patterns are compared with the key below the project's root, or the whole URI of an image elsewhere.

    :raises DatasetError: when patterns of two splits fit one image.
    """
    pinned: dict[str, str] = {}
    if not any(project.dataset.pinned.values()):
        return pinned
    for source_ref in source_refs:
        path = source_ref.removeprefix(f"{project.root_uri}/")
        found = {
            split: pattern
            for split, patterns in project.dataset.pinned.items()
            for pattern in patterns
            if fnmatchcase(path, pattern)
        }
        if len(found) > 1:
            both = " and ".join(f"{pattern!r} ({split})" for split, pattern in sorted(found.items()))
            raise DatasetError(f"{source_ref} is pinned to {len(found)} splits, by {both}; leave it to one.")
        for split in found:
            pinned[source_ref] = split
    return pinned


def _key_group(project: Project, by: GroupBy | None, source_ref: str) -> str:
    """What an image's key says of its group; empty when it says nothing: then it is one of its own."""
    if by is None:
        return ""
    if by.folder is not None:
        return _folder_group(str(project.images_uri), by.folder, source_ref)
    if by.pattern is not None:
        match = re.search(by.pattern, ObjectUri.parse(source_ref).key)
        return (match[1] or "") if match else ""
    return ""


def _folder_group(images_uri: str, count: int, source_ref: str) -> str:
    if source_ref.startswith(images_uri):
        return "/".join(source_ref.removeprefix(images_uri).split("/")[:-1][:count])
    # Imported from elsewhere: nobody knows which of its folders is the first below that import's images.
    folder = source_ref.rpartition("/")[0]
    return folder if ObjectUri.parse(folder).key else ""
