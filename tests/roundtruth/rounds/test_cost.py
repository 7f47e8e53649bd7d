from __future__ import annotations

from typing import Any

import pytest

from roundtruth.annotations import ANSWERS, LABELS, table, to_parquet
from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.cost import check_budget, estimate_price, price_terms, spent_usd
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import ImportedJob, PlannedJob
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import PUBLIC_TEAM, make_project
from tests.round_runs import etags

MTURK: dict[str, Any] = {
    "labeling__workteam_arn": PUBLIC_TEAM,
    "labeling__free_of_pii": True,
    "labeling__price_per_task": {"cents": 3, "tenth_fractions_of_a_cent": 6},
    "labeling__workers_per_object": 5,
}
STEPS = [{"up_to": 100, "usd": 0.08}, {"up_to": 300, "usd": 0.04}, {"usd": 0.02}]


@pytest.mark.parametrize(
    ("changes", "labeling", "relabel"),
    [
        ({}, 8.0, 8.0),
        ({"consensus": {"relabel_passes": 0}}, 8.0, 0.0),
        ({"consensus": {"relabel_passes": 3}}, 8.0, 24.0),
        ({"labeling__workers_per_object": 1}, 8.0, 0.0),
        ({"labeling__service_fee_usd": 0}, 0.0, 0.0),
        # AWS's own example: 0.08 + 5 * 0.036 = 0.26 USD an image
        (MTURK, 26.0, 15.2),
    ],
)
def test_price_of_100_images(changes: dict[str, Any], labeling: float, relabel: float) -> None:
    price = estimate_price(make_project(**changes), images=100, category_chunks=1)
    assert (price.labeling_usd, price.relabel_usd) == (labeling, relabel)
    twice = estimate_price(make_project(**changes), images=100, category_chunks=2)
    assert twice.most_usd == pytest.approx(2 * price.most_usd)


@pytest.mark.parametrize(
    ("objects", "after", "fee"),
    [
        (0, 0, 0),
        (100, 0, 8),
        (101, 0, 8.04),
        (1000, 0, 8 + 8 + 14),
        (50, 80, 1.6 + 1.2),
        (10, 300, 0.2),
        (400, 50, 4 + 8 + 3),
    ],
)
def test_a_table_of_fees(objects: int, after: int, fee: float) -> None:
    labeling = make_project(labeling__service_fee_usd=STEPS).labeling
    assert labeling.fee_usd(objects, after=after) == pytest.approx(fee)


def test_relabel_passes_go_on_in_the_table_where_the_first_jobs_end() -> None:
    price = estimate_price(make_project(labeling__service_fee_usd=STEPS), images=200, category_chunks=1)
    assert (price.labeling_usd, price.relabel_usd) == (12.0, 4 + 2)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"up_to": 100, "usd": 0.08}],
        [{"usd": 0.08}, {"usd": 0.04}],
        [{"up_to": 300, "usd": 0.08}, {"up_to": 100, "usd": 0.04}, {"usd": 0.02}],
        [{"up_to": 0, "usd": 0.08}, {"usd": 0.04}],
        [{"usd": -1}],
    ],
    ids=["none", "no last step", "two last steps", "falling", "no object", "below zero"],
)
def test_tables_that_make_no_sense(steps: list[dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="service_fee_usd"):
        make_project(labeling__service_fee_usd=steps)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "AWS's fee an image and job 0.08 USD; 3 answers by your own team; disputed images once more, "
            "2 answers",
        ),
        (
            {**MTURK, "consensus": {"relabel_passes": 2, "relabel_workers": 3}},
            "AWS's fee an image and job 0.08 USD; 5 answers at 0.036 USD each; disputed images up to 2 times "
            "more, 3 answers",
        ),
        (
            {"labeling__service_fee_usd": STEPS, "labeling__workers_per_object": 1},
            "AWS's fee an image and job 0.08 USD up to 100 objects, 0.04 USD up to 300 objects, 0.02 USD "
            "from there on; 1 answer by your own team",
        ),
    ],
)
def test_prices_in_words(changes: dict[str, Any], words: str) -> None:
    assert price_terms(make_project(**changes)) == words


