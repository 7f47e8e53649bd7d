"""What every page of one round begins with: its files, its images, the names that may be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import HTTPException

from labeling_ui.deployment import Connected
from labeling_ui.image_addresses import image_uri
from roundtruth.arrow_columns import Ints
from roundtruth.overviews.gallery import GalleryQuery, gallery_order
from roundtruth.overviews.image_boxes import ShownImage, shown_images
from roundtruth.overviews.round_files import RoundFiles, read_round, side_by_side
from roundtruth.overviews.round_images import RoundImages, planned_image, read_images
from roundtruth.overviews.shown_names import ShownNames, shown_names
from roundtruth.overviews.thumbnail_reads import Thumbnails, thumbnails_of
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.storage import ObjectUri


@dataclass(frozen=True, kw_only=True)
class OpenedRound:
    """A planned round, read for one request."""

    project: Project
    connection: Connected
    files: RoundFiles
    images: RoundImages
    names: ShownNames
    thumbnails: Thumbnails

    @property
    def key(self) -> str:
        """The round's key."""
        return self.files.folder.key

    def order(self, query: GalleryQuery) -> Ints:
        """The numbers of the images that a query finds."""
        return gallery_order(self.connection.cache, self.files, self.images, query, self.names)

    def shown(self, numbers: Sequence[int]) -> list[ShownImage]:
        """Images with everything that was drawn on them."""
        return shown_images(self.connection.cache, self.files, self.images, numbers, self.names)

    def with_thumbnail(self, images: list[ShownImage]) -> frozenset[int]:
        """The numbers of those images that have a small picture."""
        found = ((image.number, self.thumbnails.get((image.source_ref, image.etag))) for image in images)
        return frozenset(number for number, place in found if place is not None and place.pack)


def open_round(project: Project, connection: Connected, key: str) -> OpenedRound | None:
    """Read a round; None before it is planned.

    :raises RoundError: when no round can have this key.
    """
    cache, folder = connection.cache, round_folder(project, key)
    files, names, thumbnails = side_by_side(
        cache,
        lambda: read_round(cache, folder),
        lambda: shown_names(connection.storage, project),
        lambda: thumbnails_of(cache, folder),
    )
    if files is None:
        return None
    return OpenedRound(
        project=project,
        connection=connection,
        files=files,
        images=read_images(cache, files),
        names=names,
        thumbnails=thumbnails,
    )


@dataclass(frozen=True, kw_only=True)
class PlannedImage:
    """An image that a round lists: only such ones are shown to a browser, which names them by their place."""

    folder: RoundFolder
    source_ref: str
    etag: str  # that it had when the round took it

    @property
    def uri(self) -> ObjectUri | None:
        """Where it lies; None where an imported manifest names what is not in S3."""
        return image_uri(self.source_ref)


def require_image(project: Project, connection: Connected, key: str, number: int) -> PlannedImage:
    """The image at a place of a round's plan.

    :raises HTTPException: 404 where the round has no such place, or is not planned.
    """
    folder = round_folder(project, key)
    found = planned_image(connection.cache, folder, number)
    if found is None:
        raise HTTPException(404, f"Round {key} of project {project.project} has no image {number}.")
    return PlannedImage(folder=folder, source_ref=found[0], etag=found[1])


def require_round(project: Project, connection: Connected, key: str) -> OpenedRound:
    """Read a planned round.

    :raises HTTPException: 404 before it is planned.
    """
    opened = open_round(project, connection, key)
    if opened is None:
        raise HTTPException(404, f"Round {key} of project {project.project} has taken no images yet.")
    return opened
