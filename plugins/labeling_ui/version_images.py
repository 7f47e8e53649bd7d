"""Images of a dataset version for the browser: only those that the version holds, asked for by place."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response

from labeling_ui.deployment import Connected
from labeling_ui.pages import COMMON_HEADERS
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.tree import image_path
from roundtruth.errors import ImageError
from roundtruth.overviews.published_versions import read_version_rows, require_published
from roundtruth.overviews.thumbnail_reads import thumbnail_of
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.storage import ObjectUri
from roundtruth.thumbnails import CONTENT_TYPE, make_thumbnail

SIGNED_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class _HeldImage:
    """An image of a version; at ``uri`` lie its bytes, with this ETag unless it is the version's own copy."""

    source_ref: str
    etag: str
    round: str
    uri: ObjectUri
    is_copy: bool


def small_image(connection: Connected, project: Project, version: str, place: int) -> Response:
    """A thumbnail: that of the image's round, or made now; 404 where the image was deleted or replaced."""
    held = _held(connection, project, version, place)
    folder = round_folder(project, held.round)
    made = thumbnail_of(connection.cache, folder, held.source_ref, held.etag) or _made(connection, held)
    if made is None:
        raise HTTPException(404, f"{held.uri} was deleted or replaced since {version} was published.")
    # The address names a version, which never changes.
    kept = {"Cache-Control": "private, max-age=86400"}
    return Response(made, media_type=CONTENT_TYPE, headers=kept | COMMON_HEADERS)


def full_image(connection: Connected, project: Project, version: str, place: int) -> Response:
    """On to the image in S3, by an address that is good for some minutes."""
    held = _held(connection, project, version, place)
    signed = connection.s3_client.generate_presigned_url(
        "get_object", Params={"Bucket": held.uri.bucket, "Key": held.uri.key}, ExpiresIn=SIGNED_SECONDS
    )
    return RedirectResponse(signed, status_code=303, headers={"Cache-Control": "no-store"} | COMMON_HEADERS)


def _made(connection: Connected, held: _HeldImage) -> bytes | None:
    stored = None if held.is_copy else connection.storage.head(held.uri)
    if not held.is_copy and (stored is None or stored.etag != held.etag):
        return None
    try:
        return connection.cache.read(
            held.uri,
            lambda data: make_thumbnail(data, name=str(held.uri)),
            kind="thumbnail",
            immutable=held.is_copy,
            weigh=lambda small, _: len(small),
        )
    except ImageError as error:
        raise HTTPException(404, str(error)) from error


def _held(connection: Connected, project: Project, version: str, place: int) -> _HeldImage:
    folder = dataset_folder(project)
    record = require_published(connection.cache, folder, version).record
    rows = read_version_rows(connection.cache, folder, record)
    if not 0 <= place < rows.images.num_rows:
        raise HTTPException(404, f"{version} has no image {place}: it holds {rows.images.num_rows}.")
    image = rows.images.slice(place, 1).to_pylist()[0]
    is_copy = record.layout == "tree"
    copy = folder.version(version).uri / image_path(image["split"], image["file"])
    return _HeldImage(
        source_ref=image["source_ref"],
        etag=image["etag"],
        round=image["round"],
        uri=copy if is_copy else ObjectUri.parse(image["source_ref"]),
        is_copy=is_copy,
    )
