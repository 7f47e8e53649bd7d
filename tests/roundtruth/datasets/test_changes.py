from __future__ import annotations

import pandas as pd

from roundtruth.datasets.changes import compare


def images(**etags: str) -> pd.DataFrame:
    return pd.DataFrame({"source_ref": list(etags), "etag": list(etags.values())})


def labels(*rows: tuple[str, int, float]) -> pd.DataFrame:
    columns = ["source_ref", "class_id", "left"]
    return pd.DataFrame(rows, columns=columns).assign(top=1.0, width=9.0, height=9.0)


def test_each_kind_of_change() -> None:
    changes = compare(
        (
            images(gone="1", same="1", moved="1", renamed="1", other="1"),
            labels(("gone", 0, 1), ("same", 0, 1), ("moved", 0, 1), ("renamed", 0, 1), ("other", 0, 1)),
        ),
        (
            images(new="1", same="1", moved="1", renamed="1", other="2"),
            labels(("new", 0, 1), ("same", 0, 1), ("moved", 0, 2), ("renamed", 1, 1), ("other", 0, 5)),
        ),
        parent="v0001",
        classes_added=("pen",),
    )
    assert (changes.added, changes.removed, changes.replaced) == (("new",), ("gone",), ("other",))
    assert changes.relabeled == ("moved", "renamed")
    assert (changes.boxes_added, changes.boxes_removed) == (4, 4)
    assert changes.to_json() == changes.to_json()


def test_nothing_changed() -> None:
    one = (images(a="1"), labels(("a", 0, 1), ("a", 1, 1)))
    two = (images(a="1"), labels(("a", 1, 1), ("a", 0, 1)))
    changes = compare(one, two, parent="v0001", classes_added=())
    assert not any([changes.added, changes.removed, changes.replaced, changes.relabeled])
    assert (changes.boxes_added, changes.boxes_removed) == (0, 0)
