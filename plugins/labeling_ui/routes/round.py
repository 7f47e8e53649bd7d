"""One round: how far it is, how people agreed, what the checks say, and its images."""

from __future__ import annotations

from typing import Annotated, Literal

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from labeling_ui import dag_runs, round_pages
from labeling_ui.access import ConnectionDep, ProjectRights, ReadableProject
from labeling_ui.image_addresses import image_origins, lead_to_image
from labeling_ui.live_jobs import workers_portal
from labeling_ui.pages import COMMON_HEADERS, addresses, render
from labeling_ui.round_reads import (
    OpenedRound,
    PlannedImage,
    open_round,
    require_image,
    require_round,
)
from roundtruth.errors import StorageError
from roundtruth.overviews.disputed_boxes import disputed_boxes
from roundtruth.overviews.gallery import GalleryQuery, gallery_page, neighbours
from roundtruth.overviews.round_agreement import (
    agreement_histogram,
    confusion_matrix,
    workers_worst_first,
)
from roundtruth.overviews.round_files import side_by_side
from roundtruth.overviews.round_progress import conservation, funnel, job_progress
from roundtruth.overviews.thumbnail_reads import thumbnail_of
from roundtruth.thumbnails import CONTENT_TYPE

router = APIRouter(prefix="/projects/{project}/rounds/{round_key}")
FIRST_LOOK = 12  # images that the round's own page shows


def opened_round(round_key: str, project: ReadableProject, connection: ConnectionDep) -> OpenedRound:
    """The round of the path."""
    return require_round(project, connection, round_key)


def gallery_query(
    status: str = "",
    category: str = "",
    worker: str = "",
    check: str = "",
    order: Literal["lowest", "highest", "plan"] = "lowest",
) -> GalleryQuery:
    """Which images are asked for."""
    return GalleryQuery(status=status, category=category, worker=worker, check=check, order=order)


def planned_image(
    round_key: str, number: int, project: ReadableProject, connection: ConnectionDep
) -> PlannedImage:
    """The image of the path, if the round lists it."""
    return require_image(project, connection, round_key, number)


ImageDep = Annotated[PlannedImage, Depends(planned_image)]
RoundDep = Annotated[OpenedRound, Depends(opened_round)]
GalleryDep = Annotated[GalleryQuery, Depends(gallery_query)]


@router.get("")
def round_page(
    request: Request,
    round_key: str,
    project: ReadableProject,
    connection: ConnectionDep,
    session: SessionDep,
    rights: ProjectRights,
) -> HTMLResponse:
    """The round's own page; a round that waits for images says so."""
    opened = open_round(project, connection, round_key)
    approvals = dag_runs.waiting_approvals(session, project.project) if rights.approvals else ()
    if opened is None:
        row = round_pages.row_of(project, round_key, session, rights)
        if row is None:
            raise HTTPException(404, f"Project {project.project} has no round {round_key!r}.")
        return render(
            request, "round_empty.html", project=project, key=round_key, row=row, approvals=approvals
        )
    files = opened.files
    numbers = gallery_page(opened.order(GalleryQuery()), 1, size=FIRST_LOOK).numbers
    progress, first = side_by_side(
        connection.cache,
        lambda: job_progress(connection.cache, files),
        lambda: opened.shown(numbers),
    )
    jobs, live_problem = round_pages.shown_jobs(opened, progress)
    # Last: it may begin to list all rounds in the background, and this page's own reads would queue behind.
    row = round_pages.row_of(project, round_key, session, rights)
    return render(
        request,
        "round.html",
        images_from=image_origins(connection, (image.source_ref for image in first)),
        project=project,
        key=round_key,
        row=row,
        rights=rights,
        files=files,
        plan=files.plan,
        report=files.report,
        verdict=files.verdict,
        approvals=approvals,
        jobs=jobs,
        problems=[*files.problems, *([live_problem] if live_problem else [])],
        steps=funnel(opened.images),
        sum=conservation(files, opened.images),
        counts=opened.images.counts(),
        first=first,
        legend=round_pages.legend_of(first),
        thumbnails=opened.with_thumbnail(first),
        histogram=agreement_histogram(opened.images),
        confusion=confusion_matrix(files.report.agreement.confusion) if files.report else None,
        workers=workers_worst_first(files.report) if files.report else [],
        checks=round_pages.shown_checks(opened),
        portal=workers_portal(project.aws_conn_id, project.labeling.workteam_arn),
        docs=connection.object_page(files.folder.data_docs / "index.html") if files.verdict else None,
        query={},
        **_words(),
    )


