"""Groups that are one object after all."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.split_objects import join_split_objects

SQUARE = (0.0, 0.0, 100.0, 100.0)
HALF = (0.0, 0.0, 100.0, 50.0)  # IoU 0.5 with SQUARE
THIRD = (0.0, 0.0, 100.0, 33.0)
FAR = (500.0, 0.0, 600.0, 100.0)


def boxes_of(groups: list[tuple[int, str, tuple[float, ...]]]) -> tuple[GroupedBoxes, np.ndarray]:
    """A group: its task, its workers as letters, the edges of all its boxes."""
    group = np.repeat(np.arange(len(groups)), [len(workers) for _, workers, _ in groups])
    edges = np.array([edges for _, _, edges in groups])
    boxes = GroupedBoxes(
        rows=np.arange(len(group)),
        group=group,
        worker=np.array([ord(letter) - ord("a") for _, workers, _ in groups for letter in workers]),
        category=np.zeros(len(group), np.int64),
        edges=edges[group],
        task=np.array([task for task, _, _ in groups]),
        votes=np.bincount(group),
        workers=26,
        categories=1,
    )
    return boxes, edges


@pytest.mark.parametrize(
    ("groups", "votes"),
    [
        pytest.param([(0, "ab", SQUARE), (0, "c", HALF)], [3], id="different people"),
        pytest.param([(0, "ab", SQUARE), (0, "b", HALF)], [2, 1], id="somebody drew both: two objects"),
        pytest.param([(0, "ab", SQUARE), (1, "c", HALF)], [2, 1], id="another task"),
        pytest.param([(0, "ab", SQUARE), (0, "c", FAR)], [2, 1], id="apart"),
        pytest.param([(0, "a", THIRD), (0, "ab", SQUARE), (0, "a", HALF)], [1, 2, 1], id="nobody is free"),
        pytest.param(
            [(0, "c", HALF), (0, "ab", SQUARE), (0, "c", THIRD)],
            [3, 1],
            id="the best overlap takes the place",
        ),
    ],
)
def test_joined(groups, votes):
    boxes, edges = boxes_of(groups)
    joined = join_split_objects(boxes, edges, min_iou=0.3)
    assert joined.votes.tolist() == votes
    assert joined.task.tolist() == sorted(joined.task.tolist())
    assert len(joined.group) == len(boxes.group)
