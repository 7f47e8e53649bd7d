"""What of the rounds' rows a user may see: runs and versions belong to Dags that Airflow asks for apart."""

from __future__ import annotations

from dataclasses import replace

from labeling_ui.access import Rights
from labeling_ui.project_lists import ProjectList
from labeling_ui.round_list import Row


def visible_list(listed: ProjectList, rights: Rights) -> ProjectList:
    """The list without the runs and versions that the user may not read."""
    rows = tuple(visible_row(row, rights) for row in listed.rows)
    return replace(listed, rows=rows, latest=listed.latest if rights.versions else "")


def visible_row(row: Row, rights: Rights) -> Row:
    """The row; without its run, and the state that comes of it, where such runs may not be read."""
    if not rights.versions:
        row = replace(row, version="")
    if row.run is not None and row.run.dag_id not in rights.runs:
        # What S3 tells of the round stays; whether anything runs is the run's to tell.
        row = replace(row, run=None, live=(), group="planned", state="Not recorded yet")
        if row.is_recorded:
            row = replace(row, group="recorded", state="Recorded")
    return row
