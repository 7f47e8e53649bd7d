"""Which images a round takes: of those that arrived, were left by earlier rounds, were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import table, to_parquet
from roundtruth.errors import ImageError, RoundError
from roundtruth.image_headers import read_image_headers
from roundtruth.project import Project
from roundtruth.rounds.arrivals import IMAGE_SUFFIXES, each_arrival
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.planned import LEFT_OUT, PLANNED
from roundtruth.rounds.requested import RoundRequest, asked_folder, asked_sources
from roundtruth.rounds.selection import images_where, select_images
from roundtruth.storage import ObjectUri, Storage, StoredObject


@dataclass(frozen=True, kw_only=True)
class TakenImages:
    """The images of a round (PLANNED), out of so many candidates, and those that later rounds must know of.

    ``left_out_table`` is a table of LEFT_OUT, empty where no image has to be remembered.
    """

    images: pd.DataFrame
    candidates: int
    left_out_table: bytes
    drawn_by: str


def take_images(
    storage: Storage, project: Project, folder: RoundFolder, request: RoundRequest
) -> TakenImages:
    """Find the candidates and choose among them.

    A candidate is an image of the round's partition that no other round holds, one that an earlier round
    carried over, and one that waits because ``max_images`` cut it off there. An image that lost a random draw
    is none, as long as the draw is the same (fraction and seed): it is drawn once.
    """
    history = read_history(storage, project, without=folder.key)
    drawn_by = project.selection.drawn_by
    lost = history.lost_draws.get(drawn_by, frozenset())
    carried, waiting = history.carried_over, history.waiting
    rows: list[dict[str, object]] = []
    there: set[str] = set()
    for stored, reason in each_arrival(storage, project, folder.key):
        identity = (str(stored.uri), stored.etag)
        if request.names_images:
            there.add(identity[0])
        if identity not in history.settled and identity not in lost:
            rows.append(planned_row(stored, reason, carried_over=identity in carried))
    seen = {(str(row["source_ref"]), str(row["etag"])) for row in rows}
    rows += _from_elsewhere(storage, carried - seen, carried_over=True)
    rows += _from_elsewhere(storage, waiting - seen, carried_over=False)
    if request.names_images:
        rows = _asked_for(project, request, rows, there)
    candidates = table(rows, PLANNED)
    if request.where:
        candidates = images_where(with_headers(storage, candidates), request.where)
    by_query = project.selection.mode == "query"
    # The condition may ask for sizes; otherwise only what was chosen is worth a read.
    selected = select_images(
        with_headers(storage, candidates) if by_query else candidates,
        project.selection,
        folder.key,
        drawn=frozenset(ref for ref, _ in waiting),
    )
    # Without a partition, what was cut off is a candidate again anyway: nothing needs to be remembered,
    # unless it won a draw.
    remembered = project.images.partition != "none" or bool(drawn_by)
    cut_off = selected.over_limit[~selected.over_limit["carried_over"]] if remembered else candidates[:0]
    return TakenImages(
        images=selected.chosen if by_query else with_headers(storage, selected.chosen),
        candidates=len(candidates),
        left_out_table=_left_out_table(cut_off, selected.lost_draw),
        drawn_by=drawn_by,
    )


def _asked_for(
    project: Project, request: RoundRequest, rows: list[dict[str, object]], there: set[str]
) -> list[dict[str, object]]:
    asked = asked_sources(project, request)
    missing = sorted(asked - there)
    if missing:
        raise RoundError(
            f"{len(missing)} images that are asked for are not there, such as {missing[0]}; "
            f"images end in {', '.join(IMAGE_SUFFIXES)}."
        )
    start = f"s3://{project.images_uri.bucket}/{asked_folder(project, request)}"
    return [
        row
        for row in rows
        if str(row["source_ref"]).startswith(start) and (not asked or row["source_ref"] in asked)
    ]


def _from_elsewhere(
    storage: Storage, identities: frozenset[tuple[str, str]], *, carried_over: bool
) -> Iterator[dict[str, object]]:
    """Images outside this round's window or folder; one that was replaced or deleted is gone."""
    uris = [ObjectUri.parse(source_ref) for source_ref, _ in sorted(identities)]
    for stored in storage.run_many(storage.head, uris):
        if stored is not None and (str(stored.uri), stored.etag) in identities:
            yield planned_row(stored, "", carried_over=carried_over)


def _left_out_table(cut_off: pd.DataFrame, lost_draw: pd.DataFrame) -> bytes:
    frame = pd.concat([cut_off.assign(lost_draw=False), lost_draw.assign(lost_draw=True)], ignore_index=True)
    if frame.empty:
        return b""
    return to_parquet(frame.sort_values("source_ref", kind="stable")[LEFT_OUT.names], LEFT_OUT)


def planned_row(stored: StoredObject, unreadable: str, *, carried_over: bool) -> dict[str, object]:
    """A row of PLANNED, its header unread; ``unreadable`` is the reason, or empty."""
    return {
        "source_ref": str(stored.uri),
        "etag": stored.etag,
        "bytes": stored.size,
        "last_modified": stored.last_modified,
        "unreadable": unreadable,
        "carried_over": carried_over,
        "part": 0,
    }


def with_headers(storage: Storage, chosen: pd.DataFrame) -> pd.DataFrame:
    """Read size and orientation of each image before people are paid to look at it."""
    readable = [
        StoredObject(uri=ObjectUri.parse(ref), size=size, etag=etag, last_modified=moment)
        for ref, size, etag, moment, reason in zip(
            chosen["source_ref"],
            chosen["bytes"],
            chosen["etag"],
            chosen["last_modified"],
            chosen["unreadable"],
            strict=True,
        )
        if not reason
    ]
    headers: dict[str, dict[str, object]] = {}
    for stored, header in read_image_headers(storage, readable):
        headers[str(stored.uri)] = (
            {"unreadable": str(header)}
            if isinstance(header, ImageError)
            else {"width": header.width, "height": header.height, "orientation": header.orientation}
        )
    rows: list[dict[str, object]] = chosen.to_dict("records")  # type: ignore[assignment]  # str keys
    for row in rows:
        if row["last_modified"] is pd.NaT:  # of an image that is gone nobody knows the time
            row["last_modified"] = None
    return table([{**row, **_no_size, **headers.get(str(row["source_ref"]), {})} for row in rows], PLANNED)


_no_size: dict[str, object] = {"width": None, "height": None, "orientation": None}
