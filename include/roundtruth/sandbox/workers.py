"""Simulated workers: who they are, and what each of them draws on an image.

Kinds and rates are those of benchmarks/simulated_workers.py, so that a consensus measured there means the
same here: heavy-tailed edges, misses that hit small and hard objects for everybody, false boxes partly at the
same distracting places, classes confused within pairs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roundtruth.sandbox.constants import ACCOUNT, REGION
from roundtruth.sandbox.settings import PoolName
from roundtruth.sandbox.truth import TrueBox, Truth


@dataclass(frozen=True, kw_only=True)
class Skill:
    """How a worker errs: shares 0-1; `edge` and `outward` in box sides; `pace` multiplies working time."""

    kind: str
    missed: float = 0.0
    edge: float = 0.0
    false_boxes: float = 0.0  # a mean per image
    confused: float = 0.0
    outward: float = 0.0
    pace: float = 1.0


EXACT = Skill(kind="exact")
GOOD = Skill(kind="good", missed=0.04, edge=0.025, false_boxes=0.1, confused=0.03)
AVERAGE = Skill(kind="average", missed=0.10, edge=0.05, false_boxes=0.25, confused=0.08, pace=0.9)
POOR = Skill(kind="poor", missed=0.25, edge=0.10, false_boxes=0.8, confused=0.25, pace=0.6)
LOOSE = Skill(kind="loose", missed=0.10, edge=0.05, false_boxes=0.25, confused=0.08, outward=0.08, pace=0.8)
SPAM = Skill(kind="spam", false_boxes=2.0, pace=0.2)
NONSENSE = Skill(kind="nonsense", pace=0.1)

_POOLS: dict[PoolName, tuple[tuple[Skill, int], ...]] = {
    "good": ((GOOD, 20),),
    "mixed": ((GOOD, 7), (AVERAGE, 8), (POOR, 3), (LOOSE, 2)),
    "bad": ((GOOD, 4), (AVERAGE, 6), (POOR, 5), (LOOSE, 2), (SPAM, 3)),
    "replay": ((EXACT, 20),),
}


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One person of the pool: same `code`, subject and skill in every job of a sandbox with that seed."""

    number: int
    code: str  # 16 hex digits
    subject: str
    skill: Skill

    def worker_id(self, public: bool) -> str:
        """WorkerId as Ground Truth writes it for a private team or for Mechanical Turk."""
        if not public:
            return f"private.{REGION}.{self.code}"
        digits = base64.b32encode(hashlib.sha256(self.code.encode()).digest()).decode()
        return f"public.{REGION}.{digits[:26]}"

    def metadata(self) -> dict[str, object]:
        """WorkerMetadata of a private team's answer."""
        pool = f"{REGION}_{hashlib.sha256(ACCOUNT.encode()).hexdigest()[:9]}"
        issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
        return {"identityData": {"identityProviderType": "Cognito", "issuer": issuer, "sub": self.subject}}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one worker gave for one image: boxes in stored pixels (None: no list at all), and its class."""

    boxes: tuple[TrueBox, ...] | None
    label: str
    modified: bool | None = None  # in an adjustment job: whether it differs from what was there


def worker_pool(name: PoolName, seed: int, nonsense: int = 0) -> tuple[Worker, ...]:
    """The 20 workers of a pool, shuffled by the seed; the first `nonsense` of them answer nonsense."""
    skills = [skill for skill, count in _POOLS[name] for _ in range(count)]
    np.random.default_rng(number_of(seed, "pool", name)).shuffle(skills)
    pool = []
    for number, skill in enumerate(skills):
        digest = hashlib.sha256(f"{seed}/{name}/{number}".encode()).hexdigest()
        subject = "-".join((digest[16:24], digest[24:28], digest[28:32], digest[32:36], digest[36:48]))
        chosen = NONSENSE if number < nonsense else skill
        pool.append(Worker(number=number, code=digest[:16], subject=subject, skill=chosen))
    return tuple(pool)


def number_of(*parts: object) -> int:
    """A number for a random generator that depends on the parts only."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def working_seconds(worker: Worker, boxes: int, seed: int) -> float:
    """How long the worker looks at an image with that many objects: some seconds, and more a box."""
    chance = np.random.default_rng(seed + 2)
    return round(float((8.0 + 9.0 * boxes) * worker.skill.pace * chance.lognormal(0.0, 0.3)), 3)


def draw(worker: Worker, image: Truth, labels: Sequence[str], seed: int, image_seed: int) -> Answer:
    """What the worker answers for the image when asked for `labels`; objects of other classes are left alone.

    `image_seed` makes what is common to all who look at the image (hard objects, distracting places),
    `seed` what is this worker's own.
    """
    chance = np.random.default_rng(seed)
    asked = [box for box in image.objects if box.label in labels]
    if worker.skill.kind == "nonsense":
        return Answer(boxes=_nonsense(image, labels, chance), label=labels[-1])
    if worker.skill.kind == "spam":
        asked = []
    noticed = _noticed(worker.skill, asked, image, chance, image_seed)
    drawn = [_drawn(worker.skill, box, image, labels, chance) for box in noticed]
    drawn += _false_boxes(worker.skill, image, labels, chance, image_seed)
    return Answer(boxes=tuple(drawn), label=_image_label(worker.skill, image, labels, chance))


