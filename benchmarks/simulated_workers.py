"""Simulated answers of pools of workers: truth and what people draw.

Made apart from the sandbox's workers on purpose: hundreds of images a second, edges not rounded to pixels,
and two kinds of noise that no consensus model assumes.

What the description of the pools leaves open (tails, what loose drawers are like otherwise, how many boxes
spam draws) was set so that other methods (one worker, majority, median, medoid, weighted box fusion) come out
as listed beside it, within .02 or .03, and so that knowing the workers' true skills can reach what is listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.annotations import ANSWERS
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.worker_skills import WorkerSkill, WorkerSkills

WIDTH, HEIGHT = 1280.0, 960.0
CATEGORIES = ("bolt", "nut", "pen", "pencil", "screw", "washer")  # neighbours are confused: 0-1, 2-3, 4-5
POOL = 20
_SPAM = 4  # boxes that spam draws anywhere: nearly as many as there are objects, so that it looks like work
_TAILS = 5  # degrees of freedom of slips: a slip of the mouse is not so rare
_LEAST_SLIP = 1.0  # pixel, however small the object


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a worker errs: shares 0–1, edges as a share of the side, false boxes a mean an image.

    ``missed`` is for an object of usual difficulty; hard and small ones are missed more.
    """

    missed: float
    edge: float
    false_boxes: float
    confused: float
    outward: float = 0.0
    spam: bool = False


GOOD = Kind(missed=0.04, edge=0.025, false_boxes=0.1, confused=0.03)
AVERAGE = Kind(missed=0.10, edge=0.05, false_boxes=0.25, confused=0.08)
POOR = Kind(missed=0.25, edge=0.10, false_boxes=0.8, confused=0.25)
LOOSE = Kind(missed=0.10, edge=0.025, false_boxes=0.25, confused=0.08, outward=0.08)
SPAM = Kind(missed=1.0, edge=0.1, false_boxes=_SPAM, confused=0.0, spam=True)

POOLS: dict[str, tuple[Kind, ...]] = {
    "good": (GOOD,) * 20,
    "mixed": (GOOD,) * 7 + (AVERAGE,) * 8 + (POOR,) * 3 + (LOOSE,) * 2,
    "bad": (GOOD,) * 4 + (AVERAGE,) * 6 + (POOR,) * 5 + (LOOSE,) * 2 + (SPAM,) * 3,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulated:
    """``answers``: annotations.ANSWERS; ``truth``: source_ref, category, left, top, width, height."""

    answers: pd.DataFrame
    truth: pd.DataFrame
    images: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scene:
    image: NDArray[np.int64]
    category: NDArray[np.int64]
    edges: NDArray[np.float64]
    hard: NDArray[np.float64]  # multiplies everybody's share of misses
    shifted: NDArray[np.bool_]  # half of the workers draw it by another rule
    shift: NDArray[np.float64]


def simulate(
    pool: str, *, images: int, workers: int, seed: int, shared_rule: bool = False, tired: bool = False
) -> Simulated:
    """Answers of ``workers`` random people of a pool of 20 for each image.

    :param shared_rule: a quarter of the objects is drawn by half of the pool with another idea of the object
        (without its lower fifth), all in the same way.
    :param tired: on 30 % of the images one of the workers errs three times as much.
    """
    chance = np.random.default_rng((seed, images, workers, sorted(POOLS).index(pool)))
    scene = _scene(chance, images, shared_rule)
    distracting = _boxes(chance, images * 2)
    kinds = POOLS[pool]
    asked = np.argsort(chance.random((images, POOL)), axis=1)[:, :workers]
    tired_images = chance.random(images) < 0.3 if tired else np.zeros(images, bool)
    names = [f"s3://simulated/images/{number:06d}.jpg" for number in range(images)]
    rows = []
    for place in range(workers):
        for number, kind in enumerate(kinds):
            of = asked[:, place] == number
            for strength in (1.0, 3.0):
                chosen = of & ((tired_images & (place == 0)) == (strength > 1))
                if chosen.any():
                    rows.append(_answers(chance, kind, number, chosen, scene, distracting, strength))
    table = pd.concat(rows, ignore_index=True)
    place_in_answer = table.groupby(["image", "worker"]).cumcount()
    empty = table["category"] < 0
    answers = pd.DataFrame(
        {
            "source_ref": np.array(names, object)[table["image"]],
            "job": "simulated-1",
            "worker": [_name(number) for number in table["worker"]],
            "box": np.where(empty, -1, place_in_answer),
            "category": np.where(empty, None, np.array(CATEGORIES, object)[table["category"]]),
            **{name: table[name] for name in ("left", "top", "width", "height")},
        }
    ).reindex(columns=ANSWERS.names)
    return Simulated(answers=answers, truth=_truth(scene, names), images=names)


def true_skills(pool: str) -> WorkerSkills:
    """How the workers of a pool really draw, as if many earlier rounds had told."""
    return WorkerSkills(
        workers={
            pseudonym(_name(number)): WorkerSkill(
                variance=(100 * kind.edge) ** 2, outward=(100 * kind.outward,) * 4, boxes=1e6
            )
            for number, kind in enumerate(POOLS[pool])
        }
    )


def _name(number: int) -> str:
    return f"private.eu-west-1.{number:04d}"


def _scene(chance: np.random.Generator, images: int, shared_rule: bool) -> _Scene:
    count = 1 + chance.poisson(4, images)
    image = np.repeat(np.arange(images), count)
    edges = _boxes(chance, len(image))
    side = np.sqrt((edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1]))
    small = np.clip(150 / side, 0.5, 3)
    hard = chance.lognormal(-0.32, 0.8, len(image)) * small
    shifted = (chance.random(len(image)) < 0.25) & shared_rule
    return _Scene(
        image=image,
        category=chance.integers(0, len(CATEGORIES), len(image)),
        edges=edges,
        hard=hard,
        shifted=shifted,
        shift=np.where(shifted, 0.2 * (edges[:, 3] - edges[:, 1]), 0.0),
    )


