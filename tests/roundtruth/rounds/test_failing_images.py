"""The table of all failing images: written where it is needed, and never left behind as it was."""

from __future__ import annotations

import pandas as pd

from roundtruth.annotations import from_parquet
from roundtruth.rounds.failing_images import FAILING_IMAGES, write_failing_images
from roundtruth.rounds.folder import RoundFolder
from roundtruth.storage import ObjectUri
from tests.memory_store import memory_storage

FOLDER = RoundFolder(ObjectUri("bucket", "boxes/rounds/2026-11-16"))
FAILING = {
    ("labels", "box_side"): ["s3://b/2.png", "s3://b/1.png"],
    ("images", "size"): ["s3://b/안녕 #1.png"],
}


def written(storage):
    data = storage.read(FOLDER.failing_images)
    return from_parquet(data, FAILING_IMAGES, name="failing-images.parquet")


def test_rows_are_sorted_by_check_and_keep_the_order_of_the_verdict():
    storage = memory_storage()
    assert write_failing_images(storage, FOLDER, FAILING)
    expected = pd.DataFrame(
        {
            "table": ["images", "labels", "labels"],
            "check": ["size", "box_side", "box_side"],
            "source_ref": ["s3://b/안녕 #1.png", "s3://b/2.png", "s3://b/1.png"],
        }
    )
    pd.testing.assert_frame_equal(written(storage), expected, check_dtype=False)
    before = storage.read(FOLDER.failing_images)
    write_failing_images(storage, FOLDER, dict(reversed(FAILING.items())))
    assert storage.read(FOLDER.failing_images) == before, "same images, same bytes"


def test_without_need_there_is_no_file():
    storage = memory_storage()
    assert not write_failing_images(storage, FOLDER, {})
    assert storage.head(FOLDER.failing_images) is None


def test_that_of_an_earlier_check_is_emptied_not_deleted():
    """The policy in docs/aws.md lets nothing in the pipeline delete."""
    storage = memory_storage()
    write_failing_images(storage, FOLDER, FAILING)
    assert write_failing_images(storage, FOLDER, {})
    assert len(written(storage)) == 0
