"""What a version changes in its parent: the same in changes.json and in `dataset diff`."""

from __future__ import annotations

from typing import Any

import msgspec

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.diff import Count, VersionDiff, diff_versions
from roundtruth.datasets.publish import PublishedVersion, publish_version
from roundtruth.datasets.version_tables import VersionTables, read_version_tables
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

PEN = ("pen", 10.0, 10.0, 20.0, 30.0)
PENCIL = ("pencil", 50.0, 5.0, 40.0, 12.0)
FIRST = {"gone.jpg": [PEN], "same.jpg": [PEN, PENCIL], "moved.jpg": [PEN], "other.jpg": [PEN], "none.jpg": []}
SECOND = {"new.jpg": [PENCIL], "moved.jpg": [("pen", 12.0, 10.0, 20.0, 30.0)], "other.jpg": [PEN, PENCIL]}


def release(storage: Storage, project: Project) -> PublishedVersion:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    return publish_version(storage, project, candidate)


def tables(storage: Storage, project: Project, version: str) -> VersionTables:
    return read_version_tables(storage, project.root_uri, "pens", version)


def written(storage: Storage, published: PublishedVersion) -> VersionDiff:
    return msgspec.json.decode(storage.read(published.uri / "changes.json"), type=VersionDiff)


def test_changes_json_is_the_diff_with_the_parent(sandbox: Any, bucket: str) -> None:
    storage, project = (
        storage_of(sandbox.endpoint_url),
        project_in(bucket, dataset={"name": "pens", "layout": "packed"}),
    )
    refs = put_round(storage, project, "2026-01-05", FIRST)
    first = written(storage, release(storage, project))
    assert (first.old, first.new, first.added) == (None, "v0001", tuple(sorted(refs.values())))
    assert (first.counts["boxes"], first.classes_added) == (Count(old=0, new=5), ("pencil", "pen"))
    assert (first.boxes_added, first.boxes_removed, first.relabeled) == (5, 0, ())

    storage.delete(ObjectUri.parse(refs["gone.jpg"]))
    storage.write(ObjectUri.parse(refs["other.jpg"]), jpeg(100, 80, color=(1, 2, 3)))
    refs |= put_round(storage, project, "2026-01-12", SECOND)
    second = written(storage, release(storage, project))
    assert second == diff_versions(tables(storage, project, "v0001"), tables(storage, project, "v0002"))
    assert (second.added, second.removed) == ((refs["new.jpg"],), (refs["gone.jpg"],))
    assert (second.replaced, [one.source_ref for one in second.relabeled]) == (
        (refs["other.jpg"],),
        [refs["moved.jpg"]],
    )
    assert [box.change for box in second.relabeled[0].boxes] == ["moved"]
    assert (second.boxes_added, second.boxes_removed) == (3, 2)
    assert second.classes == {"pencil": Count(old=1, new=3), "pen": Count(old=4, new=3)}
    assert not second.same


def test_a_version_is_the_same_as_itself(sandbox: Any, bucket: str) -> None:
    storage, project = storage_of(sandbox.endpoint_url), project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    found = diff_versions(tables(storage, project, "v0001"), tables(storage, project, "v0001"))
    assert found.same
    assert (found.boxes_added, found.boxes_removed) == (0, 0)