def _boxes(chance: np.random.Generator, count: int) -> NDArray[np.float64]:
    side = np.exp(chance.normal(np.log(110), 0.6, count)).clip(16, 500)
    aspect = np.exp(chance.normal(0, 0.35, count))
    width, height = np.minimum(side * aspect, WIDTH * 0.9), np.minimum(side / aspect, HEIGHT * 0.9)
    left, top = chance.uniform(0, WIDTH - width), chance.uniform(0, HEIGHT - height)
    return np.stack([left, top, left + width, top + height], axis=1)


def _answers(
    chance: np.random.Generator,
    kind: Kind,
    number: int,
    chosen: NDArray[np.bool_],
    scene: _Scene,
    distracting: NDArray[np.float64],
    strength: float,
) -> pd.DataFrame:
    images = np.flatnonzero(chosen)
    seen = np.flatnonzero(chosen[scene.image])
    seen = seen[chance.random(len(seen)) >= np.minimum(0.95, kind.missed * strength * scene.hard[seen])]
    edges = scene.edges[seen].copy()
    if number % 2:
        edges[:, 3] -= scene.shift[seen]
    category = scene.category[seen]
    wrong = chance.random(len(seen)) < min(0.9, kind.confused * strength)
    category = np.where(wrong, category ^ 1, category)
    drawn = _drawn(chance, edges, kind.edge * strength, kind.outward)
    false_image = np.repeat(images, chance.poisson(kind.false_boxes * strength, len(images)))
    shared = (chance.random(len(false_image)) < 0.5) & (not kind.spam)
    elsewhere = _boxes(chance, len(false_image))
    places = distracting[2 * false_image + chance.integers(0, 2, len(false_image))]
    false_edges = np.where(shared[:, None], _drawn(chance, places, kind.edge * strength, 0.0), elsewhere)
    false_category = chance.integers(0, len(CATEGORIES), len(false_image))
    all_edges = np.concatenate([drawn, false_edges])
    all_edges[:, 0::2] = all_edges[:, 0::2].clip(0, WIDTH)
    all_edges[:, 1::2] = all_edges[:, 1::2].clip(0, HEIGHT)
    empty = np.setdiff1d(images, np.concatenate([scene.image[seen], false_image]))
    nothing = np.full((len(empty), 4), np.nan)
    edges = np.concatenate([all_edges, nothing])
    return pd.DataFrame(
        {
            "image": np.concatenate([scene.image[seen], false_image, empty]),
            "worker": number,
            "category": np.concatenate([category, false_category, np.full(len(empty), -1)]),
            "left": edges[:, 0],
            "top": edges[:, 1],
            "width": edges[:, 2] - edges[:, 0],
            "height": edges[:, 3] - edges[:, 1],
        }
    )


def _drawn(
    chance: np.random.Generator, edges: NDArray[np.float64], sd: float, outward: float
) -> NDArray[np.float64]:
    sides = _sides(edges)
    scale = np.hypot(sd * sides, _LEAST_SLIP)
    slips = chance.standard_t(_TAILS, edges.shape) * scale
    moved = edges + slips + outward * sides * np.array([-1, -1, 1, 1])
    return np.concatenate([np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])], 1)


def _sides(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The side that each edge moves along, shape (boxes, 4)."""
    return np.stack([edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]] * 2, axis=1)


def _truth(scene: _Scene, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source_ref": np.array(names, object)[scene.image],
            "category": np.array(CATEGORIES, object)[scene.category],
            "left": scene.edges[:, 0],
            "top": scene.edges[:, 1],
            "width": scene.edges[:, 2] - scene.edges[:, 0],
            "height": scene.edges[:, 3] - scene.edges[:, 1],
        }
    )
