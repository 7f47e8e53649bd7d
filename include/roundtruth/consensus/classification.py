"""Consensus of chosen categories: image classification with one or several categories an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from roundtruth.consensus.alpha import krippendorff_alpha
from roundtruth.consensus.answer_columns import AnswerColumns, answer_columns
from roundtruth.consensus.likely_categories import POOL_PRIOR, likeliest, likely_categories
from roundtruth.consensus.majority import label_frame
from roundtruth.consensus.matching import Bools, Floats, Ints
from roundtruth.consensus.measure import ConsensusResult
from roundtruth.consensus.report import REPORT_VERSION
from roundtruth.consensus.worker_skills import WorkerSkills
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus

UNCERTAIN = "uncertain"
TIED = "tied"
NO_MAJORITY = "no majority"
LOW_AGREEMENT = "low agreement"


def measure_classes(
    answers: pd.DataFrame,
    settings: Consensus,
    *,
    multi_label: bool,
    consolidated: pd.DataFrame | None = None,
    skills: WorkerSkills | None = None,
    pseudonym_key: bytes = b"",
) -> ConsensusResult:
    """Fuse chosen categories, or keep Ground Truth's own choice (``method: ground-truth``).

    ``fused``: Dawid–Skene; the likeliest category of an image, or each that is likelier than not, and
    ``score`` is its probability. ``majority``: the category with the most votes wins (ties: first by name;
    the image is disputed), or each that strictly more than half of the workers chose; ``score`` is the share
    of votes.

    :param answers: ``annotations.ANSWERS``; one row a chosen category, left to height are not read.
    :param pseudonym_key: as for boxes (``measure_consensus``).
    :return: as for boxes, with null places in the labels; ``agreement`` of an image is the mean over its
        pairs of workers of their Jaccard index.
    :raises ConsensusError: when the method is for boxes only, or ground-truth is asked for and not given.
    """
    if settings.method == "median":
        raise ConsensusError("method: median is for boxes; classification takes fused or majority.")
    if settings.method == "ground-truth" and consolidated is None:
        raise ConsensusError("method: ground-truth needs the output manifest of the job; use majority.")
    placed = answers.assign(left=0.0, top=0.0, width=1.0, height=1.0)
    columns = answer_columns(placed, pseudonym_key=pseudonym_key)
    choice = _choices(columns)
    votes = _votes(columns, choice)
    won, tied = _winners(columns, votes, multi_label)
    agreement = _agreement(columns, choice)
    likely, renewed = likely_categories(columns, choice, skills or WorkerSkills(), multi_label)
    if settings.method == "fused":
        labels = _labels(columns, votes, likeliest(likely, multi_label), likely)
        reasons = _doubts(columns, likely, settings.max_doubt, multi_label)
    else:
        renewed = skills or WorkerSkills()
        labels = _labels(columns, votes, won, votes / columns.task_answers[:, None])
        reasons = _reasons(columns, votes, tied, agreement, settings.min_agreement, multi_label)
    if settings.method == "ground-truth" and consolidated is not None:
        labels = _of_ground_truth(columns, votes, consolidated)
    images = pd.DataFrame(
        {
            "source_ref": columns.images,
            "answers": columns.task_answers.astype(np.int16),
            "agreement": agreement,
            "disputed": [bool(reason) for reason in reasons],
            "reason": reasons,
        }
    ).astype({"source_ref": "str", "disputed": "bool", "reason": "str"})
    report = _report(columns, choice, votes, multi_label, settings, images)
    report["dawid_skene"] = None if multi_label else _differences(columns, votes, likely)
    return ConsensusResult(labels=labels, images=images, report=report, skills=renewed)


def _choices(columns: AnswerColumns) -> Bools:
    """Which categories each answer chose, shape (answers, categories)."""
    choice = np.zeros((len(columns.answer_task), len(columns.categories)), bool)
    choice[columns.box_answer, columns.box_category] = True
    return choice


def _votes(columns: AnswerColumns, choice: Bools) -> Ints:
    """Votes of each task for each category, shape (tasks, categories)."""
    votes = np.zeros((len(columns.task_answers), choice.shape[1]), np.int64)
    np.add.at(votes, columns.answer_task, choice)
    return votes


def _winners(columns: AnswerColumns, votes: Ints, multi_label: bool) -> tuple[Bools, Bools]:
    """Which categories won, shape (tasks, categories), and which tasks are exactly tied."""
    if multi_label or not votes.shape[1]:
        halves = columns.task_answers[:, None]
        return 2 * votes > halves, ((2 * votes == halves) & (halves > 1)).any(axis=1)
    most = votes.max(axis=1)
    won = np.zeros(votes.shape, bool)
    won[np.arange(len(votes)), votes.argmax(axis=1)] = True
    return won & (most > 0)[:, None], ((votes == most[:, None]).sum(axis=1) > 1) & (most > 0)


def _agreement(columns: AnswerColumns, choice: Bools) -> Floats:
    """Mean Jaccard index over the pairs of workers of each task; NaN with one answer."""
    result = np.full(len(columns.task_answers), np.nan)
    starts = np.searchsorted(columns.answer_task, np.arange(len(result) + 1))
    for task in np.flatnonzero(columns.task_answers > 1).tolist():
        mine = choice[starts[task] : starts[task + 1]].astype(np.int64)
        shared = mine @ mine.T
        sizes = np.diag(shared)
        union = sizes[:, None] + sizes[None] - shared
        jaccard = np.divide(shared, union, out=np.ones(shared.shape), where=union > 0)
        result[task] = jaccard[np.triu_indices(len(mine), 1)].mean()
    return result


def _reasons(
    columns: AnswerColumns,
    votes: Ints,
    tied: Bools,
    agreement: Floats,
    min_agreement: float,
    multi_label: bool,
) -> list[str]:
    most = votes.max(axis=1, initial=0)
    minority = (2 * most <= columns.task_answers) & ~tied & (columns.task_answers > 1)
    minority &= not multi_label
    low = np.nan_to_num(agreement, nan=1.0) < min_agreement
    flags = ((tied, TIED), (minority, NO_MAJORITY), (low, LOW_AGREEMENT))
    return [", ".join(name for flag, name in flags if flag[task]) for task in range(len(votes))]


def _labels(columns: AnswerColumns, votes: Ints, won: Bools, score: Floats) -> pd.DataFrame:
    task, category = np.nonzero(won)
    return label_frame(
        {
            "source_ref": [columns.images[image] for image in columns.task_image[task]],
            "category": [columns.categories[number] for number in category],
            **dict.fromkeys(("left", "top", "width", "height"), np.nan),
            "score": score[task, category],
            "votes": votes[task, category],
            "answers": columns.task_answers[task],
            "job": [columns.task_job[number] for number in task],
        }
    )


def _of_ground_truth(columns: AnswerColumns, votes: Ints, consolidated: pd.DataFrame) -> pd.DataFrame:
    """Ground Truth's own choice with our votes; 0 for a category that nobody chose."""
    chosen = consolidated.sort_values(["source_ref", "category"], kind="stable", ignore_index=True)
    tasks = {columns.images[image]: task for task, image in enumerate(columns.task_image.tolist())}
    codes = {name: number for number, name in enumerate(columns.categories)}
    counted, answered = [], []
    for name, category in zip(chosen["source_ref"], chosen["category"], strict=True):
        task = tasks.get(name)
        known = task is not None and category in codes
        counted.append(int(votes[task, codes[category]]) if known else 0)
        answered.append(int(columns.task_answers[task]) if task is not None else 0)
    return label_frame(
        {
            "source_ref": chosen["source_ref"],
            "category": chosen["category"],
            **dict.fromkeys(("left", "top", "width", "height"), np.nan),
            "score": np.array(counted) / np.maximum(answered, 1),
            "votes": counted,
            "answers": answered,
            "job": chosen["job"],
        }
    )