def test_a_round_over_budget_stops_before_anything_is_written() -> None:
    storage = memory_storage()
    for number in range(10):
        put_blank(storage, f"s3://some-bucket/boxes/images/{number}.png")
    # 10 images at 0.26, and up to 10 again at 0.08 + 2 × 0.036
    with pytest.raises(
        RoundError,
        match=r"may cost 4.12 USD \(2.60 and up to 1.52 for relabeling\), 0.12 over budget_usd 4.00",
    ):
        plan_round(storage, make_project(**MTURK, budget_usd=4), "r1")
    assert not [key for key in etags(storage, "some-bucket") if "/rounds/" in key]
    assert plan_round(storage, make_project(**MTURK, budget_usd=4.12), "r1") is not None


def test_the_budget_itself_is_not_over_budget() -> None:
    project = make_project(**MTURK, budget_usd=41.2)
    price = estimate_price(project, images=100, category_chunks=1)
    assert price.most_usd == 41.2
    check_budget(project, "r1", price)


# --- what was spent


def put_results(storage: Storage, project: Project, job: str, *answers_by_status: tuple[str, int]) -> None:
    """The collected tables of a job: one image for each status and its number of answers."""
    inputs = round_folder(project, "r1").job(job)
    rows: list[dict[str, object]] = [
        {"source_ref": f"s3://b/{number}.jpg", "status": status, "reason": "", "answers": answers}
        for number, (status, answers) in enumerate(answers_by_status)
    ]
    storage.write(inputs.objects, to_parquet(table(rows, OBJECTS), OBJECTS))
    storage.write(inputs.answers, to_parquet(table([], ANSWERS), ANSWERS))
    storage.write(inputs.consolidated, to_parquet(table([], LABELS), LABELS))


def job(name: str, **changes: Any) -> PlannedJob:
    values: dict[str, Any] = {"name": name, "categories": ("pen",), "part": 0, "images": 4, "workers": 5}
    return PlannedJob(**(values | changes))


def test_spent_is_what_came_back_and_not_what_was_planned() -> None:
    storage, project = memory_storage(), make_project(**MTURK)
    folder = round_folder(project, "r1")
    put_results(storage, project, "a", ("labeled", 5), ("negative", 3), ("failed", 2), ("unlabeled", 0))
    put_results(storage, project, "a-r1", ("labeled", 2))
    # Five answers and three, two of an object that failed then; nobody was shown the fourth.
    first = 3 * 0.08 + 10 * 0.036
    assert spent_usd(storage, project, folder, [job("a")]) == pytest.approx(round(first, 2))
    both = [job("a"), job("a-r1", images=1, workers=2, relabel_pass=1)]
    assert spent_usd(storage, project, folder, both) == pytest.approx(first + 0.08 + 2 * 0.036, abs=0.005)
    assert spent_usd(storage, project, folder, []) == 0


def test_an_auto_labeled_object_costs_its_fee() -> None:
    storage, project = memory_storage(), make_project(**MTURK)
    put_results(storage, project, "a", ("labeled", 0))
    assert spent_usd(storage, project, round_folder(project, "r1"), [job("a")]) == 0.08


def test_a_job_whose_results_nobody_collected_counts_as_planned() -> None:
    storage, project = memory_storage(), make_project(**MTURK)
    spent = spent_usd(storage, project, round_folder(project, "r1"), [job("a", gold=("s3://b/g.jpg",))])
    assert spent == pytest.approx(5 * 0.26)


def test_imported_jobs_were_paid_before() -> None:
    storage, project = memory_storage(), make_project(**MTURK)
    storage.write(ObjectUri("some-bucket", "x"), b"")
    imported = ImportedJob(
        label_attribute="boxes",
        job_name="old",
        output_uris=("s3://jobs/old",),
        labels_from="answers",
        asked="labels",
        adjusts=False,
        labeled=4,
        negative=0,
        failed=0,
        unlabeled=0,
        answers=20,
        superseded=0,
    )
    assert spent_usd(storage, project, round_folder(project, "r1"), [job("old", imported=imported)]) == 0
