"""Replay of adaptive rounds on real answers, and whether the probabilities of boxes are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from held_out import half
from quick_scores import f1_scores, right_boxes

from roundtruth.consensus.answer_columns import answer_columns
from roundtruth.consensus.fused import fuse_boxes
from roundtruth.consensus.majority import labels_of
from roundtruth.consensus.measure import measure_consensus
from roundtruth.project import Consensus

STOPPING = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05)
_BINS = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 1])

Ranked = Callable[[pd.DataFrame, int], pd.DataFrame]


def replay_table(
    answers: pd.DataFrame, truth: pd.DataFrame, images: list[str], ranked: Ranked, *, seeds: int
) -> str:
    """F1 against mean answers an image, for several stopping levels (``consensus.max_doubt``)."""
    draws = [ranked(answers, seed) for seed in range(seeds)]
    usual = Consensus()
    rules = [(f"{level}", level, 1, 99) for level in STOPPING]
    name = f"{usual.max_doubt}, project's default: {usual.relabel_passes} pass of {usual.relabel_workers}"
    rules.append((name, usual.max_doubt, usual.relabel_workers, usual.relabel_passes))
    lines = [
        "Every image starts with 2 answers; while disputed it gets one more in each pass, at most all.\n",
        "| stop at `max_doubt` | answers an image | F1@0.5 | F1@0.75 |",
        "| --- | --- | --- | --- |",
    ]
    for shown, level, step, passes in rules:
        runs = [_replay(draw, truth, images, level, step, passes) for draw in draws]
        lines.append(_row(shown, runs))
    return "\n".join(lines)


def calibration_table(cases: list[tuple[pd.DataFrame, pd.DataFrame, list[str]]]) -> str:
    """Of the groups with a probability about so high, the share that is a true box at IoU 0.5.

    In all images, and in each half of them (``held_out.half``).
    """
    said, right, halves = [], [], []
    for answers, truth, images in cases:
        columns = answer_columns(answers)
        groups = fuse_boxes(columns, min_iou=Consensus().min_iou).groups
        labels = labels_of(columns, replace(groups, accepted=groups.votes > 0))
        labels = labels[labels["source_ref"].isin(set(images))].reset_index(drop=True)
        said.append(labels["score"].to_numpy())
        right.append(right_boxes(labels, truth, 0.5))
        halves.append(labels["source_ref"].map(half).to_numpy(object))
    probability, truly, halved = np.concatenate(said), np.concatenate(right), np.concatenate(halves)
    place = np.clip(np.digitize(probability, _BINS) - 1, 0, len(_BINS) - 2)
    lines = ["| probability | groups | said | right | half A | half B |", "| --- " * 6 + "|"]
    for number in range(len(_BINS) - 1):
        inside = place == number
        if not inside.any():
            continue
        parts = [inside & (halved == name) for name in "AB"]
        shown = [
            f"{probability[part].mean():.3f}: {truly[part].mean():.3f}" if part.any() else ""
            for part in parts
        ]
        lines.append(
            f"| {_BINS[number]:g}–{_BINS[number + 1]:g} | {int(inside.sum()):,} "
            f"| {probability[inside].mean():.3f} | {truly[inside].mean():.3f} | {shown[0]} | {shown[1]} |"
        )
    brier = float(((probability - truly) ** 2).mean())
    return "\n".join(lines) + f"\n\nBrier score {brier:.4f} over {len(truly):,} groups."


def _replay(
    answers: pd.DataFrame, truth: pd.DataFrame, images: list[str], level: float, step: int, passes: int
) -> tuple[float, np.ndarray]:
    """Mean answers an image of those with truth, and F1."""
    settings = Consensus(max_doubt=level)
    given = answers.groupby("source_ref")["rank"].max()
    have = given.clip(upper=2)
    while True:
        asked = answers[answers["rank"] <= answers["source_ref"].map(have)]
        result = measure_consensus(asked, settings)
        disputed = set(result.images.loc[result.images["disputed"], "source_ref"])
        more = [ref for ref in have.index if ref in disputed and have[ref] < given[ref]]
        if not more or not passes:
            return float(have[have.index.isin(images)].mean()), f1_scores(result.labels, truth, images)
        have.loc[more] = np.minimum(have.loc[more] + step, given.loc[more])
        passes -= 1


def _row(name: str, runs: list[tuple[float, np.ndarray]]) -> str:
    scores = np.mean([scores for _, scores in runs], axis=0)
    return f"| {name} | {np.mean([count for count, _ in runs]):.2f} | {scores[0]:.3f} | {scores[1]:.3f} |"
