"""Match the boxes of several workers on one image: which boxes are the same object.

Average-link clustering, best pair first, at most one box of a worker in a group. Average link, because one
loose box that overlaps two neighbours would chain them together under single link (facts: constrained
best-first clustering is as good as Hungarian matching and does not depend on the order of workers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from roundtruth.row_order import order_of_rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Boxes of the same category are matched first when overlaps are nearly equal; small, because people who draw
# the same object and name it differently disagree about the class, not about the object.
SAME_CATEGORY_BONUS = 0.05

# A hand is no steadier on a small object: boxes grow by so many pixels on every side before they are
# compared, or two good boxes of a distant pedestrian would count as two objects (measured: +.008 F1).
HAND_TOLERANCE = 3.0


def match_boxes(
    task: NDArray[Any],
    worker: NDArray[Any],
    category: NDArray[Any],
    edges: Floats,
    *,
    min_iou: float,
    tolerance: float = 0.0,
) -> Ints:
    """Group the boxes of each task (an image and the categories asked for).

    :param task: number of the task of each box, any order.
    :param worker: number of the worker of each box; numbers must follow the sorted ids, so that ties are
        broken the same way whatever the order of the rows.
    :param category: number of the category of each box, as for workers.
    :param edges: left, top, right, bottom of each box in pixels, shape (boxes, 4).
    :param min_iou: mean overlap (0–1) that two groups need to be one object.
    :param tolerance: pixels that every box grows by on each side before it is compared.
    :return: group of each box, numbered from 0 by task, then by the first box in reading order from left to
        right.
    """
    if not len(task):
        return np.zeros(0, np.int64)
    edges = edges + tolerance * np.array([-1.0, -1.0, 1.0, 1.0])
    order = order_of_rows(task, *edges.T, category, worker)
    groups = _match_sorted(task[order], worker[order], category[order], edges.take(order, axis=0), min_iou)
    result = np.empty(len(groups), np.int64)
    result[order] = groups
    return result


def overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union of boxes (left, top, right, bottom on the last axis); 0 without an area."""
    width = np.minimum(first[..., 2], second[..., 2]) - np.maximum(first[..., 0], second[..., 0])
    height = np.minimum(first[..., 3], second[..., 3]) - np.maximum(first[..., 1], second[..., 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = area(first) + area(second) - shared
    result: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=(union > 0) & (shared > 0))
    return result


def area(edges: Floats) -> Floats:
    """Area in square pixels of boxes (left, top, right, bottom in the last axis); 0 for inverted ones."""
    result: Floats = np.maximum(edges[..., 2] - edges[..., 0], 0) * np.maximum(
        edges[..., 3] - edges[..., 1], 0
    )
    return result


def pairs_within(segments: NDArray[Any]) -> tuple[Ints, Ints]:
    """All pairs i < j of rows that share a segment number; rows of a segment must stand together."""
    if not len(segments):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, segments[1:] != segments[:-1]])
    sizes = np.diff(np.r_[starts, len(segments)])
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes > 1]):
        upper, lower = np.triu_indices(size, 1)
        of_size = starts[sizes == size][:, None]
        first.append((of_size + upper).ravel())
        second.append((of_size + lower).ravel())
    return np.concatenate(first), np.concatenate(second)


def overlapping_pairs(task: NDArray[Any], edges: Floats, min_iou: float) -> tuple[Ints, Ints]:
    """All pairs i < j of boxes of one task that overlap, and at least by ``min_iou``; in any order.

    :param task: of each box; rows are sorted by task, then by left edge.
    """
    first_parts, second_parts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    least = max(min_iou, np.finfo(np.float64).tiny)
    left, right = np.ascontiguousarray(edges[:, 0]), np.ascontiguousarray(edges[:, 2])
    # Each box beside the next one, then beside the one after that: a box that ends before the next begins, or
    # whose task ends, is through with all that follow. Most pairs of an image lie side by side.
    first, step = np.arange(len(task) - 1), 1
    while len(first):
        second = first + step
        near = (task[first] == task[second]) & (left[second] < right[first])
        first, second = first[near], second[near]
        enough = overlap(edges.take(first, axis=0), edges.take(second, axis=0)) >= least
        first_parts.append(first[enough])
        second_parts.append(second[enough])
        step += 1
        first = first[first < len(task) - step]
    return np.concatenate(first_parts), np.concatenate(second_parts)


