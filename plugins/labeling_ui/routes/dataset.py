"""The dataset's pages: its versions as a time line, one version, what changed between any two, roll back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from labeling_ui.access import (
    CanEdit,
    ConnectionDep,
    EditableProject,
    ReadableProject,
    may_edit,
    may_read_dataset,
)
from labeling_ui.dataset_cards import card_html
from labeling_ui.deployment import Connected, connected
from labeling_ui.image_addresses import image_origins
from labeling_ui.pages import addresses, render
from labeling_ui.version_charts import PLACES, SIZES, bar, square_map, thirds
from labeling_ui.version_images import full_image, small_image
from roundtruth.datasets.diff_text import box_line
from roundtruth.datasets.folder import dataset_folder, version_number
from roundtruth.datasets.latest import read_latest
from roundtruth.datasets.rollback import roll_back
from roundtruth.errors import DatasetError, LatestMovedError
from roundtruth.overviews.dataset_page import read_dataset_page
from roundtruth.overviews.published_versions import require_published, version_names
from roundtruth.overviews.version_changes import KINDS, read_changes
from roundtruth.overviews.version_page import pull_command, read_version_page
from roundtruth.project import Project

router = APIRouter(prefix="/projects/{project}/dataset", dependencies=[Depends(may_read_dataset)])
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
MOST_REASON = 500  # characters


@router.get("")
def time_line(
    request: Request,
    project: ReadableProject,
    connection: ConnectionDep,
    can_edit: CanEdit,
    page: PageNumber = 1,
) -> Response:
    """All versions, newest first."""
    overview = read_dataset_page(connection.cache, dataset_folder(project), page)
    return render(
        request,
        "dataset.html",
        project=project,
        overview=overview,
        can_edit=can_edit,
        bar=bar,
        command=pull_command(overview.current.record, str(project.root_uri)) if overview.current else "",
    )


@router.get("/changes")
def changes(
    request: Request,
    project: ReadableProject,
    connection: ConnectionDep,
    old: str,
    new: str,
    kind: str = "",
    page: PageNumber = 1,
) -> Response:
    """The difference of any two versions."""
    folder = dataset_folder(project)
    overview = read_changes(connection.cache, folder, old, new, kind=kind, page=page)
    sources = (image.source_ref for image in overview.images)
    return render(
        request,
        "changes.html",
        # Images without a thumbnail come from S3: out of their own bucket, or as the version's own copy.
        images_from={connection.image_origin, *image_origins(connection, sources)},
        project=project,
        overview=overview,
        names=version_names(connection.cache, folder),
        kinds=KINDS,
        box_line=box_line,
    )


@router.get("/versions/{version}")
def version(
    request: Request, project: ReadableProject, connection: ConnectionDep, can_edit: CanEdit, version: str
) -> Response:
    """One version."""
    overview = read_version_page(connection.cache, dataset_folder(project), version)
    return render(
        request,
        "version.html",
        project=project,
        overview=overview,
        can_edit=can_edit,
        bar=bar,
        command=pull_command(overview.record, str(project.root_uri)),
        card=card_html(overview.card),
        maps=[
            (
                square_map("places", "Where boxes lie", overview.places, PLACES),
                PLACES,
                thirds(overview.places),
            ),
            (
                square_map("sizes", "How large boxes are", overview.sizes, SIZES),
                SIZES,
                thirds(overview.sizes),
            ),
        ],
    )


@router.get("/versions/{version}/images/{place}")
def version_image(
    project: ReadableProject, connection: ConnectionDep, version: str, place: int, full: bool = False
) -> Response:
    """An image that the version holds, small, or by an address in S3 that expires."""
    return (full_image if full else small_image)(connection, project, version, place)


@router.get("/versions/{version}/rollback", dependencies=[Depends(may_edit)])
def ask_roll_back(
    request: Request, project: ReadableProject, connection: ConnectionDep, version: str
) -> Response:
    """Ask before `latest` is moved."""
    return _ask(request, project, connection, version, "")


@router.post("/versions/{version}/rollback")
def do_roll_back(
    request: Request,
    project: EditableProject,
    user: GetUserDep,
    version: str,
    seen: Annotated[str, Form(max_length=50)],
    reason: Annotated[str, Form(max_length=MOST_REASON)] = "",
) -> Response:
    """Move `latest`, as `roundtruth dataset rollback` does."""
    connection = connected(project)
    reason = " ".join(reason.split())
    if not reason:
        return _ask(request, project, connection, version, "Say why: it is written down with the move.")
    try:
        roll_back(
            connection.storage,
            project.root_uri,
            project.dataset.name,
            version,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            by=str(user.get_name()),
            reason=reason,
            seen=seen,
        )
    except LatestMovedError as error:
        raise HTTPException(409, str(error)) from error
    return RedirectResponse(addresses(request).dataset(project.project), status_code=303)


def _ask(request: Request, project: Project, connection: Connected, version: str, missing: str) -> Response:
    folder = dataset_folder(project)
    target = require_published(connection.cache, folder, version)
    pointer = read_latest(connection.storage, folder)
    if pointer is None:
        raise DatasetError(f"Dataset {folder.name!r} has no published version yet.")
    current = require_published(connection.cache, folder, pointer.version)
    return render(
        request,
        "rollback.html",
        status=422 if missing else 200,
        project=project,
        target=target,
        current=current,
        goes_back=version_number(version) < version_number(pointer.version),
        missing=missing,
        most_reason=MOST_REASON,
    )