def _report(
    columns: AnswerColumns,
    choice: Bools,
    votes: Ints,
    multi_label: bool,
    settings: Consensus,
    images: pd.DataFrame,
) -> dict[str, Any]:
    known = images["agreement"].dropna()
    return {
        "version": REPORT_VERSION,
        "parameters": {**settings.model_dump(mode="json"), "multi_label": multi_label},
        "counts": {
            "images": len(columns.images),
            "images_disputed": int(images["disputed"].sum()),
            "workers": len(columns.workers),
            "answers": len(columns.answer_task),
            "repeated_answers": columns.repeated_answers,
        },
        "agreement": {
            "mean": float(known.mean()) if len(known) else None,
            "krippendorff_alpha": _alpha(columns, choice, multi_label),
            "votes_by_category": [
                {"category": name, "votes": int(count)}
                for name, count in zip(columns.categories, votes.sum(axis=0), strict=True)
            ],
        },
        "workers": _workers(columns, choice, votes, multi_label),
        "disputed_images": _disputed(columns, votes, images),
    }


def _doubts(columns: AnswerColumns, likely: Floats, max_doubt: float, multi_label: bool) -> list[str]:
    """Images of which so many categories are expected to be wrong, by two or more answers."""
    if multi_label:
        doubt = np.minimum(likely, 1 - likely).sum(axis=1)
    else:
        best = likely.max(axis=1, initial=0)
        doubt = np.where(best > 0, 1 - best, 0)
    disputed = (doubt > max_doubt) & (columns.task_answers > 1)
    return [UNCERTAIN if flag else "" for flag in disputed.tolist()]


