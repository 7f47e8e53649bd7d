"""The answers table as sorted numpy columns: tasks, the answers that count, and their boxes.

A task is an image together with categories that the same jobs asked for (consensus.chunks): a job and its
relabel job make one task, jobs over different categories make different tasks on the same image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.consensus.chunks import chunks_of_rows, with_empty_answers
from roundtruth.consensus.matching import Bools, Floats, Ints, area
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.errors import ConsensusError
from roundtruth.row_order import order_of_rows

_NEEDED = ("source_ref", "job", "worker", "box", "category", "left", "top", "width", "height")
_PLACE = ["left", "top", "width", "height"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerColumns:
    """Answers of a round, or of a part. Numbers of images, workers and categories follow their sorted names.

    Workers are numbered by their ids and stand by their pseudonyms: results do not depend on the key.

    Answers are sorted by task and worker, boxes by task, place and worker, so that nothing computed from them
    depends on the order of the rows that came in.
    """

    images: list[str]
    workers: list[str]  # pseudonyms
    categories: list[str]
    task_image: Ints
    task_job: list[str]  # the job the task's labels belong to: the first of its jobs by name
    task_answers: Ints  # how many workers answered
    answer_task: Ints
    answer_worker: Ints
    answer_seconds: Floats  # NaN where the file does not say
    box_task: Ints
    box_answer: Ints
    box_worker: Ints
    box_category: Ints
    box_edges: Floats  # left, top, right, bottom in pixels
    box_place: Ints  # 0-based place in the worker's answer
    box_usable: Bools  # False: no area, or the same box twice by one worker; such a box never votes
    repeated_answers: int  # later answers of a worker who had answered the task before: not counted
    zero_area_boxes: int
    repeated_boxes: int


def answer_columns(
    answers: pd.DataFrame,
    categories_by_job: Mapping[str, Sequence[str]] | None = None,
    *,
    pseudonym_key: bytes = b"",
) -> AnswerColumns:
    """Read the answers table (``annotations.ANSWERS``), rows in any order.

    :param categories_by_job: what each job asked for; a category is judged by the workers of the jobs that
        asked for it. Without it, all jobs asked for the same categories.
    :raises ConsensusError: when a column is missing, a job has no categories, or a box is not finite.
    """
    missing = [name for name in _NEEDED if name not in answers.columns]
    if missing:
        raise ConsensusError(f"The answers table lacks the columns {', '.join(missing)}.")
    jobs, job = _numbered(answers["job"])
    chunk, several = chunks_of_rows(job, jobs, answers["category"], categories_by_job)
    answers, chunk = with_empty_answers(answers, job, chunk, several)
    job = _numbered(answers["job"])[1] if several else job
    images, image = _numbered(answers["source_ref"])
    workers, worker = _numbered(answers["worker"])
    submitted = _numbered(_text(answers, "submitted"))[1]
    answer = np.stack([image, chunk, worker, submitted, job], axis=1)
    kept, repeated = _first_answers(answer)
    tasks, _, task = _distinct(answer[:, :2])
    task_job = np.full(len(tasks), len(jobs))
    np.minimum.at(task_job, task[kept], job[kept])
    counted, first_row, row_answer = _distinct(np.stack([task[kept], worker[kept]], axis=1))
    seconds = pd.to_numeric(answers["seconds"]).to_numpy(np.float64) if "seconds" in answers else None
    return AnswerColumns(
        images=images,
        workers=[pseudonym(name, pseudonym_key) for name in workers],
        task_image=tasks[:, 0],
        task_job=[jobs[number] for number in task_job],
        task_answers=np.bincount(counted[:, 0], minlength=len(tasks)),
        answer_task=counted[:, 0],
        answer_worker=counted[:, 1],
        answer_seconds=np.full(len(counted), np.nan) if seconds is None else seconds[kept][first_row],
        repeated_answers=repeated,
        **_boxes(answers, kept, task, worker, row_answer),
    )


def worker_ids(answers: pd.DataFrame) -> list[str]:
    """The ids of the workers of an answers table, in the order of their numbers."""
    return _numbered(answers["worker"])[0]


def renumbered(
    columns: AnswerColumns, ids: Sequence[str], workers: Mapping[str, str], categories: Sequence[str]
) -> AnswerColumns:
    """The columns of a part with the numbers that workers and categories have in the whole round.

    :param ids: of the part's workers, by their numbers.
    :param workers: pseudonyms of all the round's workers by their sorted ids; ``categories``: sorted.
    """
    of_worker = _places(ids, list(workers))
    of_category = _places(columns.categories, categories)
    return replace(
        columns,
        workers=list(workers.values()),
        categories=list(categories),
        answer_worker=of_worker[columns.answer_worker],
        box_worker=of_worker[columns.box_worker],
        box_category=of_category[columns.box_category],
    )


def _places(names: Sequence[str], of: Sequence[str]) -> Ints:
    place = {name: number for number, name in enumerate(of)}
    return np.array([place[name] for name in names], np.int64)


def _text(answers: pd.DataFrame, column: str) -> pd.Series[Any]:
    if column not in answers:
        return pd.Series([""] * len(answers), index=answers.index)
    return answers[column].astype("str").fillna("")


def _numbered(values: pd.Series[Any]) -> tuple[list[str], Ints]:
    """The sorted distinct names, and the number of each row's name."""
    codes, names = pd.factorize(values, sort=True)
    if (codes < 0).any():
        raise ConsensusError(f"The answers table has rows without {values.name}; every row needs one.")
    return [str(name) for name in names], codes.astype(np.int64)


