from __future__ import annotations

import pandas as pd
import pytest

from roundtruth.project import Quality
from roundtruth.quality.dataset_gate import check_dataset


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


def test_images_without_an_etag_are_no_copies():
    images, labels = dataset(("a", "train", ""), ("b", "val", ""), labels=[("a", "pen"), ("b", "pen")])
    assert check_dataset(images, labels, ["pen"], Quality()).failed == ()
