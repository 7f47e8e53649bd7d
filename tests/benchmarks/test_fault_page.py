"""The page of the fault bench: what struck alone and mixed, what a person did, what was lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.fault_alone import ALONE, Alone
from benchmarks.fault_findings import Findings
from benchmarks.fault_kinds import CALL_FAULTS, JOB_FAULTS
from benchmarks.fault_page import Run, page, quoted
from benchmarks.fault_strikes import Strikes

ROOT = Path(__file__).resolve().parents[2]


def run(**more: object) -> Run:
    strikes = Strikes(is_alone=True)
    strikes.count("a labeling job fails")
    strikes.is_alone = False
    for kind in ("a labeling job fails", "500s of S3", "500s of S3"):
        strikes.count(kind)
    strikes.calls["PUT */rounds/*"] += 7
    given = {"seed": 3, "cleared": Counter(record_round=2), "revived": Counter(), "rounds": {"p": ["a", "b"]}}
    return Run(strikes=strikes, **given | more)


def alone(*problems: str, has_struck: bool = True) -> Alone:
    findings = Findings(problems=list(problems))
    return Alone(
        kind="a labeling job fails",
        round="f1",
        has_struck=has_struck,
        cleared=1,
        seconds=61.4,
        findings=findings,
    )


def test_counts_alone_and_mixed() -> None:
    text = page(run(alone=[alone()], findings=Findings(rounds=2, jobs=4, planned=3)))
    for line in (
        "| faults injected | 4 |",
        "| … one at a time / mixed | 1 / 3 |",
        "| rounds finished | 2 of 2 |",
        "| tasks cleared by a person | 2 |",
        "| a labeling job fails | 1 | 1 |",
        "| 500s of S3 | 0 | 2 |",
        "| a labeling job fails | 61 | 1 | nothing |",
        "| `PUT */rounds/*` | 7 |",
        "| record_round | 2 |",
    ):
        assert line in text.splitlines()
    assert "## Problems" not in text


def test_what_was_lost_stands_on_the_page() -> None:
    lost = "s3://b/1.png was uploaded and no round has it"
    text = page(
        run(alone=[alone(lost)], findings=Findings(images_lost=1, problems=[lost]), unfinished="w1 runs on")
    )
    assert f"| a labeling job fails | 61 | 1 | {lost} |" in text
    assert f"## Problems\n\n- {lost}\n- w1 runs on\n" in text


def test_a_fault_that_met_nothing_is_no_row() -> None:
    assert "## One at a time" not in page(run(alone=[alone(has_struck=False)]))


@pytest.mark.parametrize("kinds", [CALL_FAULTS, JOB_FAULTS], ids=["calls", "jobs"])
def test_every_kind_strikes_alone_too(kinds: dict[str, object]) -> None:
    assert set(kinds) <= set(ALONE)
    assert len(set(ALONE)) == len(ALONE)


def test_the_readme_quotes_the_page() -> None:
    written = (ROOT / "benchmarks" / "FAULTS.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert quoted(written) in " ".join(readme.split()), "put this sentence into README.md, Measured"


def test_what_is_quoted_of_a_page() -> None:
    findings = Findings(
        rounds=2, images_lost=3, answers_lost=4, versions=5, broken_versions=6, created_twice=7
    )
    assert quoted(page(run(findings=findings))) == (
        "Under 4 faults, 1 alone and 3 mixed, 2 of 2 rounds finished, 7 jobs were created "
        "twice, 3 images and 4 answers lost; of 5 versions "
        "6 do not verify, and a person cleared 2 tasks ([FAULTS.md](benchmarks/FAULTS.md))."
    )
