"""What earlier rounds say about each worker: one small JSON file that is read as a prior and written after.

Statistics stand beside the weight of evidence behind them, so that a round adds to them and old evidence
fades: people learn, and get tired of a job. Workers stand by pseudonym, here and in every argument.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from roundtruth.consensus.existence import ExistenceSkill
from roundtruth.consensus.group_categories import CategorySkill
from roundtruth.consensus.place import DrawingSkill
from roundtruth.errors import ConsensusError
from roundtruth.typed_json import decode_json

SKILLS_VERSION = 1
DECAY = 0.7  # of a round's evidence counts in the next: half of it after two rounds


class WorkerSkill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One worker. Log odds of drawing an object and of drawing a false place, each with its information."""

    draws: float = 0.0
    draws_weight: float = 0.0
    false: float = 0.0
    false_weight: float = 0.0
    right_categories: float = 0.0  # expected number of boxes with the right category
    categories: float = 0.0  # of so many boxes
    variance: float = 0.0  # of an edge, square pixels on a side of 100 pixels
    outward: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # pixels on a side of 100 pixels
    boxes: float = 0.0  # that place was learned from
    rounds: int = 0


class WorkerSkills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The skills of all workers seen so far, by pseudonym."""

    version: int = SKILLS_VERSION
    workers: dict[str, WorkerSkill] = {}


def decode_skills(data: bytes, *, name: str) -> WorkerSkills:
    """Read a skills file; ``name`` says in errors which one it is.

    :raises ConsensusError: when it is no skills file, or of another version.
    """
    try:
        skills = decode_json(data, WorkerSkills)
    except msgspec.DecodeError as error:
        raise ConsensusError(f"{name} is not a skills file: {error}; remove it to start anew.") from error
    if skills.version != SKILLS_VERSION:
        raise ConsensusError(
            f"{name} has version {skills.version}, not {SKILLS_VERSION}; remove it to start anew."
        )
    return skills


def encode_skills(skills: WorkerSkills) -> bytes:
    """The skills as JSON, the same bytes for the same skills: workers sorted, six digits."""
    content = msgspec.to_builtins(skills)
    content["workers"] = {name: _rounded(content["workers"][name]) for name in sorted(content["workers"])}
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def existence_skill(skills: WorkerSkills, workers: Sequence[str]) -> ExistenceSkill:
    """What is known of these workers' noticing, in their order."""
    known = _of(skills, workers)
    return ExistenceSkill(
        draws=np.array([one.draws for one in known], np.float64),
        draws_weight=np.array([one.draws_weight for one in known], np.float64) * DECAY,
        false=np.array([one.false for one in known], np.float64),
        false_weight=np.array([one.false_weight for one in known], np.float64) * DECAY,
    )


def category_skill(skills: WorkerSkills, workers: Sequence[str]) -> CategorySkill:
    """What is known of these workers' categories, in their order."""
    known = _of(skills, workers)
    return CategorySkill(
        right=np.array([one.right_categories for one in known], np.float64) * DECAY,
        boxes=np.array([one.categories for one in known], np.float64) * DECAY,
    )


def drawing_skill(skills: WorkerSkills, workers: Sequence[str]) -> DrawingSkill:
    """What is known of these workers' edges, in their order."""
    known = _of(skills, workers)
    return DrawingSkill(
        variance=np.array([one.variance for one in known], np.float64),
        outward=np.array([one.outward for one in known], np.float64).reshape(-1, 4),
        boxes=np.array([one.boxes for one in known], np.float64) * DECAY,
    )


def renewed_skills(
    skills: WorkerSkills,
    workers: Sequence[str],
    existence: ExistenceSkill,
    categories: CategorySkill,
    drawing: DrawingSkill,
) -> WorkerSkills:
    """The skills after a round; who did not take part keeps what was known."""
    renewed = dict(skills.workers)
    for number, name in enumerate(workers):
        renewed[name] = WorkerSkill(
            draws=float(existence.draws[number]),
            draws_weight=float(existence.draws_weight[number]),
            false=float(existence.false[number]),
            false_weight=float(existence.false_weight[number]),
            right_categories=float(categories.right[number]),
            categories=float(categories.boxes[number]),
            variance=float(drawing.variance[number]),
            outward=tuple(drawing.outward[number].tolist()),
            boxes=float(drawing.boxes[number]),
            rounds=renewed.get(name, WorkerSkill()).rounds + 1,
        )
    return WorkerSkills(workers={name: renewed[name] for name in sorted(renewed)})


def with_categories(skills: WorkerSkills, workers: Sequence[str], categories: CategorySkill) -> WorkerSkills:
    """The skills after a round that asked for categories only."""
    renewed = dict(skills.workers)
    for number, name in enumerate(workers):
        before = renewed.get(name, WorkerSkill())
        renewed[name] = msgspec.structs.replace(
            before,
            right_categories=float(categories.right[number]),
            categories=float(categories.boxes[number]),
            rounds=before.rounds + 1,
        )
    return WorkerSkills(workers={name: renewed[name] for name in sorted(renewed)})


def _of(skills: WorkerSkills, workers: Sequence[str]) -> list[WorkerSkill]:
    nobody = WorkerSkill()
    return [skills.workers.get(worker, nobody) for worker in workers]


def _rounded(skill: dict[str, object]) -> dict[str, object]:
    return {
        name: round(value, 6)
        if isinstance(value, float)
        else [round(one, 6) for one in value]
        if isinstance(value, list | tuple)
        else value
        for name, value in skill.items()
    }
