from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.annotations import PUBLISHABLE, STATUSES
from roundtruth.quality.quarantine import count_images, find_faults, quarantine
from tests.roundtruth.quality.rounds import image, tables


def test_an_image_at_fault_gets_its_reason_and_loses_its_labels():
    _, images = tables([image("a"), image("b")], [])
    faults = {"s3://bucket/images/a": {"box_inside_image": 2, "positive_size": 1}}
    marked, without = quarantine(images, faults)
    assert without == {"s3://bucket/images/a"}
    assert marked["status"].tolist() == ["quarantined", "labeled"]
    assert marked["reason"].tolist() == ["box_inside_image (2 rows); positive_size (1 row)", ""]
    assert images["status"].tolist() == ["labeled", "labeled"], "the table that came in is not changed"


def test_an_image_that_is_not_published_keeps_its_status():
    _, images = tables([image("a", "disputed")], [])
    marked, without = quarantine(images, {"s3://bucket/images/a": {"positive_size": 1}})
    assert marked["status"].tolist() == ["disputed"]
    assert not without


def test_faults_are_counted_by_image():
    refs = pd.Series(["a", "b", "a"])
    faults = find_faults(
        {
            "positive_size": (refs, pd.Series([True, False, True]).to_numpy()),
            "box_inside_image": (refs, pd.Series([True, True, False]).to_numpy()),
        }
    )
    assert faults == {"a": {"positive_size": 2, "box_inside_image": 1}, "b": {"box_inside_image": 1}}


@given(statuses=st.lists(st.sampled_from(STATUSES), max_size=30), data=st.data())
def test_nothing_is_lost(statuses, data):
    names = [f"{number}.jpg" for number in range(len(statuses))]
    _, images = tables([image(name, status) for name, status in zip(names, statuses, strict=True)], [])
    at_fault = data.draw(st.sets(st.sampled_from(names))) if names else set()
    faults = {f"s3://bucket/images/{name}": {"positive_size": 1} for name in at_fault}
    marked, without = quarantine(images, faults)
    counts = count_images(marked, planned=len(names))
    accounted = ("published", "quarantined", "carried_over", "unreadable")
    assert counts["planned"] == sum(counts[name] for name in accounted)
    assert marked["source_ref"].tolist() == images["source_ref"].tolist()
    published = set(marked.loc[marked["status"].isin(list(PUBLISHABLE)), "source_ref"])
    judged = images.loc[images["status"].isin(list(PUBLISHABLE)), "source_ref"]
    assert without == set(faults) & set(judged)
    assert set(marked.loc[marked["source_ref"].isin(without), "status"]) <= {"quarantined"}
    assert not published & set(faults)
