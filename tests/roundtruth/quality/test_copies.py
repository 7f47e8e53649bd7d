from __future__ import annotations

import pandas as pd

from roundtruth.annotations import table
from roundtruth.quality.copies import content_measures, content_of, look_alikes_elsewhere
from roundtruth.quality.image_facts import IMAGE_FACTS
from tests.roundtruth.quality.rounds import fact, image, tables


def facts(*rows):
    return table(list(rows), IMAGE_FACTS)


def test_an_image_that_looks_like_an_earlier_one():
    _, images = tables([image(name) for name in ("a.jpg", "b.jpg", "c.png", "d.jpg", "e.jpg")], [])
    own = facts(
        fact("a.jpg", "00000000000000ff"),
        fact("b.jpg", "00000000000000fe"),
        fact("c.png", "ffffffff00000000"),
        fact("d.jpg", None, gone=True, sha256=None, format=None),
        fact("e.jpg", "00000000000000ff", sha256="bytes of a.jpg"),
    )
    known = facts(fact("old.jpg", "ffffffff00000001"), fact("a.jpg", "0123456789abcdef"))
    found = content_measures(images, own, known, max_distance=6)
    names = [ref.rpartition("/")[2] for ref in found["looks_like"]]
    assert names == ["", "a.jpg", "old.jpg", "", ""], "equal bytes are told by another check"
    assert found["near_copies"].tolist() == [0, 1, 1, 0, 0]
    assert found["extension_lies"].tolist() == [0, 0, 1, 0, 0]
    assert found["gone"].tolist() == [0, 0, 0, 1, 0]


def test_content_is_known_by_digest_or_by_etag():
    _, images = tables([image("a"), image("b", etag=""), image("c")], [])
    identity, earlier = content_of(images, facts(fact("a", None)), facts(fact("x", None), fact("a", None)))
    assert identity.fillna("unknown").tolist() == ["bytes of a", "unknown", "etag of c/1000"]
    assert earlier == {"bytes of x"}
    assert content_of(images, None, None)[0].notna().tolist() == [True, False, True]


def test_look_alikes_in_two_splits():
    images = pd.DataFrame(
        {
            "source_ref": [f"s3://bucket/images/{name}" for name in "abcd"],
            "etag": [f"etag of {name}" for name in "abcd"],
            "split": ["train", "val", "train", "test"],
        }
    )
    own = facts(fact("a", "00" * 8), fact("b", "00" * 7 + "01"), fact("c", "00" * 8))
    found = look_alikes_elsewhere(images, own, max_distance=6)
    assert [name[-1:] for name in found] == ["b", "a", "b", ""]
    assert look_alikes_elsewhere(images, own.iloc[:0], max_distance=6).tolist() == [""] * 4
