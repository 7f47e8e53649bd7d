"""A version from its parent and new rounds is, to the last byte, the one from all rounds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from roundtruth.annotations import FAILED
from roundtruth.datasets import assemble
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import Candidate, read_candidate, write_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.project import Project
from roundtruth.rounds.folder import rounds_folder
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

KEYS = [f"{letter}.jpg" for letter in "abcdefgh"]
# Some stick out, some lie outside, some are written the same.
BOX = st.tuples(
    st.sampled_from(["pen", "pencil", "biro"]),
    st.sampled_from([0.0, 5.0, 5.0000001, 95.0, 200.0]),
    st.sampled_from([1.0, 40.0]),
    st.sampled_from([9.0, 20.0]),
    st.just(10.0),
)
IMAGES = st.dictionaries(st.sampled_from(KEYS), st.lists(BOX, max_size=3), min_size=1, max_size=5)
ROUND = st.fixed_dictionaries({"boxes": IMAGES, "failed": st.sampled_from([None, *KEYS])})
STEP = st.one_of(
    st.tuples(st.just("round"), ROUND),
    st.tuples(st.just("round of only one class"), ROUND),
    st.tuples(st.just("late round"), ROUND),
    st.tuples(st.just("recorded again"), ROUND),
    st.tuples(st.just("delete"), st.sampled_from(KEYS)),
    st.tuples(st.just("replace"), st.sampled_from(KEYS)),
    st.tuples(st.just("bring back"), st.sampled_from(KEYS)),
    st.tuples(st.just("settings"), st.sampled_from(["plain", "retired", "published gaps"])),
)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"categories": ["pencil", "pen"], "aliases": {"biro": "pen"}},
    "retired": {"categories": ["pen"], "aliases": {"biro": "pen"}},
    "published gaps": {"categories": ["pencil", "pen"], "aliases": {"biro": "pen"}},
}


class History:
    """A bucket, and what people do to it between releases."""

    def __init__(self, layout: str) -> None:
        self.storage = MemoryStorage()
        self.layout = layout
        self.first_bytes: dict[str, bytes] = {}
        self.rounds = 0
        self.project = self._project("plain")

    def _project(self, name: str) -> Project:
        dataset = {"name": "pens", "layout": self.layout}
        dataset["partial_labels"] = "publish" if name == "published gaps" else "wait"
        return project_in("bucket", **SETTINGS[name], dataset=dataset)

    def do(self, action: str, what: Any) -> None:
        if action == "settings":
            self.project = self._project(what)
        elif "rou" in action or "recorded" in action:
            self._record(action, what)
        else:
            self._touch(action, self.project.root_uri / f"images/{what}")

    def _record(self, action: str, what: dict[str, Any]) -> None:
        self.rounds += 1
        key = {"late round": f"2025-{self.rounds}", "recorded again": "2026-1"}.get(action)
        put_round(
            self.storage,
            self.project,
            key or f"2026-{self.rounds}",
            what["boxes"],
            statuses={what["failed"]: FAILED} if what["failed"] else None,
            categories=["pen"] if "one class" in action else ["pen", "pencil", "biro"],
        )
        for stored in self.storage.list_objects(self.project.images_uri):
            self.first_bytes.setdefault(str(stored.uri), self.storage.read(stored.uri))

    def _touch(self, action: str, uri: ObjectUri) -> None:
        if str(uri) not in self.first_bytes:
            return
        if action == "delete":
            self.storage.delete(uri)
        else:
            data = self.first_bytes[str(uri)]
            self.storage.write(uri, data if action == "bring back" else data + b"x")


def from_scratch(storage: Storage, project: Project) -> Candidate | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble, "rounds_since", lambda *_: None)
        return assemble_candidate(storage, project)


def assert_same(one: Candidate, other: Candidate) -> None:
    assert (one.digest, one.claim) == (other.digest, other.claim)
    assert one.left_out == other.left_out
    assert one.repairs == other.repairs
    for name in ("images", "labels", "splits"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert mine.to_dict("list").__repr__() == theirs.to_dict("list").__repr__()
    assert [new.data for new in one.laid.new] == [new.data for new in other.laid.new]


# Shrinking would take minutes: a history is a few short lines as it is.
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(layout=st.sampled_from(["packed", "tree"]), steps=st.lists(STEP, min_size=2, max_size=4))
def test_from_the_parent_or_from_scratch_the_same_bytes(layout: str, steps: list[tuple[str, Any]]) -> None:
    history = History(layout)
    history.do("round", {"boxes": {key: [("pen", 1.0, 1.0, 9.0, 9.0)] for key in KEYS[:6]}, "failed": None})
    for action, what in [("settings", "plain"), *steps]:
        storage = history.storage
        history.do(action, what)
        project = history.project
        scratch, candidate = from_scratch(storage, project), assemble_candidate(storage, project)
        assert (scratch is None) == (candidate is None)
        if candidate is None or scratch is None:
            continue
        assert_same(candidate, scratch)
        back = read_candidate(storage, write_candidate(storage, project, candidate))
        assert_same(back, candidate)
        published = publish_version(storage, project, back)
        tables = read_version_tables(storage, project.root_uri, "pens", published.version)
        assert tables.content_digest == published.record.spec_digest == candidate.digest
        assert _as_texts(tables.labels).equals(_as_texts(candidate.labels))
    folder = f"{dataset_folder(history.project).uri}/"
    kept = {
        uri for uri in history.storage.overwritten if uri.startswith((f"{folder}versions", f"{folder}parts"))
    }
    assert kept == set()
    for name in history.storage.list_folders(dataset_folder(history.project).versions):
        found = verify_version(history.storage, history.project.root_uri, "pens", name).problems
        assert all("another image" in str(one) or "missing" in str(one) for one in found)


def test_a_small_second_version_reads_only_the_new_round() -> None:
    history = History("packed")
    history.do("round", {"boxes": {key: [] for key in KEYS}, "failed": None})
    candidate = assemble_candidate(history.storage, history.project)
    assert candidate is not None
    publish_version(history.storage, history.project, candidate)
    history.do("round", {"boxes": {"new.jpg": []}, "failed": None})
    read: list[str] = []
    reading = history.storage.read_if_there
    history.storage.read_if_there = lambda uri: read.append(uri.key) or reading(uri)  # type: ignore[func-returns-value]
    assert assemble_candidate(history.storage, history.project) is not None
    rounds = rounds_folder(history.project).key
    tables = [key for key in read if key.startswith(rounds) and key.endswith(".parquet")]
    assert [key.rpartition("/")[2] for key in tables] == ["images.parquet", "labels.parquet"]
    assert all(key.startswith(f"{rounds}/2026-2/recorded/") for key in tables)


def _as_texts(labels: pd.DataFrame) -> pd.DataFrame:
    """Jobs as texts: as categories they may stand in another order."""
    return labels.astype({"job": "str"})
