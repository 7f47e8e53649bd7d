"""How likely each category of an image is, by Dawid–Skene with the skills of earlier rounds."""

from __future__ import annotations

import numpy as np

from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.dawid_skene import ItemCategories, dawid_skene
from roundtruth.consensus.group_categories import CategorySkill
from roundtruth.consensus.grouped_boxes import sums
from roundtruth.consensus.matching import Bools, Floats, Ints
from roundtruth.consensus.worker_skills import WorkerSkills, category_skill, with_categories

# Answers that the pool's habits weigh in a worker's confusion: workers of a crowd give few answers each.
POOL_PRIOR = 3.0


def likely_categories(
    columns: AnswerColumns, choice: Bools, skills: WorkerSkills, multi_label: bool
) -> tuple[Floats, WorkerSkills]:
    """How likely each category is, shape (tasks, categories), and the skills after this round.

    Several categories an image: each is a question of its own, with yes and no as its answers.
    """
    known = category_skill(skills, columns.workers)
    result = np.zeros((len(columns.task_answers), choice.shape[1]))
    right, answered = known.right.copy(), known.boxes.copy()
    workers = len(columns.workers)
    if multi_label:
        for category in range(choice.shape[1]):
            said = choice[:, category].astype(np.int64)
            items = _estimate(columns.answer_task, columns.answer_worker, said, (workers, 2), known)
            result[:, category] = items.probability[:, 1]
            right += sums(columns.answer_worker, items.probability[columns.answer_task, said], workers)
            answered += sums(columns.answer_worker, np.ones(len(said)), workers)
    else:
        answer, chosen = np.nonzero(choice)
        task, worker = columns.answer_task[answer], columns.answer_worker[answer]
        tasks, item = np.unique(task, return_inverse=True)
        items = _estimate(item, worker, chosen, (workers, choice.shape[1]), known)
        result[tasks] = items.probability
        right += sums(worker, result[task, chosen], workers)
        answered += sums(worker, np.ones(len(task)), workers)
    return result, with_categories(skills, columns.workers, CategorySkill(right=right, boxes=answered))


def likeliest(likely: Floats, multi_label: bool) -> Bools:
    """The category of each task that is likeliest, or all that are likelier than not; shape as ``likely``."""
    if multi_label or not likely.shape[1]:
        several: Bools = likely > 0.5
        return several
    chosen = np.zeros(likely.shape, bool)
    chosen[np.arange(len(likely)), likely.argmax(axis=1)] = True
    result: Bools = chosen & (likely.max(axis=1) > 0)[:, None]
    return result


def _estimate(
    item: Ints, worker: Ints, category: Ints, shape: tuple[int, int], known: CategorySkill
) -> ItemCategories:
    items = int(item.max()) + 1 if len(item) else 0
    return dawid_skene(item, worker, category, (items, *shape), prior=POOL_PRIOR, known=known)
