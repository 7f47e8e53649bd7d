"""Plan a round: take its images, split them into jobs, price them; written once, before anything is paid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType

import pandas as pd

from roundtruth.annotations import table, to_parquet
from roundtruth.errors import ImageError
from roundtruth.image_headers import read_image_headers
from roundtruth.project import Project
from roundtruth.rounds.arrivals import find_arrivals
from roundtruth.rounds.cost import check_budget, estimate_price
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.gold import choose_gold
from roundtruth.rounds.history import read_history
from roundtruth.rounds.names import job_name
from roundtruth.rounds.planned import PLANNED, PlannedJob, PlannedTable, RoundPlan, encode_plan, read_plan
from roundtruth.rounds.selection import select_images
from roundtruth.storage import ObjectUri, Storage, StoredObject

NO_GOLD: Mapping[int, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A plan that nothing holds to yet, and its table of images."""

    plan: RoundPlan
    images: pd.DataFrame
    table: bytes
    gold_truth: bytes = b""


def draft_plan(storage: Storage, project: Project, round_key: str) -> Draft:
    """Plan a round without writing anything; the same images and history give the same plan.

    :raises RoundError: when the key cannot name a round, or the price is over the budget.
    :raises StorageError: when the images cannot be listed.
    """
    folder = round_folder(project, round_key)
    candidates, images = _planned_images(storage, project, folder)
    readable = int((images["unreadable"] == "").sum())
    gold, gold_truth = choose_gold(
        storage, project, round_key, _part_sizes(images), set(images["source_ref"])
    )
    jobs = tuple(_jobs(project, round_key, images, gold))
    price = estimate_price(
        project,
        images=readable,
        category_chunks=len(_category_chunks(project)),
        gold=sum(len(refs) for refs in gold.values()),
    )
    check_budget(project, round_key, price)
    content = to_parquet(images, PLANNED)
    digest = hashlib.sha256(content).hexdigest()
    carried_over = int(images["carried_over"].sum())
    plan = RoundPlan(
        project=project.project,
        round=round_key,
        images=len(images),
        new=len(images) - carried_over,
        carried_over=carried_over,
        unreadable=len(images) - readable,
        left_out=candidates - len(images),
        jobs=jobs,
        labeling_usd=price.labeling_usd,
        relabel_usd=price.relabel_usd,
        planned=PlannedTable(file=f"planned-{digest[:12]}.parquet", sha256=digest),
        gold_truth=_gold_table(gold_truth),
    )
    return Draft(plan=plan, images=images, table=content, gold_truth=gold_truth)


def plan_round(storage: Storage, project: Project, round_key: str) -> RoundPlan | None:
    """Plan a round and write it down, or return the plan that was written before.

    None when fewer new images have arrived than ``images.minimum``: then nothing is written, and the images
    that earlier rounds carried over wait for a round with new ones.
    """
    folder = round_folder(project, round_key)
    existing = read_plan(storage, folder)
    if existing is not None:
        return existing
    draft = draft_plan(storage, project, round_key)
    if draft.plan.new < project.images.minimum:
        return None
    # The table's name holds its digest: a second planner cannot change what the first one's plan points at.
    storage.write(folder.uri / draft.plan.planned.file, draft.table)
    if draft.plan.gold_truth:
        storage.write(folder.uri / draft.plan.gold_truth.file, draft.gold_truth)
    if storage.write_if_absent(folder.plan, encode_plan(draft.plan)):
        return draft.plan
    return read_plan(storage, folder)


def _planned_images(storage: Storage, project: Project, folder: RoundFolder) -> tuple[int, pd.DataFrame]:
    """How many images the round could take, and those that it takes."""
    arrivals = find_arrivals(storage, project, folder.key)
    history = read_history(storage, project, without=folder.key)
    carried = history.carried_over
    rows: list[dict[str, object]] = []
    for stored, reason in [*((image, "") for image in arrivals.images), *arrivals.unusable]:
        identity = (str(stored.uri), stored.etag)
        if identity not in history.settled:
            rows.append(_row(stored, reason, carried_over=identity in carried))
    seen = {(str(row["source_ref"]), str(row["etag"])) for row in rows}
    rows += _carried_from_elsewhere(storage, carried - seen)
    candidates = table(rows, PLANNED)
    if project.selection.mode == "query":
        # The condition may ask for sizes; otherwise only what was chosen is worth a read.
        chosen = select_images(_with_headers(storage, candidates), project.selection, folder.key)
    else:
        chosen = _with_headers(storage, select_images(candidates, project.selection, folder.key))
    return len(candidates), _split_into_parts(chosen, project)


def _carried_from_elsewhere(
    storage: Storage, identities: frozenset[tuple[str, str]]
) -> Iterator[dict[str, object]]:
    """Carried-over images outside this round's window or folder; one that was replaced or deleted is gone."""
    uris = [ObjectUri.parse(source_ref) for source_ref, _ in sorted(identities)]
    for stored in storage.run_many(storage.head, uris):
        if stored is not None and (str(stored.uri), stored.etag) in identities:
            yield _row(stored, "", carried_over=True)


def _row(stored: StoredObject, unreadable: str, *, carried_over: bool) -> dict[str, object]:
    return {
        "source_ref": str(stored.uri),
        "etag": stored.etag,
        "bytes": stored.size,
        "last_modified": stored.last_modified,
        "unreadable": unreadable,
        "carried_over": carried_over,
        "part": 0,
    }


def _with_headers(storage: Storage, chosen: pd.DataFrame) -> pd.DataFrame:
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
    return table([{**row, **_no_size, **headers.get(str(row["source_ref"]), {})} for row in rows], PLANNED)


_no_size: dict[str, object] = {"width": None, "height": None, "orientation": None}


def _split_into_parts(images: pd.DataFrame, project: Project) -> pd.DataFrame:
    readable = images["unreadable"] == ""
    place = readable.cumsum() - 1
    gold = project.consensus.gold
    # Gold images count as objects too: images and their share together stay within the limit.
    size = max(1, int(project.labeling.max_objects_per_job / (1 + (gold.share if gold else 0))))
    return images.assign(part=(place.clip(lower=0) // size).astype("int32"))


def _part_sizes(images: pd.DataFrame) -> dict[int, int]:
    """How many images that people can look at each part has."""
    sizes = images[images["unreadable"] == ""].groupby("part").size()
    return {int(str(part)): int(size) for part, size in sizes.items()}


def _gold_table(content: bytes) -> PlannedTable | None:
    if not content:
        return None
    digest = hashlib.sha256(content).hexdigest()
    return PlannedTable(file=f"gold-{digest[:12]}.jsonl", sha256=digest)


def _category_chunks(project: Project) -> list[tuple[str, ...]]:
    size = project.labeling.max_categories_per_job
    return [project.categories[at : at + size] for at in range(0, len(project.categories), size)]


def _jobs(
    project: Project, round_key: str, images: pd.DataFrame, gold: Mapping[int, tuple[str, ...]] = NO_GOLD
) -> Iterator[PlannedJob]:
    numbers = count(1)
    for part, size in _part_sizes(images).items():
        for categories in _category_chunks(project):
            yield PlannedJob(
                name=job_name(project.project, round_key, next(numbers)),
                categories=categories,
                part=part,
                images=size,
                workers=project.labeling.workers_per_object,
                gold=gold.get(part, ()),
            )
