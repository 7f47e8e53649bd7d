"""The input manifest: its form, its limits, and reading rows back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real_data import REAL, needs_real

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def manifests():
    from ground_truth import input_manifest

    return input_manifest


def test_golden(manifests):
    rows = ["s3://b/a b/펜#1%.jpg", {"extra": [1, 2.5], "source-ref": "s3://b/2.png", "boxes": {"a": None}}]
    assert (
        manifests.manifest_bytes(rows)
        == (
            '{"source-ref": "s3://b/a b/펜#1%.jpg"}\n'
            '{"source-ref": "s3://b/2.png", "extra": [1, 2.5], "boxes": {"a": null}}\n'
        ).encode()
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([], "no object to label", id="empty"),
        pytest.param([{"boxes": 1}], "row 1: needs exactly one of 'source-ref' and 'source'", id="no source"),
        pytest.param([{"source": "a", "source-ref": "s3://b/k"}], "exactly one of", id="both sources"),
        pytest.param(["https://b/k.jpg"], "row 1: 'source-ref' must be an S3 URI", id="not s3"),
        pytest.param(["s3://b/"], "must be an S3 URI of an object", id="no key"),
        pytest.param(["s3:///k"], "must be an S3 URI of an object", id="no bucket"),
        pytest.param([{"source-ref": 3}], "must be an S3 URI", id="a number"),
        pytest.param([{"source": 3}], "'source' must be a text", id="text is a number"),
        pytest.param(
            ["s3://b/k", "s3://b/l", "s3://b/k"], "row 3: s3://b/k stands in row 1 already", id="twice"
        ),
        pytest.param([{"source-ref": "s3://b/k", "$x": 1}], "'$x' starts with $", id="dollar"),
        pytest.param(
            [{"source-ref": "s3://b/k", "x": "a" * 19_999}], "'x' has 20001 characters", id="attribute"
        ),
        pytest.param(
            [{"source-ref": "s3://b/k"} | {f"x{n}": "a" * 19_000 for n in range(6)}],
            "the line has 114",
            id="line",
        ),
        pytest.param([{"source-ref": "s3://b/k", "x": {1, 2}}], "cannot be written as JSON", id="not JSON"),
        pytest.param([{"source-ref": "s3://b/k", "x": float("nan")}], "cannot be written as JSON", id="NaN"),
    ],
)
def test_broken_rule_is_named(manifests, rows, message):
    from ground_truth.exceptions import InputManifestError

    with pytest.raises(InputManifestError) as caught:
        manifests.manifest_bytes(rows)
    assert message in str(caught.value)


def test_limits_are_inclusive(manifests):
    row = {"source-ref": "s3://b/k", "x": "a" * 19_998}  # two quotes make it 20,000
    assert manifests.manifest_bytes([row]).endswith(b'a"}\n')


def test_too_many_objects(manifests):
    from ground_truth.exceptions import InputManifestError

    uris = [f"s3://b/{number}.jpg" for number in range(100_001)]
    assert manifests.manifest_bytes(uris[:-1]).count(b"\n") == 100_000
    with pytest.raises(InputManifestError, match="100001 objects, at most 100000 are allowed"):
        manifests.manifest_bytes(uris)


def test_many_problems_are_counted_and_the_first_are_shown(manifests):
    from ground_truth.exceptions import InputManifestError

    with pytest.raises(InputManifestError) as caught:
        manifests.manifest_bytes([f"no uri {number}" for number in range(500)])
    assert "500 times" in str(caught.value)
    assert "and 490 more" in str(caught.value)
    assert len(str(caught.value)) < 2_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.text(max_size=8).filter(
    lambda name: not name.startswith("$") and name not in {"source", "source-ref"}
)
keys = st.text(min_size=1, max_size=20)


@given(
    st.lists(
        st.tuples(keys, st.dictionaries(names, json_values, max_size=3)), min_size=1, unique_by=lambda r: r[0]
    )
)
def test_rows_come_back(manifests, content):
    rows = [{"source-ref": f"s3://bucket/{key}", **extra} for key, extra in content]
    try:
        written = manifests.manifest_bytes(rows)
    except UnicodeEncodeError:
        pytest.fail("rows that JSON can hold must be written")
    assert manifests.read_rows(written, name="m") == rows
    assert written.count(b"\n") == len(rows)
    assert manifests.read_rows(json.dumps(rows).encode(), name="array") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"\xff\xfe", "m is not UTF-8", id="not UTF-8"),
        pytest.param(b'{"source-ref": "s3://b/k"}\n{oh', "m, line 2 is not JSON", id="broken line"),
        pytest.param(b"[1]", "entry 1: expected an S3 URI or an object, not 1", id="a number"),
        pytest.param(b'["s3://b/k"', "m is not JSON", id="broken array"),
    ],
)
def test_unreadable_rows(manifests, content, message):
    from ground_truth.exceptions import InputManifestError

    with pytest.raises(InputManifestError, match=message):
        manifests.read_rows(content, name="m")


@pytest.mark.real
@needs_real
def test_real_output_manifests_are_valid_rows_for_a_chained_job(manifests):
    files = sorted(REAL.rglob("*.manifest"))
    assert files
    written = 0
    for file in files:
        rows = manifests.read_rows(file.read_bytes(), name=str(file))
        if all(isinstance(row, dict) and str(row.get("source-ref", "")).startswith("s3://") for row in rows):
            assert manifests.read_rows(manifests.manifest_bytes(rows), name="again") == rows
            written += 1
    assert written
