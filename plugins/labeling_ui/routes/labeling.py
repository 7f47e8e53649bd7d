"""The list of all projects with their rounds: filtered, sorted and paged by its address alone."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from labeling_ui import deployment
from labeling_ui.access import ReadableProjects, broken_projects, reads_some_dag, rights_of
from labeling_ui.live_jobs import job_page
from labeling_ui.pages import addresses, render
from labeling_ui.project_lists import ProjectList, list_projects, with_counters
from labeling_ui.round_list import GROUPS, PAGE_SIZES, SORTS, Row, page_of, sort_rows
from labeling_ui.visible_lists import visible_list
from roundtruth.rounds.folder import round_folder

router = APIRouter(dependencies=[Depends(reads_some_dag)])
BrokenProjects = Annotated[tuple[str, ...], Depends(broken_projects)]
# Columns and which way a first click sorts them: the largest first, but names and what is too low.
COLUMNS = {
    "round": ("Round", True),
    "project": ("Project", False),
    "state": ("State", False),
    "images": ("Images", True),
    "labeled": ("Labeled", False),
    "agreement": ("Agreement", False),
    "disputed": ("Disputed", True),
    "quality": ("Quality", False),
    "cost": ("Cost", True),
    "version": ("Version", True),
}


@router.get("/")
def rounds(
    request: Request,
    projects: ReadableProjects,
    broken: BrokenProjects,
    user: GetUserDep,
    session: SessionDep,
    project: str = "",
    state: str = "",
    sort: str = "round",
    order: str = "",
    page: Annotated[int, Query(ge=1)] = 1,
    per: int = PAGE_SIZES[1],
) -> HTMLResponse:
    """All rounds of the projects that the user may read."""
    sort = sort if sort in SORTS else "round"
    descending = order == "desc" if order in ("asc", "desc") else COLUMNS[sort][1]
    per = per if per in PAGE_SIZES else PAGE_SIZES[1]
    wanted = [one for one in projects if project in ("", one.project)]
    rights = rights_of([one.project for one in wanted], user)
    listed = list_projects(wanted, session)
    lists = [visible_list(one, rights[one.project.project]) for one in listed]
    rows = [row for one in lists for row in one.rows if state in ("", row.group)]
    shown = page_of(sort_rows(rows, sort, descending=descending), page, per)
    live, problems = with_counters(lists, shown.rows)
    asked = {"project": project, "state": state, "per": per if per != PAGE_SIZES[1] else None}
    return render(
        request,
        "labeling.html",
        lists=lists,
        rights=rights,
        is_live=any(one.running or not one.is_complete for one in lists),
        names=[one.project for one in projects],
        broken=broken,
        problems=sorted(problems),
        page=shown,
        rows=[(row, _links(row, lists)) for row in live],
        columns=_columns(request, asked, sort, descending),
        asked=asked,
        sort=sort,
        order="desc" if descending else "asc",
        page_address=lambda number: addresses(request).labeling(
            **asked, sort=sort, order="desc" if descending else "asc", page=number
        ),
        project=project,
        state=state,
        per=per,
        groups=GROUPS,
        sizes=PAGE_SIZES,
    )


def _columns(request: Request, asked: dict[str, Any], sort: str, descending: bool) -> list[dict[str, Any]]:
    """Each column's name, address to sort by it, and how it is sorted now."""
    pages = addresses(request)
    columns = []
    for key, (title, first) in COLUMNS.items():
        then = not descending if key == sort else first
        columns.append(
            {
                "key": key,
                "title": title,
                "address": pages.labeling(**asked, sort=key, order="desc" if then else "asc"),
                "sorted": ("descending" if descending else "ascending") if key == sort else None,
            }
        )
    return columns


def _links(row: Row, lists: list[ProjectList]) -> list[dict[str, str]]:
    """Where else to look: the run, the labeling job in AWS's console, Data Docs."""
    project = next(one.project for one in lists if one.project.project == row.project)
    links = []
    if row.run is not None:
        links.append({"title": "Dag run", "address": row.run.page, "opens": "airflow"})
    # One job is linked here; of several the round's own page has all.
    console = job_page(project.aws_conn_id, row.jobs[0]) if len(row.jobs) == 1 else None
    if console:
        links.append({"title": "Labeling job", "address": console, "opens": "window"})
    if row.quality:
        docs = round_folder(project, row.key).data_docs / "index.html"
        page = deployment.connected(project).object_page(docs)
        links.append({"title": "Data Docs", "address": page, "opens": "window"})
    return links
