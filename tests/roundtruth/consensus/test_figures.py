"""Figures beside consensus.json: what they tell of a round."""

from __future__ import annotations

from xml.etree import ElementTree

import pandas as pd
import pytest

from roundtruth.consensus.figures import MOST_CATEGORIES, MOST_WORKERS, consensus_figures
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers, shuffled

SVG = "{http://www.w3.org/2000/svg}"


def told(figure: bytes) -> str:
    desc = ElementTree.fromstring(figure).find(f"{SVG}desc")
    assert desc is not None
    return desc.text or ""


def figures(table: pd.DataFrame) -> dict[str, bytes]:
    result = measure_consensus(table, Consensus(method="majority"))
    return consensus_figures(result.report, result.images)


def small_round(workers: int = 3, *, seconds: float | None = 10.0) -> pd.DataFrame:
    """Eight images with a pen; the last worker draws elsewhere, in a second."""
    names = [f"w{number}" for number in range(workers)]
    parts = []
    for image in range(8):
        parts += [answer(f"i{image}", name, ("pen", 0, 0, 50, 50), seconds=seconds) for name in names]
        quick = None if seconds is None else 1.0
        parts.append(answer(f"i{image}", "eve", ("pencil", 500, 500, 50, 50), seconds=quick))
    return answers(*parts, answer("alone", "w0", ("pen", 0, 0, 50, 50), seconds=seconds))


def test_what_they_tell():
    found = figures(small_round())
    assert sorted(found) == ["agreement.svg", "confusion.svg", "seconds.svg", "workers.svg"]
    # Of six pairs of workers three agree.
    assert "0.5–0.6: 8" in told(found["agreement.svg"])
    assert "1 images with one answer" in found["agreement.svg"].decode()
    eve = pseudonym("eve")
    assert told(found["workers.svg"]).startswith(f"{eve} (careless): recall 0.00, precision 0.00")
    assert f"{pseudonym('w0')}: recall 1.00, precision 1.00" in told(found["workers.svg"])
    assert f"{eve}: median 1;" in told(found["seconds.svg"])
    confused = told(found["confusion.svg"])
    assert "pen as pen: 25" in confused
    assert "pen as (not drawn): 8" in confused
    assert "(not drawn) as pencil: 8" in confused


def test_files_that_do_not_say_how_long_it_took():
    assert "seconds.svg" not in figures(small_round(seconds=None))


def test_order_of_rows_does_not_matter():
    table = small_round()
    assert figures(shuffled(table, 5)) == figures(table)


def test_nobody_answered():
    assert sorted(figures(answers())) == ["agreement.svg", "confusion.svg", "workers.svg"]


def test_many_workers_and_categories():
    assert f"the {MOST_WORKERS} worst of 51" in figures(small_round(50))["workers.svg"].decode()
    many = [
        answer("i", worker, *((f"c{n:02}", 100 * n, 0, 50, 50) for n in range(MOST_CATEGORIES + 5)))
        for worker in ("ann", "bob")
    ]
    confused = told(figures(answers(*many))["confusion.svg"])
    assert "(other categories) as (other categories): 10" in confused
    assert confused.count(" as ") == MOST_CATEGORIES + 1


@pytest.mark.parametrize("worker", ["private.us-east-1.0123456789abcdef"])
def test_raw_worker_ids_stay_in_the_answers(worker):
    table = answers(
        *(answer(f"i{n}", who, ("pen", 0, 0, 9, 9), seconds=3.0) for n in range(3) for who in (worker, "b"))
    )
    assert all(worker.encode() not in figure for figure in figures(table).values())
