"""What the person who starts a round by hand asks for: which images, how many, why."""

from __future__ import annotations

import msgspec

from roundtruth.errors import RoundError
from roundtruth.project import Project, Selection


class RoundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A round asked for by hand; what is empty is as the project file says.

    ``prefix`` is a path below the project's images folder, ``keys`` are such paths or S3 URIs, ``where`` is
    an SQL condition over the image table. All three together: images that meet all of them.
    """

    prefix: str = ""
    keys: tuple[str, ...] = ()
    where: str = ""
    max_images: int | None = None
    why: str = ""

    @property
    def names_images(self) -> bool:
        """Whether it says which images, not only how many or why."""
        return bool(self.prefix or self.keys or self.where)

    @property
    def images_asked(self) -> tuple[object, ...]:
        """What decides about the images, without the reason."""
        return self.prefix, self.keys, self.where, self.max_images


NOTHING_ASKED = RoundRequest()


def as_requested(project: Project, request: RoundRequest) -> Project:
    """The project as it plans this round: images that are asked for may lie anywhere and count alone.

    Neither the round's window nor the project's own selection keeps an image out that a person named, nor
    does the minimum; ``max_images`` is that of the request, else the project's.
    """
    selection = project.selection
    if request.names_images:
        images = project.images.model_copy(update={"partition": "none", "minimum": 1})
        selection = Selection(max_images=selection.max_images)
        project = project.model_copy(update={"images": images})
    if request.max_images is not None:
        selection = selection.model_copy(update={"max_images": request.max_images})
    return project.model_copy(update={"selection": selection})


def asked_sources(project: Project, request: RoundRequest) -> frozenset[str]:
    """The ``source_ref`` of every key that is asked for.

    :raises RoundError: when one lies outside the project's images folder.
    """
    refs = [key if key.startswith("s3://") else f"{project.images_uri}{key}" for key in request.keys]
    outside = [ref for ref in refs if not ref.startswith(str(project.images_uri))]
    if outside:
        raise RoundError(f"{outside[0]} is asked for, but does not lie under {project.images_uri}.")
    return frozenset(refs)


def asked_folder(project: Project, request: RoundRequest) -> str:
    """What the S3 key of every image begins with that the request may mean."""
    return project.images_uri.key + request.prefix.lstrip("/")
