"""What gold images say of workers, as a prior of the same round: who fails them counts less at once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from roundtruth.consensus.gold import GoldCounts
from roundtruth.consensus.place import REFERENCE_SIDE
from roundtruth.consensus.worker_skills import DECAY, WorkerSkill, WorkerSkills

_USUAL_RECALL, _USUAL_OBJECTS = 0.88, 2.0  # as existence.py; that pull a few gold objects towards the usual
_USUAL_FALSE = -2.5  # log odds, as existence.py
# Whoever drew the truth may have left out what is tiny or far away (the experts of the real pedestrians did),
# so a box beside it says less than a missed object: a quarter of its weight.
_FALSE_BOX_TRUST = 0.25


def with_gold(skills: WorkerSkills, counts: Mapping[str, GoldCounts]) -> WorkerSkills:
    """The skills that a round with gold images starts from: what was known before, and what gold says.

    Recall, categories and place count in full: gold is the truth there. False boxes are compared with what
    everybody drew beside the truth of these images, and count little. The result is for
    ``measure_consensus`` of the same round; the skills after the round hold it once.

    :param counts: by pseudonym (``gold.gold_counts``).
    """
    answers = sum(one.answers for one in counts.values())
    rate = sum(one.false_boxes for one in counts.values()) / max(answers, 1)
    renewed = dict(skills.workers)
    for name, one in counts.items():
        before = renewed.get(name, WorkerSkill())
        renewed[name] = _placed(_existing(before, one, one.answers * rate), one)
    return WorkerSkills(workers={name: renewed[name] for name in sorted(renewed)})


def _existing(before: WorkerSkill, gold: GoldCounts, usual_false: float) -> WorkerSkill:
    """Noticing, false boxes and categories.

    :param usual_false: boxes beside the truth that the usual worker draws in so many answers.
    """
    recall = (gold.found + _USUAL_RECALL * _USUAL_OBJECTS) / (gold.objects + _USUAL_OBJECTS)
    draws, draws_weight = _joined(
        (before.draws, before.draws_weight),
        (float(np.log(recall / (1 - recall))), gold.objects * recall * (1 - recall)),
    )
    false, false_weight = _joined(
        (before.false, before.false_weight),
        (
            _USUAL_FALSE + float(np.log((gold.false_boxes + 1) / (usual_false + 1))),
            _FALSE_BOX_TRUST * (gold.false_boxes + usual_false) / 2,
        ),
    )
    return msgspec.structs.replace(
        before,
        draws=draws,
        draws_weight=draws_weight,
        false=false,
        false_weight=false_weight,
        right_categories=before.right_categories + gold.right_categories / DECAY,
        categories=before.categories + gold.found / DECAY,
    )


def _placed(before: WorkerSkill, gold: GoldCounts) -> WorkerSkill:
    if not gold.found:
        return before
    bias = np.array(gold.outward) / gold.found
    variance = max(gold.squares / (4 * gold.found) - float((bias**2).mean()), 0.0) * REFERENCE_SIDE**2
    joined, boxes = _joined((before.variance, before.boxes), (variance, gold.found))
    left, top, right, bottom = (
        _joined((known, before.boxes), (float(edge) * REFERENCE_SIDE, gold.found))[0]
        for known, edge in zip(before.outward, bias, strict=True)
    )
    return msgspec.structs.replace(before, variance=joined, outward=(left, top, right, bottom), boxes=boxes)


def _joined(before: tuple[float, float], gold: tuple[float, float]) -> tuple[float, float]:
    """The mean of two values by their weights, and its weight as the skills file has it: to be decayed.

    What is fresh is not decayed, so it is written down larger.
    """
    (known, weight), (told, told_weight) = before, gold
    total = weight * DECAY + told_weight
    return (known * weight * DECAY + told * told_weight) / total if total else known, total / DECAY
