"""What others do to fuse boxes, written for the comparison: one worker, Ground Truth's rule, medoid, WBF.

Each takes the columns of the answers and gives label rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from roundtruth.consensus.agreement import box_pairs
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.fused import fuse_boxes
from roundtruth.consensus.majority import Groups, group_boxes, label_frame, labels_of
from roundtruth.consensus.matching import overlap

MIN_IOU = 0.4  # all that match boxes before they fuse them get the same threshold
WBF_IOU = 0.55  # ensemble-boxes' default


def single_worker(columns: AnswerColumns) -> pd.DataFrame:
    """One worker of each image, at random."""
    order = np.lexsort((np.random.default_rng(0).random(len(columns.answer_task)), columns.answer_task))
    of_order = columns.answer_task[order]
    chosen = np.zeros(len(order), bool)
    chosen[order[np.r_[True, of_order[1:] != of_order[:-1]]]] = True
    rows = np.flatnonzero(columns.box_usable & chosen[columns.box_answer])
    edges = columns.box_edges[rows]
    return _labels(columns, columns.box_task[rows], columns.box_category[rows], edges)


def majority(columns: AnswerColumns) -> pd.DataFrame:
    """Mean box of the groups that more than half of the workers drew."""
    return labels_of(columns, group_boxes(columns, min_iou=MIN_IOU, place="mean"))


def median(columns: AnswerColumns) -> pd.DataFrame:
    """Median of each edge of the groups that more than half of the workers drew."""
    return labels_of(columns, group_boxes(columns, min_iou=MIN_IOU, place="median"))


def ground_truth_rule(columns: AnswerColumns) -> pd.DataFrame:
    """Our reading of Ground Truth: matched by IoU, plain mean, and what nobody else drew is kept."""
    groups = group_boxes(columns, min_iou=MIN_IOU, place="mean")
    return labels_of(columns, replace(groups, accepted=groups.votes > 0))


def medoid(columns: AnswerColumns) -> pd.DataFrame:
    """The box that overlaps the others of its group most, by a majority (CVAT, Datumaro)."""
    groups = group_boxes(columns, min_iou=MIN_IOU)
    pairs = box_pairs(columns, groups)
    total = np.bincount(pairs.first, weights=pairs.iou, minlength=len(columns.box_task))
    total += np.bincount(pairs.second, weights=pairs.iou, minlength=len(columns.box_task))
    order = np.lexsort((-total, ~columns.box_usable, groups.box_group))
    first = np.searchsorted(groups.box_group[order], np.arange(len(groups.votes)))
    return labels_of(columns, _placed(groups, columns.box_edges[order[first]]))


def weighted_box_fusion(columns: AnswerColumns) -> pd.DataFrame:
    """Weighted box fusion (Solovyev and others 2019), every box of score 1, kept at score 0.5 and above."""
    tasks, categories, edges = [], [], []
    rows = np.flatnonzero(columns.box_usable)
    key = columns.box_task[rows] * len(columns.categories) + columns.box_category[rows]
    order = np.argsort(key, kind="stable")
    for part in np.split(rows[order], np.flatnonzero(np.diff(key[order])) + 1):
        if not len(part):
            continue
        task = int(columns.box_task[part[0]])
        for box, count in _wbf(columns.box_edges[part]):
            if min(count, columns.task_answers[task]) / columns.task_answers[task] >= 0.5:
                tasks.append(task)
                categories.append(int(columns.box_category[part[0]]))
                edges.append(box)
    placed = np.array(edges).reshape(-1, 4)
    return _labels(columns, np.array(tasks, np.int64), np.array(categories, np.int64), placed)


def fused(columns: AnswerColumns) -> pd.DataFrame:
    """Ours."""
    return labels_of(columns, fuse_boxes(columns, min_iou=MIN_IOU).groups)


METHODS: dict[str, Callable[[AnswerColumns], pd.DataFrame]] = {
    "single worker": single_worker,
    "majority of matched boxes": majority,
    "majority, median": median,
    "Ground Truth's rule": ground_truth_rule,
    "medoid (CVAT, Datumaro)": medoid,
    "weighted box fusion": weighted_box_fusion,
    "**fused (ours)**": fused,
}


def _wbf(boxes: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Clusters of one image and category: the running mean, and how many boxes it holds."""
    clusters: list[tuple[np.ndarray, int]] = []
    for box in boxes:
        overlaps = [float(overlap(mean, box)) for mean, _ in clusters]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best >= 0 and overlaps[best] > WBF_IOU:
            mean, count = clusters[best]
            clusters[best] = ((mean * count + box) / (count + 1), count + 1)
        else:
            clusters.append((box, 1))
    return clusters


def _placed(groups: Groups, edges: np.ndarray) -> Groups:
    return replace(groups, edges=edges)


def _labels(
    columns: AnswerColumns, task: np.ndarray, category: np.ndarray, edges: np.ndarray
) -> pd.DataFrame:
    return label_frame(
        {
            "source_ref": [columns.images[image] for image in columns.task_image[task]],
            "category": [columns.categories[number] for number in category],
            "left": edges[:, 0],
            "top": edges[:, 1],
            "width": edges[:, 2] - edges[:, 0],
            "height": edges[:, 3] - edges[:, 1],
            "score": np.ones(len(task)),
            "votes": np.ones(len(task)),
            "answers": columns.task_answers[task],
            "job": [columns.task_job[number] for number in task],
        }
    )