@router.get("/images")
def round_images(
    request: Request, opened: RoundDep, query: GalleryDep, page: Annotated[int, Query(ge=1)] = 1
) -> HTMLResponse:
    """The images of a round, the lowest agreement first."""
    shown_page = gallery_page(opened.order(query), page)
    shown = opened.shown(shown_page.numbers)
    asked = _asked(query)
    key, project = opened.key, opened.project
    return render(
        request,
        "round_images.html",
        images_from=image_origins(opened.connection, (image.source_ref for image in shown)),
        project=project,
        key=key,
        total=len(opened.images),
        page=shown_page,
        page_address=lambda number: addresses(request).round_images(
            project.project, key, **asked, page=number if number > 1 else None
        ),
        images=shown,
        legend=round_pages.legend_of(shown),
        thumbnails=opened.with_thumbnail(shown),
        query=asked,
        filter=query,
        **round_pages.filter_choices(opened),
        **_words(),
    )


@router.get("/images/{number}")
def round_image(
    request: Request, number: int, planned: ImageDep, opened: RoundDep, query: GalleryDep
) -> HTMLResponse:
    """One image with every worker's boxes and the fused ones."""
    [image] = opened.shown([number])
    before, after, place = neighbours(order := opened.order(query), number)
    replaced, unseen = _state_of(opened, planned)
    return render(
        request,
        "round_image.html",
        images_from=image_origins(opened.connection, [image.source_ref]),
        project=opened.project,
        key=opened.key,
        image=image,
        drawn=[
            ("fused", image.fused),
            *((answer.worker, answer.boxes) for answer in image.workers),
            ("Ground Truth", image.ground_truth),
        ],
        has_thumbnail=number in opened.with_thumbnail([image]),
        unseen=unseen,
        replaced=replaced,
        disputes=disputed_boxes(opened.files.report, image),
        before=before,
        after=after,
        place=place,
        found=len(order),
        checks=round_pages.failed_checks_of(opened, number),
        query=_asked(query),
        **_words(),
    )


@router.get("/images/{number}/thumbnail")
def thumbnail(
    request: Request, number: int, image: ImageDep, project: ReadableProject, connection: ConnectionDep
) -> Response:
    """The small picture of an image; one that has none leads on to the image itself."""
    data = thumbnail_of(connection.cache, image.folder, image.source_ref, image.etag)
    if data is None:
        address = addresses(request).original(project.project, image.folder.key, number)
        return RedirectResponse(address, status_code=307, headers=COMMON_HEADERS)
    # Kept by the one browser that was shown it: the address changes with the image.
    kept = {"Cache-Control": "private, max-age=86400"}
    return Response(data, media_type=CONTENT_TYPE, headers=kept | COMMON_HEADERS)


@router.get("/images/{number}/original")
def original(image: ImageDep, connection: ConnectionDep) -> Response:
    """On to the image in S3; Airflow logs this address, never the signed one."""
    if image.uri is None:
        raise HTTPException(404, f"{image.source_ref} is not in S3.")
    return lead_to_image(connection, image.uri)


def _state_of(opened: OpenedRound, planned: PlannedImage) -> tuple[bool, str]:
    """Whether another image lies there now, and why none can be shown: the page stands without it."""
    if planned.uri is None:
        return False, "The image does not lie in S3."
    try:
        stored = opened.connection.storage.head(planned.uri)
    except StorageError as error:  # of its own bucket, which may be another than the project's
        return False, str(error)
    if stored is None:
        return False, "The image cannot be found in S3; it may have been deleted or moved."
    return stored.etag != planned.etag, ""


def _asked(query: GalleryQuery) -> dict[str, str]:
    """What of a query stands in addresses."""
    given = {name: str(getattr(query, name)) for name in ("status", "category", "worker", "check")}
    if query.order != "lowest":
        given["order"] = query.order
    return {name: value for name, value in given.items() if value}


def _words() -> dict[str, object]:
    return {
        "statuses_in_words": round_pages.STATUSES,
        "severities": round_pages.SEVERITIES,
        "consequences": round_pages.CONSEQUENCES,
    }
