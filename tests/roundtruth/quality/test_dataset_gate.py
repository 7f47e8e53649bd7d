from __future__ import annotations

import pandas as pd
import pytest

from roundtruth.quality.dataset_gate import check_dataset
from roundtruth.quality_settings import Quality


def dataset(*images, labels):
    return (
        pd.DataFrame(images, columns=["source_ref", "split", "etag"]),
        pd.DataFrame(labels, columns=["source_ref", "category"]),
    )


GOOD = [("a", "train", "1"), ("b", "val", "2"), ("c", "test", "3")]
LABELS = [(image, category) for image in "abc" for category in ("pencil", "pen")]


def names(failed):
    return [check.check for check in failed]


def test_a_good_dataset_passes():
    images, labels = dataset(*GOOD, labels=LABELS)
    verdict = check_dataset(images, labels, ["pencil", "pen"], Quality())
    assert verdict.passed
    assert verdict.failed == ()
    assert verdict.counts == {
        "images": 3,
        "negatives": 0,
        "boxes": 6,
        "images_test": 1,
        "images_train": 1,
        "images_val": 1,
    }


@pytest.mark.parametrize(
    ("images", "labels", "blocks"),
    [
        pytest.param([*GOOD, ("a", "val", "1")], LABELS, "image_in_one_split", id="one image in two splits"),
        pytest.param(
            [*GOOD, ("d", "val", "1")], LABELS, "content_in_one_split", id="a copy in another split"
        ),
        pytest.param(GOOD, [*LABELS, ("a", "ruler")], "category_known", id="unknown category"),
        pytest.param(GOOD, [*LABELS, ("x", "pen")], "label_image_known", id="label of no image"),
    ],
)
def test_what_blocks(images, labels, blocks):
    verdict = check_dataset(*dataset(*images, labels=labels), ["pencil", "pen"], Quality())
    assert not verdict.passed
    assert blocks in names(verdict.blocking)


def test_what_warns():
    images, labels = dataset(*GOOD[:2], labels=[("a", "pencil"), ("a", "pen"), ("b", "pen")])
    verdict = check_dataset(
        images, labels, ["pencil", "pen", "ruler"], Quality(), splits=("train", "val", "test")
    )
    assert verdict.passed
    found = {check.check: check.values for check in verdict.warnings}
    assert found["boxes_per_category"] == ("ruler",)
    assert found["split_filled"] == ("test",)
    assert found["category_in_every_split"] == ("pencil: val", "pencil: test", "pen: test")


def test_look_alikes_in_two_splits_and_drift_warn():
    images, labels = dataset(*GOOD, labels=LABELS)
    facts = pd.DataFrame(
        {"source_ref": list("abc"), "etag": list("123"), "phash": ["0" * 16] * 2 + ["f" * 16]}
    )
    sized = images.assign(width=100, height=100), labels.assign(width=10.0, height=10.0)
    many = [(f"old{number}", "train", "e") for number in range(400)]
    last = dataset(*many, labels=[(ref, "pencil") for ref, _, _ in many])
    last = last[0].assign(width=100, height=100), last[1].assign(width=10.0, height=10.0)
    verdict = check_dataset(*sized, ["pencil", "pen"], Quality(), facts=facts, last=last)
    assert verdict.passed
    (failed,) = verdict.warnings
    assert (failed.check, failed.images) == ("near_duplicates_in_one_split", ("a", "b"))
    assert failed.values == ("b", "a")
    assert verdict.checked_rows["dataset_drift"] == 3, "three new images tell nothing"


def test_images_without_an_etag_are_no_copies():
    images, labels = dataset(("a", "train", ""), ("b", "val", ""), labels=[("a", "pen"), ("b", "pen")])
    assert check_dataset(images, labels, ["pen"], Quality()).failed == ()