def _differences(columns: AnswerColumns, votes: Ints, likely: Floats) -> dict[str, Any]:
    """Where workers' skills make another category likelier than the most votes do."""
    answered = np.flatnonzero(votes.sum(axis=1) > 0)
    likeliest = likely[answered].argmax(axis=1) if likely.size else answered
    most = votes[answered].argmax(axis=1) if likely.size else answered
    return {
        "pool_prior": POOL_PRIOR,
        "differs_from_majority": [
            {
                "source_ref": columns.images[columns.task_image[answered[row]]],
                "majority": columns.categories[most[row]],
                "likeliest": columns.categories[likeliest[row]],
                "probability": float(likely[answered[row], likeliest[row]]),
            }
            for row in np.flatnonzero(likeliest != most).tolist()
        ],
    }


def _disputed(columns: AnswerColumns, votes: Ints, images: pd.DataFrame) -> list[dict[str, Any]]:
    agreement = images["agreement"].to_numpy(np.float64)
    return [
        {
            "source_ref": columns.images[task],
            "agreement": round(float(agreement[task]), 3) if np.isfinite(agreement[task]) else None,
            "reason": str(images["reason"].iloc[task]),
            "votes": {
                columns.categories[number]: int(votes[task, number]) for number in np.flatnonzero(votes[task])
            },
        }
        for task in np.flatnonzero(images["disputed"]).tolist()
    ]


def _alpha(columns: AnswerColumns, choice: Bools, multi_label: bool) -> float | None:
    """One category: units are images. Several: units are images and categories, opinions are yes and no."""
    if not multi_label:
        answer, category = np.nonzero(choice)
        return krippendorff_alpha(columns.answer_task[answer], category)
    width = choice.shape[1]
    unit = columns.answer_task[:, None] * width + np.arange(width)
    return krippendorff_alpha(unit.ravel(), choice.ravel().astype(np.int64))


def _workers(columns: AnswerColumns, choice: Bools, votes: Ints, multi_label: bool) -> list[dict[str, Any]]:
    """How often each worker chose what most of the others chose; only where the others have an outcome."""
    others = votes[columns.answer_task] - choice
    people = columns.task_answers[columns.answer_task] - 1
    if multi_label:
        outcome = 2 * others > people[:, None]
        judged = people > 0
    else:
        most = others.max(axis=1, initial=0)[:, None]
        outcome = (others == most) & (most > 0)
        judged = (outcome.sum(axis=1) == 1) & (people > 0)
    agrees = (outcome == choice).all(axis=1) & judged
    count = np.bincount(columns.answer_worker, minlength=len(columns.workers)).tolist()
    of = np.bincount(columns.answer_worker[judged], minlength=len(columns.workers)).tolist()
    hits = np.bincount(columns.answer_worker[agrees], minlength=len(columns.workers)).tolist()
    return sorted(
        (
            {
                "worker": worker,
                "answers": count[number],
                "compared_answers": of[number],
                "agrees_with_others": hits[number] / of[number] if of[number] else None,
            }
            for number, worker in enumerate(columns.workers)
        ),
        key=lambda entry: str(entry["worker"]),
    )
