"""Which of the labels that finished jobs gave an image count for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from roundtruth.rounds.imports.survey import Entry, FoundJob, Survey


@dataclass(kw_only=True)
class Choice:
    """What counts: for each job its images, with the entry to read; and how many another job replaced."""

    by_job: dict[int, dict[str, Entry]] = field(default_factory=dict)
    superseded: Counter[int] = field(default_factory=Counter)


def choose_labels(survey: Survey) -> Choice:
    """Choose for each image among all that the jobs say of it.

    Jobs that have no category in common asked for other things: all of them count. Of jobs that share a
    category the newest label counts: an adjustment replaces what it adjusted, at the end of any chain. Only
    jobs that asked for the same categories independently, each with its workers' answers there, count
    together: their answers are fused as if one job had had more workers. Workers of an adjustment job began
    from the boxes of others, so theirs never mix. A row that failed or was left without a label takes
    nothing away from a label of the same categories; where there is none, the image waits for it.
    """
    choice = Choice()
    categories = [frozenset(job.categories) for job in survey.jobs]
    for source_ref, entries in sorted(survey.entries.items()):
        kept = _kept(entries, survey.jobs, categories)
        for entry in kept:
            choice.by_job.setdefault(entry.job, {})[source_ref] = entry
        labeled = {entry.job for entry in entries if entry.labeled}
        choice.superseded.update(labeled - {entry.job for entry in kept})
    return choice


def _kept(
    entries: Sequence[Entry], jobs: Sequence[FoundJob], categories: Sequence[frozenset[str]]
) -> list[Entry]:
    kept: list[Entry] = []
    # Newest first; of equal ones (a chained job's manifest repeats the label of the job before it) the one
    # with its workers' answers. Labels come before failures.
    for entry in sorted(entries, key=_rank, reverse=True):
        rivals = [one for one in kept if categories[one.job] & categories[entry.job]]
        if all(_independent(entry, one, jobs, categories) for one in rivals):
            kept.append(entry)
    return kept


def _rank(entry: Entry) -> tuple[object, ...]:
    return entry.labeled, entry.created, entry.answered, -entry.source, -entry.line, -entry.job


def _independent(
    entry: Entry, other: Entry, jobs: Sequence[FoundJob], categories: Sequence[frozenset[str]]
) -> bool:
    """Whether the answers of two labels may be fused."""
    return (
        entry.job != other.job
        and entry.labeled
        and entry.answered
        and other.answered
        and categories[entry.job] == categories[other.job]
        and not jobs[entry.job].adjusts
        and not jobs[other.job].adjusts
    )