def _noticed(
    skill: Skill, boxes: Sequence[TrueBox], image: Truth, chance: np.random.Generator, image_seed: int
) -> list[TrueBox]:
    # Difficulty is the image's own: an object that one worker misses is likely missed by the next.
    difficulty = np.random.default_rng(image_seed).lognormal(-0.32, 0.8, size=len(boxes))
    noticed = []
    for box, hard in zip(boxes, difficulty, strict=True):
        share = box.width * box.height / (image.width * image.height)
        small = min(3.0, 1.0 + 0.02 / max(share, 0.005) / 2) if share < 0.02 else 1.0
        if chance.random() >= min(0.95, skill.missed * hard * small):
            noticed.append(box)
    return noticed


def _drawn(
    skill: Skill, box: TrueBox, image: Truth, labels: Sequence[str], chance: np.random.Generator
) -> TrueBox:
    if skill.kind == "exact":
        return box
    # Student's t with 4 degrees has a standard deviation of sqrt(2); a slip of the mouse is not so rare.
    slips = chance.standard_t(4, size=4) / np.sqrt(2) * skill.edge
    left = box.left + (slips[0] - skill.outward) * box.width
    top = box.top + (slips[1] - skill.outward) * box.height
    right = box.left + box.width * (1 + slips[2] + skill.outward)
    bottom = box.top + box.height * (1 + slips[3] + skill.outward)
    label = _confused(box.label, labels) if chance.random() < skill.confused else box.label
    return _clipped(label, image, left, top, right, bottom)


def _confused(label: str, labels: Sequence[str]) -> str:
    index = labels.index(label)
    partner = index + 1 if index % 2 == 0 else index - 1
    return labels[partner] if partner < len(labels) else labels[index - 1]


def _false_boxes(
    skill: Skill, image: Truth, labels: Sequence[str], chance: np.random.Generator, image_seed: int
) -> list[TrueBox]:
    common = np.random.default_rng(image_seed + 1)
    distracting = [_random_box(image, labels, common) for _ in range(2)]
    boxes = []
    for _ in range(int(chance.poisson(skill.false_boxes))):
        if chance.random() < 0.5:
            place = distracting[int(chance.integers(len(distracting)))]
            boxes.append(_drawn(AVERAGE, place, image, labels, chance))
        else:
            boxes.append(_random_box(image, labels, chance))
    return boxes


def _random_box(image: Truth, labels: Sequence[str], chance: np.random.Generator) -> TrueBox:
    width, height = chance.uniform(0.05, 0.3, size=2) * (image.width, image.height)
    left, top = chance.uniform(0, 1, size=2) * (image.width - width, image.height - height)
    label = labels[int(chance.integers(len(labels)))]
    return _clipped(label, image, left, top, left + width, top + height)


def _clipped(label: str, image: Truth, left: float, top: float, right: float, bottom: float) -> TrueBox:
    """A box as the worker's page makes it: whole pixels, inside of the image, at least one pixel."""
    x = int(np.clip(round(min(left, right)), 0, image.width - 1))
    y = int(np.clip(round(min(top, bottom)), 0, image.height - 1))
    x_end = int(np.clip(round(max(left, right)), x + 1, image.width))
    y_end = int(np.clip(round(max(top, bottom)), y + 1, image.height))
    return TrueBox(label=label, left=x, top=y, width=x_end - x, height=y_end - y)


def _nonsense(image: Truth, labels: Sequence[str], chance: np.random.Generator) -> tuple[TrueBox, ...] | None:
    kind = int(chance.integers(4))
    if kind == 0:
        return None  # `"boundingBoxes": null`, as real answers have it
    label = labels[int(chance.integers(len(labels)))]
    if kind == 1:
        return (TrueBox(label=label, left=0, top=0, width=image.width, height=image.height),)
    if kind == 2:
        return (TrueBox(label=label, left=image.width // 2, top=image.height // 2, width=0, height=0),)
    return tuple(_random_box(image, labels, chance) for _ in range(30))


def _image_label(skill: Skill, image: Truth, labels: Sequence[str], chance: np.random.Generator) -> str:
    largest = max(image.objects, key=lambda box: box.width * box.height, default=None)
    label = image.label or (largest.label if largest else labels[0])
    if label not in labels or skill.kind == "spam":
        return labels[int(chance.integers(len(labels)))]
    return _confused(label, labels) if len(labels) > 1 and chance.random() < skill.confused else label