def _first_answers(answer: NDArray[Any]) -> tuple[Ints, int]:
    """Rows of each worker's first answer to a task, and how many later answers were left out.

    A second job may reach a worker who has already answered: that is no new opinion.
    """
    if not len(answer):
        return np.zeros(0, np.int64), 0
    distinct, _, of_row = _distinct(answer)
    first = np.r_[True, (distinct[1:, :3] != distinct[:-1, :3]).any(axis=1)]
    return np.flatnonzero(first[of_row]), int((~first).sum())


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[Any], Ints, Ints]:
    """The sorted distinct rows, where each stands first, and the number of each row.

    As ``numpy.unique`` with an axis, which sorts rows as bytes and is many times slower.
    """
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in ordered.T])
    number = np.empty(len(rows), np.int64)
    number[order] = np.cumsum(new) - 1
    return ordered[new], order[new], number


def _boxes(answers: pd.DataFrame, kept: Ints, task: Ints, worker: Ints, row_answer: Ints) -> dict[str, Any]:
    place = answers["box"].to_numpy(np.int64)[kept]
    drawn = place >= 0
    rows = kept[drawn]
    categories, category = _numbered(answers["category"].iloc[rows])
    edges = answers[_PLACE].to_numpy(np.float64).take(rows, axis=0)
    if not np.isfinite(edges).all():
        bad = answers.iloc[rows[int(np.flatnonzero(~np.isfinite(edges).all(axis=1))[0])]]
        raise ConsensusError(
            f"{bad['source_ref']}: box {bad['box']} of an answer is not finite; was the answers file damaged?"
        )
    edges[:, 2:] += edges[:, :2]
    columns = {
        "box_task": task[rows],
        "box_answer": row_answer[drawn],
        "box_worker": worker[rows],
        "box_category": category,
        "box_edges": edges,
        "box_place": place[drawn],
    }
    order = order_of_rows(columns["box_task"], *edges.T, category, columns["box_worker"], place[drawn])
    columns = {name: values.take(order, axis=0) for name, values in columns.items()}
    flat = area(columns["box_edges"]) <= 0
    again = _repeats(columns["box_answer"], columns["box_category"], columns["box_edges"]) & ~flat
    return {
        **columns,
        "categories": categories,
        "box_usable": ~flat & ~again,
        "zero_area_boxes": int(flat.sum()),
        "repeated_boxes": int(again.sum()),
    }


def _repeats(answer: Ints, category: Ints, edges: Floats) -> Bools:
    """Boxes that their worker drew a second time: same category, same place. The rows are sorted by place.

    So boxes of one task, place, category and worker stand beside each other.
    """
    result = np.zeros(len(answer), bool)
    result[1:] = (answer[1:] == answer[:-1]) & (category[1:] == category[:-1])
    for edge in range(4):
        result[1:] &= edges[1:, edge] == edges[:-1, edge]
    return result
