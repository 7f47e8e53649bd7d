"""What a round costs: estimated before any job is created."""

from __future__ import annotations

from dataclasses import dataclass

from roundtruth.errors import RoundError
from roundtruth.project import Project


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
    objects = images * category_chunks
    reward = labeling.price_per_task.usd if labeling.price_per_task else 0.0
    first_objects = (images + gold) * category_chunks
    first = first_objects * (labeling.service_fee_usd + labeling.workers_per_object * reward)
    again = objects * (labeling.service_fee_usd + consensus.relabel_workers * reward)
    passes = consensus.relabel_passes if labeling.workers_per_object > 1 else 0
    return RoundPrice(labeling_usd=round(first, 2), relabel_usd=round(again * passes, 2))


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
