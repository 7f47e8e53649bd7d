"""Whether the method's constants were chosen on the images they are shown on: halves by a fixed hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product

import numpy as np
import pandas as pd
from other_consensus import fused, median
from quick_scores import f1_scores

from roundtruth.consensus import fused as method
from roundtruth.consensus.answer_columns import AnswerColumns, answer_columns

# Around what the method has: pixels of matching, overlap that makes two fused boxes one object.
TOLERANCES, SAME_OBJECT = (0.0, 3.0, 6.0), (0.2, 0.3, 0.4)

Fuse = Callable[[AnswerColumns], pd.DataFrame]
Draw = tuple[pd.DataFrame, pd.DataFrame, list[str]]


def half(image: str) -> str:
    """A or B, by the first byte of the SHA-256 of the image's name."""
    return "AB"[hashlib.sha256(image.encode()).digest()[0] % 2]


def held_out_table(draws: dict[int, list[Draw]]) -> str:
    """F1 on each half with the constants that are best on the other half, and with those of the method.

    :param draws: by number of workers; answers of all images, truth, images with truth.
    """
    heads = [f"{count} workers" for count in draws]
    lines = ["| half | method | " + " | ".join(heads) + " |", "| --- | --- " + "| --- " * len(heads) + "|"]
    settings = list(product(TOLERANCES, SAME_OBJECT))
    scores = {setting: _scores(draws, setting) for setting in settings}
    usual = (method.HAND_TOLERANCE, method.SAME_OBJECT_IOU)
    majority = _halves(draws, median)
    for shown, other in (("A", "B"), ("B", "A")):
        best = max(settings, key=lambda setting: scores[setting][other][:, :2].sum())
        rows = {
            "majority, median": majority[shown],
            f"ours, constants chosen on {other} ({best[0]:g} px, {best[1]:g})": scores[best][shown],
            f"ours, as it is ({usual[0]:g} px, {usual[1]:g})": scores[usual][shown],
        }
        for name, found in rows.items():
            cells = [f"{one[0]:.3f} / {one[1]:.3f}".replace("0.", ".") for one in found]
            lines.append(f"| {shown} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _scores(draws: dict[int, list[Draw]], setting: tuple[float, float]) -> dict[str, np.ndarray]:
    with _constants(*setting):
        return _halves(draws, fused)


def _halves(draws: dict[int, list[Draw]], fuse: Fuse) -> dict[str, np.ndarray]:
    """F1 by half, shape (numbers of workers, thresholds)."""
    found: dict[str, list[np.ndarray]] = {"A": [], "B": []}
    for tables in draws.values():
        labels = [(_labels(answers, fuse), truth, images) for answers, truth, images in tables]
        for name, means in found.items():
            parts = [
                f1_scores(table, truth, [image for image in images if half(image) == name])
                for table, truth, images in labels
            ]
            means.append(np.mean(parts, axis=0))
    return {name: np.array(means) for name, means in found.items()}


def _labels(answers: pd.DataFrame, fuse: Fuse) -> pd.DataFrame:
    return fuse(answer_columns(answers))


@contextmanager
def _constants(tolerance: float, same_object: float) -> Iterator[None]:
    before = method.HAND_TOLERANCE, method.SAME_OBJECT_IOU
    method.HAND_TOLERANCE, method.SAME_OBJECT_IOU = tolerance, same_object  # type: ignore[misc]
    try:
        yield
    finally:
        method.HAND_TOLERANCE, method.SAME_OBJECT_IOU = before  # type: ignore[misc]
