"""Plan a round: take its images, split them into jobs, price them; written once, before anything is paid."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType

import pandas as pd

from roundtruth.annotations import to_parquet
from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.candidates import take_images
from roundtruth.rounds.cost import check_budget, estimate_price, price_terms
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.gold import choose_gold
from roundtruth.rounds.names import job_name
from roundtruth.rounds.planned import PLANNED, PlannedJob, PlannedTable, RoundPlan, encode_plan, read_plan
from roundtruth.rounds.requested import NOTHING_ASKED, RoundRequest, as_requested
from roundtruth.rounds.turns import Wish, take_turn
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

NO_GOLD: Mapping[int, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A plan that nothing holds to yet, and its table of images."""

    plan: RoundPlan
    images: pd.DataFrame
    table: bytes
    gold_truth: bytes = b""
    left_out: bytes = b""


def draft_plan(
    storage: Storage, project: Project, round_key: str, request: RoundRequest = NOTHING_ASKED
) -> Draft:
    """Plan a round without writing anything; the same images and history give the same plan.

    :param request: what was asked for by who started the round by hand.

    :raises RoundError: when the key cannot name a round, or the price is over the budget.
    :raises StorageError: when the images cannot be listed.
    """
    folder = round_folder(project, round_key)
    taken = take_images(storage, as_requested(project, request), folder, request)
    images = _split_into_parts(taken.images, project)
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
        left_out=taken.candidates - len(images),
        left_out_images=_table_of("left-out", taken.left_out_table, "parquet"),
        drawn_by=taken.drawn_by,
        jobs=jobs,
        labeling_usd=price.labeling_usd,
        relabel_usd=price.relabel_usd,
        planned=PlannedTable(file=f"planned-{digest[:12]}.parquet", sha256=digest),
        gold_truth=_table_of("gold", gold_truth, "jsonl"),
        requested=request if request != NOTHING_ASKED else None,
    )
    return Draft(
        plan=plan, images=images, table=content, gold_truth=gold_truth, left_out=taken.left_out_table
    )


def plan_round(
    storage: Storage, project: Project, round_key: str, request: RoundRequest = NOTHING_ASKED
) -> RoundPlan | None:
    """Plan a round and write it down, or return the plan that was written before.

    None when fewer new images have arrived than ``images.minimum``: then nothing is written, and the images
    that earlier rounds carried over wait for a round with new ones, or for one that asks for them. None too
    for an imported round: its jobs are over.

    :raises RoundError: as draft_plan, and when the round is planned already with other images than asked for.
    :raises StorageError: as draft_plan, and when other rounds keep being planned at the same time.
    """
    folder = round_folder(project, round_key)
    plan = read_plan(storage, folder)
    if plan is None:
        # Another round may be planned or imported at this moment: they must not take the same images.
        take_turn(storage, project, lambda: _wanted_plan(storage, project, folder, request))
        plan = read_plan(storage, folder)
    if plan is None:
        return None
    if plan.imported:
        log.info("round %s holds jobs that were imported: it is done, and nothing is labeled", round_key)
        return None
    _require_same_images(plan, request)
    log.info(
        "round %s: %d images, %d jobs, %.2f USD and up to %.2f for relabeling (%s)",
        *(round_key, plan.images, len(plan.jobs), plan.labeling_usd, plan.relabel_usd, price_terms(project)),
    )
    return plan


def _wanted_plan(
    storage: Storage, project: Project, folder: RoundFolder, request: RoundRequest
) -> Wish | None:
    """What plan.json would hold by now, its tables written; None when it is there, or too few images are."""
    if storage.head(folder.plan) is not None:
        return None
    draft = draft_plan(storage, project, folder.key, request)
    found = draft.plan.images if request.names_images else draft.plan.new
    minimum = as_requested(project, request).images.minimum
    if found < minimum:
        log.warning("round %s is skipped: %d new images, images.minimum is %d", folder.key, found, minimum)
        return None
    # The table's name holds its digest: a second planner cannot change what the first one's plan points at.
    storage.write(folder.uri / draft.plan.planned.file, draft.table)
    if draft.plan.gold_truth:
        storage.write(folder.uri / draft.plan.gold_truth.file, draft.gold_truth)
    if draft.plan.left_out_images:
        storage.write(folder.uri / draft.plan.left_out_images.file, draft.left_out)
    return Wish(uri=folder.plan, data=encode_plan(draft.plan))


def _require_same_images(existing: RoundPlan, request: RoundRequest) -> None:
    planned_for = existing.requested or NOTHING_ASKED
    if request.names_images and planned_for.images_asked != request.images_asked:
        raise RoundError(
            f"Round {existing.round!r} of project {existing.project!r} is planned already, with other images "
            "than are asked for now; give the new round a key of its own."
        )


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


def _table_of(name: str, content: bytes, suffix: str) -> PlannedTable | None:
    if not content:
        return None
    digest = hashlib.sha256(content).hexdigest()
    return PlannedTable(file=f"{name}-{digest[:12]}.{suffix}", sha256=digest)


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
