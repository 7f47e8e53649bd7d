from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from roundtruth.quality.drift import drift_suite
from roundtruth.quality_settings import Quality

SETTINGS = Quality()


def version(prefix, count, *, pens=0.5, side=40.0, boxes=3, seed=1, width=640):
    """Images with so many boxes each; a box has about the side, and is a pen with that probability."""
    random = np.random.default_rng(seed)
    names = [f"{prefix}{number:04d}" for number in range(count)]
    images = pd.DataFrame({"source_ref": names, "etag": names, "width": width, "height": width})
    refs = np.repeat(names, boxes)
    labels = pd.DataFrame(
        {
            "source_ref": refs,
            "category": np.where(random.random(len(refs)) < pens, "pen", "pencil"),
            "width": side * random.uniform(0.5, 1.5, len(refs)),
            "height": side * random.uniform(0.5, 1.5, len(refs)),
        }
    )
    return images, labels


def failed(last, new, classes=("pencil", "pen")):
    images, labels = (pd.concat(pair, ignore_index=True) for pair in zip(last, new, strict=True))
    suite = drift_suite(images, labels, *last, classes, SETTINGS)
    return {check.name for check in suite.checks if check.rule.failing(suite.frame).any()}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(version("new", 200, seed=2), set(), id="the same again"),
        pytest.param(version("new", 200, pens=0.95), {"class_drift"}, id="nearly only pens"),
        pytest.param(version("new", 200, side=90), {"box_size_drift"}, id="larger boxes"),
        pytest.param(version("new", 200, boxes=6), {"boxes_per_image_drift"}, id="more boxes"),
        pytest.param(version("new", 200, side=80, width=1280), set(), id="a camera of more pixels"),
        pytest.param(version("new", 4, pens=1, side=60), set(), id="too few to tell"),
        pytest.param(version("new", 0), set(), id="nothing new"),
    ],
)
def test_new_images_are_compared_with_the_last_version(new, expected):
    assert failed(version("old", 300), new) == expected


def test_a_replaced_image_is_new():
    images, labels = version("old", 300)
    replaced = images.assign(etag=["other" if at < 150 else ref for at, ref in enumerate(images["etag"])])
    changed = labels.assign(category=labels["category"].where(labels["source_ref"] >= "old0150", "pen"))
    suite = drift_suite(replaced, changed, images, labels, ("pencil", "pen"), SETTINGS)
    assert suite.frame["class_distribution"].max() == pytest.approx(0.5, abs=0.05)
    assert "150 new images, 300 before" in suite.frame["comparison"][0]


def test_other_labels_on_the_same_images_are_no_drift():
    """A release after images were labeled over again has no new image at all."""
    images, labels = version("old", 5)
    images["source_ref"] = images["source_ref"].astype("str")
    assert failed((images, labels), (images.iloc[:0], labels.iloc[:0])) == set()


def test_chance_alone_is_hardly_ever_flagged():
    flagged = [
        failed(version("old", 150, seed=seed), version("new", 40, seed=1000 + seed)) for seed in range(60)
    ]
    assert flagged == [set()] * 60
