"""Groups of boxes that are one object after all: drawn by different people, and overlapping when fused.

Two boxes of one object may overlap too little to be matched (one loose, one tight) although each group's
fused box shows that they are the same. Two objects that truly overlap are told by a worker who drew both.
"""

from __future__ import annotations

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.matching import Floats, Ints, overlap, overlapping_pairs


def join_split_objects(boxes: GroupedBoxes, edges: Floats, *, min_iou: float) -> GroupedBoxes:
    """Join groups whose fused boxes overlap at least ``min_iou`` and that share no worker, best pair first.

    :param edges: the fused box of each group, pixels.
    """
    order = np.lexsort((*edges.T[::-1], boxes.task))
    first, second = overlapping_pairs(boxes.task[order], edges[order], min_iou)
    if not len(first):
        return boxes
    first, second = order[first], order[second]
    first, second = np.minimum(first, second), np.maximum(first, second)
    best_first = np.lexsort((second, first, -overlap(edges[first], edges[second])))
    workers = _workers(boxes, np.union1d(first, second))
    root = np.arange(boxes.groups)
    for pair in best_first.tolist():
        kept, joined = sorted((_root(root, int(first[pair])), _root(root, int(second[pair]))))
        if kept == joined or workers[kept] & workers[joined]:
            continue
        root[joined] = kept
        workers[kept] |= workers[joined]
    while (root[root] != root).any():  # a group may have been joined to one that was joined later
        root = root[root]
    return boxes.regrouped(root[boxes.group])


def _workers(boxes: GroupedBoxes, groups: Ints) -> dict[int, set[int]]:
    result: dict[int, set[int]] = {group: set() for group in groups.tolist()}
    inside = np.isin(boxes.group, groups)
    for group, worker in zip(boxes.group[inside].tolist(), boxes.worker[inside].tolist(), strict=True):
        result[group].add(worker)
    return result


def _root(root: Ints, group: int) -> int:
    while root[group] != group:
        group = int(root[group])
    return group