def _match_sorted(
    task: NDArray[Any], worker: NDArray[Any], category: NDArray[Any], edges: Floats, min_iou: float
) -> Ints:
    first, second = overlapping_pairs(task, edges, min_iou)
    rivals = worker[first] == worker[second]
    first, second = first[~rivals], second[~rivals]
    boxes = len(task)
    links = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(boxes, boxes))
    _, component = connected_components(links, directed=False)
    group = component.astype(np.int64)
    free = int(group.max()) + 1
    for members in _contested(component, first, worker):
        split = _average_link(worker[members], category[members], edges[members], min_iou)
        group[members] = free + split
        free += len(members)
    return _number_by_first_box(group)


def _contested(component: NDArray[Any], first: Ints, worker: NDArray[Any]) -> list[Ints]:
    """Components that are not plainly one object.

    Where every two boxes are linked and no worker stands twice, average link joins them all whatever the
    order; that settles most objects without a loop.
    """
    count = int(component.max()) + 1
    size = np.bincount(component, minlength=count)
    links = np.bincount(component[first], minlength=count)
    order = np.lexsort((worker, component))
    repeated = (component[order][1:] == component[order][:-1]) & (worker[order][1:] == worker[order][:-1])
    has_repeats = np.zeros(count, bool)
    has_repeats[component[order][1:][repeated]] = True
    open_components = (links < size * (size - 1) // 2) | has_repeats
    if not open_components.any():
        return []
    rows = np.flatnonzero(open_components[component])
    rows = rows[np.argsort(component[rows], kind="stable")]
    return np.split(rows, np.flatnonzero(np.diff(component[rows])) + 1)


def _average_link(worker: NDArray[Any], category: NDArray[Any], edges: Floats, min_iou: float) -> Ints:
    """Agglomerate one component; equal links are joined in the boxes' order. Returns a group number a box."""
    count = len(worker)
    overlaps = overlap(edges[:, None], edges[None])
    likeness = overlaps + SAME_CATEGORY_BONUS * (category[:, None] == category[None])
    apart = worker[:, None] == worker[None]
    sizes = np.ones(count)
    group = np.arange(count)
    once = group[:, None] < group[None]
    link = np.where(once & ~apart & (overlaps >= min_iou) & (overlaps > 0), likeness, -np.inf)
    partner, best = link.argmax(axis=1), link.max(axis=1)
    while True:
        kept = int(best.argmax())
        joined = int(partner[kept])
        if best[kept] == -np.inf:
            return group
        for total in (overlaps, likeness):
            total[kept] += total[joined]
            total[:, kept] = total[kept]
        apart[kept] |= apart[joined]
        apart[:, kept] = apart[kept]
        sizes[kept] += sizes[joined]
        sizes[joined] = 0
        group[group == joined] = kept
        link[joined] = link[:, joined] = -np.inf
        _relink(link, kept, overlaps[kept], likeness[kept], ~apart[kept] & (sizes > 0), sizes, min_iou)
        _choose_partners(link, partner, best, kept, joined)


def _relink(
    link: Floats, kept: int, overlaps: Floats, likeness: Floats, free: Bools, sizes: Floats, min_iou: float
) -> None:
    """Renew the links of the group that just grew; only the upper triangle is used."""
    pairs = np.maximum(sizes * sizes[kept], 1)
    fresh = np.where(free & (overlaps / pairs >= min_iou) & (overlaps > 0), likeness / pairs, -np.inf)
    link[kept, kept + 1 :] = fresh[kept + 1 :]
    link[:kept, kept] = fresh[:kept]


def _choose_partners(link: Floats, partner: Ints, best: Floats, kept: int, joined: int) -> None:
    """Renew the best link of the rows that the last join touched; of equal ones the first column counts.

    Looking at the touched rows only, and not at the whole matrix, keeps crowded images quadratic.
    """
    stale = (partner == kept) | (partner == joined)
    stale[[kept, joined]] = True
    rows = np.flatnonzero(stale)
    partner[rows] = link[rows].argmax(axis=1)
    best[rows] = link[rows, partner[rows]]
    grown = link[:, kept]
    better = ~stale & ((grown > best) | ((grown == best) & (kept < partner)))
    partner[better] = kept
    best[better] = grown[better]


def _number_by_first_box(group: Ints) -> Ints:
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    result: Ints = rank[inverse]
    return result
