"""Places of objects and how workers draw."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.place import DrawingSkill, estimate_places


def boxes_of(edges: np.ndarray, group: np.ndarray, worker: np.ndarray) -> GroupedBoxes:
    order = np.lexsort((worker, group))
    groups = int(group.max()) + 1
    return GroupedBoxes(
        rows=np.arange(len(group)),
        group=group[order],
        worker=worker[order],
        category=np.zeros(len(group), np.int64),
        edges=edges[order],
        task=np.arange(groups),
        votes=np.bincount(group, minlength=groups),
        workers=int(worker.max()) + 1,
        categories=1,
    )


def nothing_known(workers: int) -> DrawingSkill:
    return DrawingSkill(variance=np.zeros(workers), outward=np.zeros((workers, 4)), boxes=np.zeros(workers))


def drawn(objects: int, scatter: list[float], outward: list[float], seed: int = 0):
    """Every worker draws every object, 100 × 100 pixels."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(100, 900, (objects, 2))
    truth = np.concatenate([corner, corner + 100], axis=1)
    group = np.repeat(np.arange(objects), len(scatter))
    worker = np.tile(np.arange(len(scatter)), objects)
    slips = rng.normal(0, 1, (len(group), 4)) * np.array(scatter)[worker][:, None]
    bias = np.array(outward)[worker][:, None] * np.array([-1, -1, 1, 1])
    return truth, boxes_of(truth[group] + slips + bias, group, worker)


def test_scatter_and_bias_of_workers_are_found():
    truth, boxes = drawn(200, [2.0, 2.0, 6.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 8.0, 0.0, 0.0])
    places = estimate_places(boxes, np.ones(boxes.groups), nothing_known(6))
    assert places.skill.outward.mean(axis=1) == pytest.approx([0, 0, 0, 8, 0, 0], abs=1.0)
    assert places.skill.variance[2] > 4 * places.skill.variance[0]
    plain = np.abs(boxes.sum(boxes.edges) / 6 - truth).mean()
    assert np.abs(places.edges - truth).mean() < 0.6 * plain
    # A variance says how far off an edge is.
    assert ((places.edges - truth) ** 2).mean() == pytest.approx(places.variance.mean(), rel=0.5)


def test_a_slip_of_one_worker_is_ignored():
    _, boxes = drawn(30, [1.0] * 5, [0.0] * 5)
    edges = boxes.edges.copy()
    edges[0, 2] += 60
    slipped = estimate_places(
        boxes_of(edges, boxes.group, boxes.worker), np.ones(boxes.groups), nothing_known(5)
    )
    clean = estimate_places(boxes, np.ones(boxes.groups), nothing_known(5))
    assert abs(slipped.edges[0, 2] - clean.edges[0, 2]) < 2


def test_known_skills_count_when_a_round_says_nothing():
    edges = np.array([[100.0, 100, 200, 200], [110.0, 110, 210, 210]])
    boxes = boxes_of(edges, np.array([0, 0]), np.array([0, 1]))
    known = DrawingSkill(
        variance=np.array([1.0, 100.0]), outward=np.zeros((2, 4)), boxes=np.array([100.0, 100.0])
    )
    left = estimate_places(boxes, np.ones(1), known).edges[0, 0]
    assert 100 <= left < 102
    assert estimate_places(boxes, np.ones(1), nothing_known(2)).edges[0, 0] == pytest.approx(105, abs=0.5)


def test_median_edges():
    edges = np.array([[0.0, 0, 10, 10], [4.0, 1, 12, 10], [5.0, 2, 30, 10], [7.0, 7, 9, 9]])
    boxes = boxes_of(edges, np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]))
    assert boxes.median_edges().tolist() == [[4.0, 1.0, 12.0, 10.0], [7.0, 7.0, 9.0, 9.0]]
