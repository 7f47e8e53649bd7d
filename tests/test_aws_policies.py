"""What docs/aws.md grants to the execution role of Ground Truth: what jobs read, and nobody's name."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase

import pytest

from roundtruth.consensus.pseudonyms import KEY_FILE
from roundtruth.rounds.folder import RoundFolder
from roundtruth.storage import ObjectUri
from tests.dag_parsing import ROOT

PROJECT = ObjectUri.parse("s3://ground-truth-data-labeling/bounding_box")
ROUND = RoundFolder(PROJECT / "rounds" / "2026-11-16")
JOB = ROUND.job("pens-2026-11-16-1")


def readable() -> list[str]:
    """The objects that the execution role may get, as patterns."""
    text = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
    section = text.partition("### The execution role")[2].partition("\n## ")[0]
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)]
    statements = [
        one for policy in policies for one in policy["Statement"] if "s3:GetObject" in one["Action"]
    ]
    found = [one["Resource"] for one in statements]
    return [pattern for one in found for pattern in ([one] if isinstance(one, str) else one)]


@pytest.mark.parametrize(
    ("uri", "may"),
    [
        pytest.param(JOB.manifest, True, id="input manifest"),
        pytest.param(JOB.label_categories, True, id="categories"),
        pytest.param(JOB.template, True, id="page"),
        pytest.param(PROJECT / "images" / "사진 1.jpg", True, id="image"),
        pytest.param(PROJECT / "ground_truth_annots" / "j" / "output.manifest", True, id="earlier output"),
        pytest.param(JOB.answers, False, id="answers of a job"),
        pytest.param(ROUND.answers, False, id="answers of a round"),
        pytest.param(PROJECT / "rounds" / KEY_FILE, False, id="key of pseudonyms"),
        pytest.param(ROUND.consensus, False, id="report"),
        pytest.param(PROJECT / "datasets" / "pens", False, id="dataset"),
    ],
)  # fmt: skip
def test_what_ground_truth_may_read(uri: ObjectUri, may: bool) -> None:
    arn = f"arn:aws:s3:::{uri.bucket}/{uri.key}"
    assert any(fnmatchcase(arn, pattern) for pattern in readable()) is may
