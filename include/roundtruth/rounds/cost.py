"""What a round costs: estimated before any job is created, counted when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from roundtruth.errors import RoundError
from roundtruth.labeling_settings import Labeling
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob
from roundtruth.storage import Storage


@dataclass(frozen=True, kw_only=True)
class RoundPrice:
    """US dollars; ``relabel_usd`` is what the relabel passes cost at most, when every image is disputed."""

    labeling_usd: float
    relabel_usd: float

    @property
    def most_usd(self) -> float:
        """The round's price at most."""
        return round(self.labeling_usd + self.relabel_usd, 2)


def estimate_price(project: Project, *, images: int, category_chunks: int, gold: int = 0) -> RoundPrice:
    """AWS's fee an object and, for a public team, the workers' reward an answer.

    :param gold: gold images, over all parts of the round: in its first jobs only.
    """
    labeling, consensus = project.labeling, project.consensus
    first_objects = (images + gold) * category_chunks
    first = labeling.fee_usd(first_objects) + first_objects * labeling.workers_per_object * _reward(labeling)
    passes = consensus.relabel_passes if labeling.workers_per_object > 1 else 0
    objects = images * category_chunks * passes
    again = labeling.fee_usd(objects, after=first_objects)
    again += objects * consensus.relabel_workers * _reward(labeling)
    return RoundPrice(labeling_usd=round(first, 2), relabel_usd=round(again, 2))


def price_terms(project: Project) -> str:
    """How the price comes about, in words: ``0.08 USD fee an image and job, 3 answers at 0.036 USD``."""
    labeling = project.labeling
    steps = labeling.service_fee_usd
    if isinstance(steps, tuple):
        fee = ", ".join(
            f"{step.usd:g} USD" + (f" up to {step.up_to:,} objects" if step.up_to else " from there on")
            for step in steps
        )
    else:
        fee = f"{steps:g} USD"
    answers = f"{labeling.workers_per_object} answers" if labeling.workers_per_object > 1 else "1 answer"
    paid = f"at {_reward(labeling):g} USD each" if _reward(labeling) else "by your own team"
    consensus = project.consensus
    again = ""
    if consensus.relabel_passes and labeling.workers_per_object > 1:
        passes = f"up to {consensus.relabel_passes} times" if consensus.relabel_passes > 1 else "once"
        again = f"; disputed images {passes} more, {consensus.relabel_workers} answers"
    return f"AWS's fee an image and job {fee}; {answers} {paid}{again}"


def check_budget(project: Project, round_key: str, price: RoundPrice) -> None:
    """Stop a round that may cost more than the project allows.

    :raises RoundError: saying by how much.
    """
    if project.budget_usd is not None and price.most_usd > project.budget_usd:
        raise RoundError(
            f"Round {round_key!r} of project {project.project!r} may cost {price.most_usd:.2f} USD "
            f"({price.labeling_usd:.2f} and up to {price.relabel_usd:.2f} for relabeling), "
            f"{price.most_usd - project.budget_usd:.2f} over budget_usd {project.budget_usd:.2f}; "
            "raise the budget, or take fewer images with selection.max_images."
        )


def spent_usd(storage: Storage, project: Project, folder: RoundFolder, jobs: Iterable[PlannedJob]) -> float:
    """What jobs cost by what came back of them, in US dollars: fees and rewards, gold images with them.

    An object counts when Ground Truth labeled it or anyone answered it, a reward for each answer: objects
    that failed unseen, or that a job which stopped early never showed, cost nothing. Of a job whose results
    were never collected, the price in the plan counts. Imported jobs were paid before the round.
    """
    labeling = project.labeling
    objects = 0
    rewards = 0
    for job in jobs:
        if job.imported is not None:
            continue
        inputs = folder.job(job.name)
        if storage.head(inputs.objects) is None:
            planned = job.images + len(job.gold)
            objects, rewards = objects + planned, rewards + planned * job.workers
            continue
        found = read_job_table(storage, inputs.objects, OBJECTS)
        objects += int((found["status"].isin(["labeled", "negative"]) | (found["answers"] > 0)).sum())
        rewards += int(found["answers"].sum())
    return round(labeling.fee_usd(objects) + rewards * _reward(labeling), 2)


def _reward(labeling: Labeling) -> float:
    return labeling.price_per_task.usd if labeling.price_per_task else 0.0
