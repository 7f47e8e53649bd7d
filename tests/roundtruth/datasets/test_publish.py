"""Publishing over real HTTP: what a version holds, running twice, two publishers at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.datasets.assemble import GONE, assemble_candidate
from roundtruth.datasets.candidate import Candidate, read_candidate, write_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.formats import yolo
from roundtruth.datasets.latest import latest_version
from roundtruth.datasets.publish import PublishedVersion, publish_version
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.versions import list_versions, resolve_version
from roundtruth.errors import DatasetError, StaleCandidateError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from roundtruth.stored_objects import ConditionalCopy
from tests.roundtruth.datasets.recorded_rounds import jpeg, listing, project_in, put_round, storage_of

FIRST = {
    "a/one.jpg": [("pen", 10.0, 10.0, 20.0, 30.0), ("pencil", 50.0, 5.0, 40.5, 12.25)],
    "b/one.jpg": [("pen", 0.0, 0.0, 100.0, 80.0)],
    "b/nothing here.jpg": [],
    "b/두 번째 #1 100%.png": [("pencil", 90.0, 70.0, 30.0, 30.0)],
    "😀/+x.jpg": [("pencil", 1.0, 2.0, 30.0, 30.0)],
}
SECOND = {"c/new.jpg": [("pen", 5.0, 5.0, 9.0, 9.0)], "a/one.jpg": [("pen", 11.0, 10.0, 20.0, 30.0)]}
VERSIONS = "boxes/datasets/pens/versions/"
PACKED = {"dataset": {"name": "pens", "formats": ["yolo", "voc", "coco", "csv"], "layout": "packed"}}


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def release(storage: Storage, project: Project) -> PublishedVersion | None:
    """What the Dag does: each step starts from what the one before left in S3."""
    candidate = assemble_candidate(storage, project)
    if candidate is None:
        return None
    return publish_version(
        storage, project, read_candidate(storage, write_candidate(storage, project, candidate))
    )


def assembled(storage: Storage, project: Project) -> Candidate:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    return candidate


def problems(storage: Storage, project: Project, version: str = "latest") -> tuple[object, ...]:
    return verify_version(storage, project.root_uri, "pens", version).problems


def test_a_tree_holds_everything_that_trains(storage: Storage, s3_client: Any, bucket: str) -> None:
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    published = release(storage, project)
    assert published is not None
    record = published.record
    assert (record.version, record.images, record.boxes, record.negatives) == ("v0001", 5, 5, 1)
    assert record.repairs["clipped"] == 1
    assert record.classes == ("pencil", "pen")
    keys = {
        key.removeprefix(f"{VERSIONS}v0001/"): digest
        for key, digest in listing(s3_client, bucket, VERSIONS).items()
    }
    folders = [key.rpartition("/")[0] for key in keys]
    for split, counts in record.splits.items():
        assert folders.count(f"images/{split}") == folders.count(f"labels/{split}") == counts.images
        assert folders.count(f"voc/{split}") == counts.images
        assert f"annotations/{split}.json" in keys
    assert {"data.yaml", "annot.csv", "README.md", "changes.json", "index.parquet", "version.json"} <= set(
        keys
    )
    originals = listing(s3_client, bucket, "boxes/images/")
    copies = sorted(digest for key, digest in keys.items() if key.startswith("images/"))
    assert copies == sorted(originals[ObjectUri.parse(ref).key] for ref in refs.values())
    card = storage.read(published.uri / "README.md").decode()
    assert "5 images, 5 boxes" in card
    assert "| 1 | pen |" in card
    assert problems(storage, project) == ()


@pytest.mark.parametrize("changes", [{}, PACKED], ids=["tree", "packed"])
def test_the_same_inputs_publish_nothing_and_write_nothing(
    storage: Storage, s3_client: Any, bucket: str, changes: dict[str, Any]
) -> None:
    project = project_in(bucket, **changes)
    put_round(storage, project, "2026-01-05", FIRST)
    candidate = assembled(storage, project)
    publish_version(storage, project, candidate)
    before = listing(s3_client, bucket, "boxes/")
    assert assemble_candidate(storage, project) is None
    again = publish_version(storage, project, candidate)
    assert (again.version, again.created) == ("v0001", False)
    assert listing(s3_client, bucket, "boxes/") == before
    assert problems(storage, project) == ()


def test_a_second_version_keeps_ids_splits_and_the_first_version(
    storage: Storage, s3_client: Any, bucket: str
) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    first = release(storage, project)
    before = listing(s3_client, bucket, f"{VERSIONS}v0001/")
    one = assembled_images(storage, project, "v0001")
    # The project's own order does not matter any more: ids are given.
    project = project_in(bucket, categories=["pen", "crayon", "pencil"])
    refs = put_round(storage, project, "2026-01-12", SECOND, categories=["pen", "crayon", "pencil"])
    project = project.model_copy(
        update={"dataset": project.dataset.model_copy(update={"partial_labels": "publish"})}
    )
    second = release(storage, project)
    assert first is not None
    assert second is not None
    assert (second.version, second.record.parent) == ("v0002", "v0001")
    assert second.record.classes == ("pencil", "pen", "crayon")
    two = assembled_images(storage, project, "v0002")
    assert {ref: split for ref, split in two.items() if ref in one} == one
    changes = json.loads(storage.read(second.uri / "changes.json"))
    assert changes["added"] == [refs["c/new.jpg"]]
    assert [one["source_ref"] for one in changes["relabeled"]] == [refs["a/one.jpg"]]
    assert {box["change"] for box in changes["relabeled"][0]["boxes"]} <= {
        "moved",
        "class",
        "appeared",
        "vanished",
    }
    assert (changes["old"], changes["counts"]["images"]["new"]) == ("v0001", second.record.images)
    assert changes["splits"] == {
        name: {"old": first.record.splits[name].images, "new": counts.images}
        for name, counts in second.record.splits.items()
    }
    assert (changes["boxes_added"], changes["boxes_removed"], changes["classes_added"]) == (2, 2, ["crayon"])
    assert second.record.partial == 4  # nobody asked for crayons on them
    assert listing(s3_client, bucket, f"{VERSIONS}v0001/") == before
    assert latest_version(storage, dataset_folder(project)) == "v0002"
    assert problems(storage, project, "v0001") == problems(storage, project, "v0002") == ()


def assembled_images(storage: Storage, project: Project, version: str) -> dict[str, str]:
    from roundtruth.annotations import from_parquet
    from roundtruth.datasets.tables import DATASET_IMAGES

    uri = dataset_folder(project).version(version).images
    frame = from_parquet(storage.read(uri), DATASET_IMAGES, name="images")
    return dict(zip(frame["source_ref"], frame["split"], strict=True))


def test_packed_has_a_fixed_number_of_objects(storage: Storage, s3_client: Any, bucket: str) -> None:
    project = project_in(bucket, **PACKED)
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    few = {key.removeprefix(f"{VERSIONS}v0001/") for key in listing(s3_client, bucket, VERSIONS)}
    put_round(storage, project, "2026-01-12", {f"more/{number}.jpg": [] for number in range(30)})
    release(storage, project)
    many = {key.removeprefix(f"{VERSIONS}v0002/") for key in listing(s3_client, bucket, f"{VERSIONS}v0002/")}
    assert few == many
    assert "data.yaml" in many
    assert not any(key.startswith(("images/", "labels/")) for key in many)
    assert problems(storage, project) == ()


class CrashError(Exception):
    """The process is killed here."""


class CrashingStorage(Storage):
    """Dies before the n-th call that changes anything, and stays dead."""

    lives = -1
    counting = threading.Lock()

    def _count(self) -> None:
        with self.counting:
            self.lives -= 1
            if self.lives < 0:
                raise CrashError

    def write(self, uri: ObjectUri, data: bytes) -> None:
        self._count()
        super().write(uri, data)

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        self._count()
        return super().write_if_absent(uri, data)

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        self._count()
        return super().write_if_unchanged(uri, data, etag)

    def copy(self, source: ObjectUri, target: ObjectUri) -> None:
        self._count()
        super().copy(source, target)

    def copy_many_if_unchanged(self, copies: Iterable[ConditionalCopy]) -> Iterator[bool]:
        for copy in copies:
            self._count()
            yield from super().copy_many_if_unchanged([copy])


def test_another_candidate_never_writes_into_a_claimed_number(
    sandbox: Any, storage: Storage, s3_client: Any, bucket: str
) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    abandoned = storage_of(sandbox.endpoint_url, CrashingStorage)
    assert isinstance(abandoned, CrashingStorage)
    abandoned.lives = 9
    candidate = assembled(storage, project)
    with pytest.raises(CrashError):
        publish_version(abandoned, project, candidate)
    left = listing(s3_client, bucket, f"{VERSIONS}v0001/")
    assert left
    put_round(storage, project, "2026-01-12", SECOND)
    published = release(storage, project)
    assert published is not None
    assert published.version == "v0002"
    assert listing(s3_client, bucket, f"{VERSIONS}v0001/") == left
    assert [one.version for one in list_versions(storage, dataset_folder(project))] == ["v0002"]
    assert problems(storage, project) == ()
    with pytest.raises(DatasetError, match="assemble it again"):
        publish_version(storage, project, candidate)


def test_two_publishers_of_the_same_candidate_make_one_version(
    sandbox: Any, storage: Storage, bucket: str
) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    candidate = assembled(storage, project)
    with ThreadPoolExecutor(3) as pool:
        storages = [storage_of(sandbox.endpoint_url) for _ in range(3)]
        results = list(pool.map(lambda one: publish_version(one, project, candidate), storages))
    assert {result.version for result in results} == {"v0001"}
    assert sum(result.created for result in results) == 1
    assert problems(storage, project) == ()


def test_two_publishers_of_different_candidates_never_mix(
    sandbox: Any, storage: Storage, bucket: str
) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    one = assembled(storage, project)
    put_round(storage, project, "2026-01-12", SECOND)
    two = assembled(storage, project)

    def publish(candidate: Candidate) -> str | None:
        try:
            return publish_version(storage_of(sandbox.endpoint_url), project, candidate).version
        except DatasetError:
            return None  # another version was published meanwhile: assemble again

    with ThreadPoolExecutor(2) as pool:
        versions = [version for version in pool.map(publish, [one, two]) if version]
    assert versions
    listed = list_versions(storage, dataset_folder(project))
    assert sorted(versions) == [record.version for record in listed]
    assert all(problems(storage, project, version) == () for version in versions)
    assert {record.spec_digest for record in listed} <= {one.digest, two.digest}
    assert latest_version(storage, dataset_folder(project)) == max(versions)


def test_a_release_that_another_one_overtakes_at_the_last_moment_gives_way(
    sandbox: Any, storage: Storage, bucket: str
) -> None:
    project = project_in(bucket, **PACKED)
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    put_round(storage, project, "2026-01-12", SECOND)
    one = assembled(storage, project)
    put_round(storage, project, "2026-01-19", {"d/late.jpg": []})
    other = assembled(storage, project)
    overtaken: list[str] = []

    class OvertakenStorage(Storage):
        def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
            decides = uri.key.split("/")[-2] == "successors" or uri.name == "version.json"
            if decides and not overtaken:
                overtaken.append("")
                overtaken[0] = publish_version(storage, project, other).version
            return super().write_if_absent(uri, data)

    with pytest.raises(StaleCandidateError, match=r"is at v0003 .* on v0001: .* clear assemble_version"):
        publish_version(storage_of(sandbox.endpoint_url, OvertakenStorage), project, one)
    assert overtaken == ["v0003"], "the number before it is claimed by the first candidate"
    release(storage, project)
    parents = {one.version: one.parent for one in list_versions(storage, dataset_folder(project))}
    assert parents == {"v0001": None, "v0003": "v0001"}
    assert problems(storage, project) == ()


def test_a_release_that_died_between_decision_and_version_json_is_published_by_the_next(
    sandbox: Any, storage: Storage, bucket: str
) -> None:
    project = project_in(bucket, **PACKED)
    put_round(storage, project, "2026-01-05", FIRST)

    class DyingStorage(Storage):
        def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
            if uri.name == "version.json":
                raise CrashError
            return super().write_if_absent(uri, data)

    with pytest.raises(CrashError):
        publish_version(storage_of(sandbox.endpoint_url, DyingStorage), project, assembled(storage, project))
    assert list_versions(storage, dataset_folder(project)) == ()
    put_round(storage, project, "2026-01-12", SECOND)
    following = release(storage, project)
    assert following is not None
    found = list_versions(storage, dataset_folder(project))
    assert [(one.version, one.parent) for one in found] == [("v0001", None), ("v0002", "v0001")]
    assert all(problems(storage, project, one.version) == () for one in found)


def test_a_version_that_a_person_deleted_is_not_raised_from_the_dead(storage: Storage, bucket: str) -> None:
    project = project_in(bucket, **PACKED)
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    folder = dataset_folder(project)
    for found in list(storage.list_objects(folder.version("v0001").uri)):
        storage.delete(found.uri)
    put_round(storage, project, "2026-01-12", SECOND)
    with pytest.raises(DatasetError, match=r"successors/none\.json names a version whose files were deleted"):
        release(storage, project)
    storage.delete(folder.successor(None))
    assert list_versions(storage, folder) == ()
    assert release(storage, project) is not None


def test_an_image_that_was_replaced_after_labeling_waits(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    candidate = assembled(storage, project)
    storage.write(ObjectUri.parse(refs["a/one.jpg"]), jpeg(100, 80, color=(1, 2, 3)))
    with pytest.raises(DatasetError, match="replaced or deleted"):
        publish_version(storage, project, candidate)
    published = release(storage, project)
    assert published is not None
    assert published.record.images == 4
    assert published.record.left_out == {GONE: 1}
    assert refs["a/one.jpg"] in storage.read(published.uri / "left_out.csv").decode()


def test_an_image_that_is_replaced_while_it_is_copied_never_lands_in_a_version(
    sandbox: Any, storage: Storage, bucket: str
) -> None:
    """Replaced just before its copy, and put back just after: a look before and after would see nothing."""
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    victim = ObjectUri.parse(refs["a/one.jpg"])
    labeled = storage.read(victim)

    class SwappingStorage(Storage):
        def copy_many_if_unchanged(self, copies: Iterable[ConditionalCopy]) -> Iterator[bool]:
            self.write(victim, jpeg(100, 80, color=(1, 2, 3)))
            try:
                yield from super().copy_many_if_unchanged(copies)
            finally:
                self.write(victim, labeled)

    candidate = assembled(storage, project)
    with pytest.raises(DatasetError, match=r"1 images were replaced or deleted .*a/one\.jpg"):
        publish_version(storage_of(sandbox.endpoint_url, SwappingStorage), project, candidate)
    assert list_versions(storage, dataset_folder(project)) == ()
    published = publish_version(storage, project, candidate)
    assert published.version == "v0001"
    assert problems(storage, project) == ()


def test_a_tree_keeps_images_whose_source_was_deleted(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    storage.delete(ObjectUri.parse(refs["a/one.jpg"]))
    put_round(storage, project, "2026-01-12", {"c/new.jpg": []})
    published = release(storage, project)
    assert published is not None
    assert (published.record.images, published.record.left_out) == (6, {})
    assert problems(storage, project) == ()


def test_labels_of_a_rotated_jpeg_fit_the_image_that_trainers_see(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    box = [("pen", 10.0, 5.0, 40.0, 20.0)]
    put_round(storage, project, "2026-01-05", {"phone.jpg": box}, orientation=6)
    published = release(storage, project)
    assert published is not None
    keys = [stored.uri for stored in storage.list_objects(published.uri / "labels")]
    (found,) = yolo.decode_labels(storage.read(keys[0]), 80, 100, file="phone.txt")
    # Stored 100×80, seen 80×100: turned by 90° clockwise, the box's top left is 80 - 5 - 20 from the left.
    assert found[1:] == pytest.approx((55, 10, 20, 40), abs=1e-3)
    assert b",pen,10,5,20,40,100,80" in storage.read(published.uri / "annot.csv")


def test_nothing_of_a_published_version_is_overwritten_by_a_publisher_that_comes_late(
    sandbox: Any, storage: Storage, s3_client: Any, bucket: str
) -> None:
    """It claimed the same number and listed an empty folder; the contact sheet it makes is another by now."""
    project = project_in(bucket, **PACKED)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    candidate = assembled(storage, project)
    published: list[dict[str, str]] = []

    class LateStorage(Storage):
        def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
            if uri.name == "data.yaml" and not published:
                publish_version(storage, project, candidate)
                published.append(dated(s3_client, bucket))
                storage.delete(ObjectUri.parse(refs["a/one.jpg"]))
            return super().write_if_absent(uri, data)

    late = publish_version(storage_of(sandbox.endpoint_url, LateStorage), project, candidate)
    assert (late.version, late.created) == ("v0001", False)
    assert dated(s3_client, bucket) == published[0]
    storage.write(ObjectUri.parse(refs["a/one.jpg"]), jpeg(100, 80, color=(0, 40, 90)))
    assert problems(storage, project) == ()


def dated(s3_client: Any, bucket: str) -> dict[str, str]:
    """Key -> time and ETag of all objects of versions: writing the same bytes again would show."""
    found = s3_client.list_objects_v2(Bucket=bucket, Prefix="boxes/datasets/pens/")["Contents"]
    kept = (one for one in found if "/versions/" in one["Key"] or "/parts/" in one["Key"])
    return {one["Key"]: f"{one['LastModified']} {one['ETag']}" for one in kept}


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_two_releases_at_once_give_two_versions_or_one_and_never_a_mixture(
    sandbox: Any, storage: Storage, bucket: str, layout: str
) -> None:
    """One has seen a round more; each version holds what one of them had seen."""
    project = project_in(bucket, dataset={"name": "pens", "layout": layout})
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    put_round(storage, project, "2026-01-12", SECOND)
    one = assembled(storage, project)
    put_round(storage, project, "2026-01-19", {"d/late.jpg": []})
    start = threading.Barrier(2)

    def run(candidate: Candidate | None) -> str:
        mine = storage_of(sandbox.endpoint_url)
        start.wait(30)
        try:
            published = publish_version(mine, project, candidate or assembled(mine, project))
        except DatasetError:
            return ""  # another version was published meanwhile: the task is tried again
        return published.record.spec_digest

    with ThreadPoolExecutor(2) as pool:
        digests = {digest for digest in pool.map(run, [one, None]) if digest}
    records = list_versions(storage, dataset_folder(project))[1:]
    assert {record.spec_digest for record in records} == digests
    for record in records:
        assert record.images == (6 if record.spec_digest == one.digest else 7)
        assert problems(storage, project, record.version) == ()
    release(storage, project)
    assert resolve_version(storage, dataset_folder(project)).images == 7


def test_a_tree_resumes_its_copies_where_it_stopped(sandbox: Any, storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [] for number in range(6)})
    candidate = assembled(storage, project)
    copied: list[str] = []

    class StoppingStorage(Storage):
        def copy_many_if_unchanged(self, copies: Iterable[ConditionalCopy]) -> Iterator[bool]:
            for copy in copies:
                if len(copied) == 4:
                    raise CrashError
                copied.append(copy.target.key)
                yield from super().copy_many_if_unchanged([copy])

    stopping = storage_of(sandbox.endpoint_url, StoppingStorage)
    stopping.concurrency = 1
    with pytest.raises(CrashError):
        publish_version(stopping, project, candidate)
    first = list(copied)
    copied.clear()
    publish_version(stopping, project, candidate)
    assert (len(first), len(copied)) == (4, 2)
    assert not set(first) & set(copied)
    assert problems(storage, project) == ()
