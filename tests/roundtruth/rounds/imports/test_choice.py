from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from roundtruth.rounds.imports.choice import choose_labels
from roundtruth.rounds.imports.survey import NEVER, Entry, FoundJob, Survey

START = datetime(2024, 3, 1, tzinfo=UTC)
CATEGORIES = ["pen", "pencil", "eraser"]

jobs = st.lists(
    st.builds(
        lambda names, adjusts: FoundJob(
            attribute="boxes", job_name="", adjusts=adjusts, listed=tuple(sorted(names))
        ),
        st.sets(st.sampled_from(CATEGORIES), min_size=1),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def surveys(draw: st.DrawFn) -> Survey:
    """Some jobs, and what they say of one image; each (source, line) once."""
    found = draw(jobs)
    entries = [
        Entry(
            job=draw(st.integers(0, len(found) - 1)),
            source=number,
            line=1,
            labeled=labeled,
            failed=not labeled and draw(st.booleans()),
            reason="" if labeled else "no",
            created=START + timedelta(days=draw(st.integers(0, 3))) if labeled else NEVER,
            answered=draw(st.booleans()),
        )
        for number, labeled in enumerate(draw(st.lists(st.booleans(), min_size=1, max_size=6)))
    ]
    survey = Survey(jobs=found)
    survey.entries["s3://b/a.jpg"] = entries
    return survey


def kept(survey: Survey) -> list[Entry]:
    return sorted(entry for images in choose_labels(survey).by_job.values() for entry in images.values())


@given(surveys(), st.randoms(use_true_random=False))
def test_the_order_of_the_manifests_does_not_matter(survey: Survey, shuffler: random.Random) -> None:
    before = kept(survey)
    shuffler.shuffle(survey.entries["s3://b/a.jpg"])
    assert kept(survey) == before


@given(surveys())
def test_what_somebody_labeled_is_labeled(survey: Survey) -> None:
    chosen = kept(survey)
    for entry in survey.entries["s3://b/a.jpg"]:
        categories = set(survey.jobs[entry.job].categories)
        rivals = [one for one in chosen if categories & set(survey.jobs[one.job].categories)]
        assert rivals, "each job is heard, or one that shares a category with it"
        if entry.labeled:
            assert all(one.labeled for one in rivals), "a failure takes nothing away from a label"
            assert max(one.created for one in rivals) >= entry.created, "the newest counts"


@given(surveys())
def test_no_category_is_labeled_twice_but_by_independent_answers(survey: Survey) -> None:
    chosen = kept(survey)
    for number, one in enumerate(chosen):
        for other in chosen[number + 1 :]:
            mine, theirs = (survey.jobs[entry.job] for entry in (one, other))
            if set(mine.categories) & set(theirs.categories):
                assert one.answered
                assert other.answered
                assert one.job != other.job
                assert mine.categories == theirs.categories
                assert not (mine.adjusts)
                assert not (theirs.adjusts)
