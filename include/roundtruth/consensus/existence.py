"""Which groups of boxes are objects: a probability a group, from who drew it and who did not.

Dawid–Skene over "drew it or not", with three things that the plain model lacks and real answers need: an
object's difficulty (a latent effect as in Rasch's model, hard or easy, and covariates such as size and
crowding, the same for all workers), so that objects many overlook are not thrown away; false boxes that
several workers draw at the same distracting place; and groups that nobody drew, of which the data hold none
(the expected number of each kind, Dawid–Skene conditional on having been seen).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.grouped_boxes import Opinions
from roundtruth.consensus.matching import Bools, Floats
from roundtruth.consensus.noticing import (
    FALSE_PLACE,
    OBJECT,
    RIDGE,
    Likelihood,
    Side,
    improved_side,
    likelihood,
    logistic,
    newton_step,
    tell,
    usual_side,
)
from roundtruth.consensus.parts import Keep, Totals

_MORE_REAL = 0.0  # log odds of object against false place
# People err together (one distracting shadow, one hidden leg), more than any model here knows, so votes say
# less than independent ones would. Real answers are best predicted by .5 to .6 of the log odds, simulated
# independent ones by all of them.
_CORRELATED = 0.7
_LEAST_ITERATIONS, _ITERATIONS = 4, 30
# Where careless people outnumber the others, two explanations feed themselves: all draw false boxes, or most
# overlook everything. Two boxes in one place are no coincidence, so the search starts on that side.
_HEAD_START, _HEAD_START_ITERATIONS = 2.0, 3
_SETTLED = 3e-4  # mean change of a probability


@dataclass(frozen=True, kw_only=True, eq=False)
class ExistenceSkill:
    """How likely each worker draws an object and a false place, in log odds; one entry a worker.

    ``*_weight``: information behind each (the inverse of its variance), 0 for a worker never seen.
    """

    draws: Floats
    draws_weight: Floats
    false: Floats
    false_weight: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Existence:
    """``real``: probability that each group is an object, given its answers.

    ``judged``: whether somebody who drew it is known from earlier rounds.
    """

    real: Floats
    judged: Bools
    skill: ExistenceSkill


@dataclass(frozen=True, kw_only=True, eq=False)
class Noticed:
    """A part: who drew which group, and what else is known of each group.

    ``covariates``: centred over all parts, shape (groups, any). ``evidence``: log likelihood ratio for
    "object" of its categories.
    """

    opinions: Opinions
    covariates: Floats
    evidence: Floats


def estimate_existence(
    opinions: Opinions, covariates: Floats, evidence: Floats, known: ExistenceSkill
) -> Existence:
    """``existence_of_parts`` of a round that is one part."""
    part = Noticed(opinions=opinions, covariates=covariates, evidence=evidence)
    (existence,) = existence_of_parts([part], known)
    return existence


def existence_of_parts(
    parts: Collection[Noticed], known: ExistenceSkill, *, keep: Keep = list
) -> Collection[Existence]:
    """Estimate which groups are objects, and how workers notice them, who are the same in all parts.

    :param known: what earlier rounds say.
    """
    width = next(iter(parts)).covariates.shape[1]
    workers = len(known.draws)
    real = usual_side(OBJECT, workers, width)
    false = usual_side(FALSE_PLACE, workers, width)
    odds = np.zeros(width + 1)
    odds[0] = _MORE_REAL
    probability = keep(np.zeros(len(part.evidence)) for part in parts)
    for iteration in range(_ITERATIONS):
        totals = Totals()
        head_start = _HEAD_START if iteration < _HEAD_START_ITERATIONS else 0.0
        probability = keep(
            _explained(part, before, (real, false), odds, head_start, totals)
            for part, before in zip(parts, probability, strict=True)
        )
        real = improved_side(OBJECT, real, totals, (known.draws, known.draws_weight))
        false = improved_side(FALSE_PLACE, false, totals, (known.false, known.false_weight))
        odds = _improved_odds(odds, totals)
        groups, change = totals["groups"], totals["change"]
        if iteration > _LEAST_ITERATIONS and groups and change / groups < _SETTLED:
            break
    skill = ExistenceSkill(
        draws=real.worker,
        draws_weight=totals[f"{OBJECT.name}_carried"] + known.draws_weight,
        false=false.worker,
        false_weight=totals[f"{FALSE_PLACE.name}_carried"] + known.false_weight,
    )
    return keep(
        Existence(real=_tempered(one), judged=_judged(part.opinions, known), skill=skill)
        for part, one in zip(parts, probability, strict=True)
    )


def _judged(opinions: Opinions, known: ExistenceSkill) -> Bools:
    judged: Bools = opinions.sum(opinions.drew * (known.draws_weight > 0)[opinions.worker]) > 0
    return judged


def _explained(
    part: Noticed, before: Floats, sides: tuple[Side, Side], odds: Floats, head_start: float, totals: Totals
) -> Floats:
    """The E-step of a part: the probability of each group; what it tells of the workers joins the totals."""
    probability = np.empty(len(before))
    for opinions, groups in part.opinions.pieces():
        piece = Noticed(opinions=opinions, covariates=part.covariates[groups], evidence=part.evidence[groups])
        probability[groups] = _explained_piece(piece, before[groups], sides, odds, head_start, totals)
    return probability


def _explained_piece(
    part: Noticed, before: Floats, sides: tuple[Side, Side], odds: Floats, head_start: float, totals: Totals
) -> Floats:
    opinions, covariates = part.opinions, part.covariates
    design = np.concatenate([np.ones((len(before), 1)), covariates], axis=1)
    prior = logistic(design @ odds)
    likely = (
        likelihood(OBJECT, opinions, covariates, sides[0]),
        likelihood(FALSE_PLACE, opinions, covariates, sides[1]),
    )
    start = head_start * (opinions.sum(opinions.drew) > 1)
    shares, unseen = _explain(prior, likely, part.evidence + start)
    probability: Floats = shares[0].sum(axis=1)
    tell(OBJECT, opinions, covariates, sides[0], shares[0], unseen[0], totals)
    tell(FALSE_PLACE, opinions, covariates, sides[1], shares[1], unseen[1], totals)
    real, false = probability + unseen[0].sum(axis=1), shares[1].sum(axis=1) + unseen[1].sum(axis=1)
    of_group = real + false
    totals.add(
        groups=len(before),
        change=float(np.abs(probability - before).sum()),
        odds_gradient=design.T @ (real - of_group * prior),
        odds_bend=(design * (of_group * prior * (1 - prior))[:, None]).T @ design,
    )
    return probability


def _explain(
    prior: Floats, parts: tuple[Likelihood, Likelihood], evidence: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The E-step: the share of each side and point in each group, and the unseen groups it stands for."""
    share_of = (prior[:, None] * OBJECT.shares, (1 - prior)[:, None] * FALSE_PLACE.shares)
    logs = (parts[0].log + evidence[:, None], parts[1].log)
    top = np.maximum(logs[0].max(axis=1), logs[1].max(axis=1))[:, None]
    likely = [share * np.exp(log - top) for share, log in zip(share_of, logs, strict=True)]
    total = (likely[0].sum(axis=1) + likely[1].sum(axis=1))[:, None]
    seen = sum((share * (1 - part.unseen)).sum(axis=1) for share, part in zip(share_of, parts, strict=True))
    seen = np.maximum(seen, 1e-9)[:, None]
    unseen = [share * part.unseen / seen for share, part in zip(share_of, parts, strict=True)]
    return (likely[0] / total, likely[1] / total), (unseen[0], unseen[1])


def _improved_odds(odds: Floats, totals: Totals) -> Floats:
    """A step for the log odds of object against false place, which also depend on the covariates."""
    start = np.zeros(len(odds))
    start[0] = _MORE_REAL
    gradient = totals["odds_gradient"] - RIDGE * (odds - start)
    bend = totals["odds_bend"] + RIDGE * np.eye(len(odds))
    result: Floats = odds + newton_step(np.linalg.solve(bend, gradient))
    return result


def _tempered(probability: Floats) -> Floats:
    held = np.clip(probability, 1e-12, 1 - 1e-12)
    return logistic(_CORRELATED * (np.log(held) - np.log1p(-held)))
