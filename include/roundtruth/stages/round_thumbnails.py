"""The step that makes small pictures of the images people will look at first, for the pages of the web UI."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

from roundtruth.errors import ImageError, StorageError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.gallery import look_first
from roundtruth.overviews.round_files import read_round
from roundtruth.overviews.round_images import read_images
from roundtruth.parallel import run_in_order
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.thumbnail_packs import PACKED, Thumbnail, read_index, write_index, write_pack
from roundtruth.storage import ObjectUri, Storage
from roundtruth.thumbnails import make_thumbnail

log = logging.getLogger(__name__)

# Images in memory at once, up to 40 MB each, and a decoded one of up to 60 million pixels.
CONCURRENCY = 4


def make_thumbnails(storage: Storage, project: Project, round_key: str) -> dict[str, int] | None:
    """Make the thumbnails of a round that are not there yet; None when it is not planned.

    At most ``pages.thumbnails`` of the project file: images that failed a check or are disputed first, then
    those with the lowest agreement. An image that cannot be read or shown stops nothing.

    :returns: ``wanted`` images, ``made`` by this call, ``there`` from an earlier one, ``without``: counted
        and named in the log.
    """
    folder = round_folder(project, round_key)
    cache = EtagCache(storage)
    files = read_round(cache, folder)
    if files is None:
        return None
    images = read_images(cache, files)
    index = read_index(storage, folder).by_image()
    wanted = [
        (images.source_ref(number), str(images.planned["etag"][number].as_py()))
        for number in look_first(files, images, project.pages.thumbnails)
    ]
    missing = [identity for identity in wanted if identity not in index]
    made = 0
    for thumbnails in _in_packs(storage, missing):
        # What S3 would not give this time is asked for again by the next call.
        index |= {
            (one.source_ref, one.etag): one
            for one in write_pack(storage, folder, [one for one in thumbnails if one.data or one.problem])
        }
        write_index(storage, folder, index.values())
        made += sum(bool(one.data) for one in thumbnails)
    there = sum(1 for identity in wanted if identity in index and index[identity].pack) - made
    counts = {
        "wanted": len(wanted),
        "made": made,
        "there": there,
        "without": len(wanted) - made - there,
    }
    log.info("thumbnails of round %s: %s", round_key, counts)
    return counts


def _in_packs(storage: Storage, images: list[tuple[str, str]]) -> Iterator[list[Thumbnail]]:
    made = run_in_order(lambda one: _thumbnail(storage, *one), images, concurrency=CONCURRENCY)
    while pack := list(islice(made, PACKED)):
        yield pack


def _thumbnail(storage: Storage, source_ref: str, etag: str) -> Thumbnail:
    """Without data nor problem where S3 refused."""
    try:
        content = storage.read_if_there(ObjectUri.parse(source_ref))
        if content is None or content.etag != etag:
            problem = "was replaced or deleted since it was planned"
            log.warning("no thumbnail: %s %s", source_ref, problem)
            return Thumbnail(source_ref=source_ref, etag=etag, problem=problem)
        return Thumbnail(source_ref=source_ref, etag=etag, data=make_thumbnail(content.data, name=source_ref))
    except ImageError as error:
        log.warning("no thumbnail: %s", error)
        return Thumbnail(source_ref=source_ref, etag=etag, problem=str(error))
    except StorageError as error:
        log.warning("no thumbnail this time: %s", error)
        return Thumbnail(source_ref=source_ref, etag=etag)
