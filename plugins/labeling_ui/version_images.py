"""Images of a dataset version for the browser: only those that the version holds, asked for by place."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response

from labeling_ui.deployment import Connected
from labeling_ui.image_addresses import image_uri, lead_to_image, signed_address
from labeling_ui.pages import COMMON_HEADERS
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.tree import image_path
from roundtruth.overviews.published_versions import read_version_rows, require_published
from roundtruth.overviews.thumbnail_reads import thumbnail_of
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.storage import ObjectUri
from roundtruth.thumbnails import CONTENT_TYPE


@dataclass(frozen=True, kw_only=True)
class _HeldImage:
    """An image of a version; at ``uri`` lie its bytes, with this ETag unless it is the version's own copy."""

    source_ref: str
    etag: str
    round: str
    uri: ObjectUri
    is_copy: bool


def small_image(connection: Connected, project: Project, version: str, place: int) -> Response:
    """The thumbnail of the image's round; else on to the image in S3, which the browser makes smaller.

    :raises HTTPException: 404 where the image has none and was deleted or replaced.
    """
    held = _held(connection, project, version, place)
    folder = round_folder(project, held.round)
    made = thumbnail_of(connection.cache, folder, held.source_ref, held.etag)
    if made is None:
        if not _is_there(connection, held):
            raise HTTPException(404, f"{held.uri} was deleted or replaced since {version} was published.")
        return lead_to_image(connection, held.uri)
    # The address names a version, which never changes.
    kept = {"Cache-Control": "private, max-age=86400"}
    return Response(made, media_type=CONTENT_TYPE, headers=kept | COMMON_HEADERS)


def full_image(connection: Connected, project: Project, version: str, place: int) -> Response:
    """On to the image in S3, by an address that is good for some minutes."""
    held = _held(connection, project, version, place)
    signed = signed_address(connection, held.uri)
    return RedirectResponse(signed, status_code=303, headers={"Cache-Control": "no-store"} | COMMON_HEADERS)


def _is_there(connection: Connected, held: _HeldImage) -> bool:
    """Whether these bytes are still what the version was made of; its own copies do not change."""
    if held.is_copy:
        return True
    stored = connection.storage.head(held.uri)
    return stored is not None and stored.etag == held.etag


def _held(connection: Connected, project: Project, version: str, place: int) -> _HeldImage:
    folder = dataset_folder(project)
    record = require_published(connection.cache, folder, version).record
    rows = read_version_rows(connection.cache, folder, record)
    if not 0 <= place < rows.images.num_rows:
        raise HTTPException(404, f"{version} has no image {place}: it holds {rows.images.num_rows}.")
    image = rows.images.slice(place, 1).to_pylist()[0]
    is_copy = record.layout == "tree"
    copy = folder.version(version).uri / image_path(image["split"], image["file"])
    uri = copy if is_copy else image_uri(image["source_ref"])
    if uri is None:
        raise HTTPException(404, f"Image {place} of {version} does not lie in S3.")
    return _HeldImage(
        source_ref=image["source_ref"],
        etag=image["etag"],
        round=image["round"],
        uri=uri,
        is_copy=is_copy,
    )
