"""Thumbnails of a round: of what people look at first, made once, and no bad image stops the others."""

from __future__ import annotations

import io
import logging
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from PIL import Image

from roundtruth.errors import RoundError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.thumbnail_reads import thumbnail_of, thumbnails_of
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.rounds.thumbnail_packs import decode_index, index_uri, read_index
from roundtruth.stages import round_thumbnails
from roundtruth.stages.round_thumbnails import make_thumbnails
from roundtruth.storage import ObjectUri, Storage
from tests.labeling_ui.large_round import put_large_round
from tests.memory_store import blank_png, memory_storage, put_blank
from tests.project_samples import make_project
from tests.sandbox_fixture import client
from tests.store import open_store

KEY = "2026-11-16"
ODD = ["a b.png", "안녕.png", "#1%20+.png", "émoji 🖊.png", "a'b\"<c>&.png"]


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


def planned(storage: Storage, names: list[str], **changes: object) -> tuple[Project, RoundFolder]:
    project = make_project(**changes)
    for name in names:
        put_blank(storage, f"{project.images_uri}{name}")
    plan_round(storage, project, KEY)
    return project, round_folder(project, KEY)


def files_below(storage: Storage, folder: RoundFolder) -> dict[str, str]:
    return {one.uri.name: one.etag for one in storage.list_objects(folder.uri / "thumbnails")}


def test_every_image_of_a_small_round_gets_one(storage):
    project, folder = planned(storage, ODD)
    assert make_thumbnails(storage, project, KEY) == {"wanted": 5, "made": 5, "there": 0, "without": 0}
    images = read_planned_images(storage, folder, require_plan(storage, folder))
    cache = EtagCache(storage)
    for source_ref, etag in zip(images["source_ref"], images["etag"], strict=True):
        with Image.open(io.BytesIO(thumbnail_of(cache, folder, source_ref, etag) or b"")) as picture:
            assert (picture.format, picture.size) == ("WEBP", (320, 240))
    assert len(files_below(storage, folder)) == 2  # the index and one pack: few objects, whatever the images


def test_a_second_call_makes_and_writes_nothing(storage):
    project, folder = planned(storage, ODD)
    make_thumbnails(storage, project, KEY)
    before = files_below(storage, folder)
    assert make_thumbnails(storage, project, KEY) == {"wanted": 5, "made": 0, "there": 5, "without": 0}
    assert files_below(storage, folder) == before


def test_the_same_images_give_the_same_files():
    one, other = memory_storage(), memory_storage()
    assert files_after(one) == files_after(other)


def files_after(storage: Storage) -> dict[str, str]:
    project, folder = planned(storage, ODD)
    make_thumbnails(storage, project, KEY)
    return {
        uri.name: storage.read(uri).hex()
        for uri in (one.uri for one in storage.list_objects(folder.uri / "thumbnails"))
    }


def test_thumbnails_lie_many_in_a_pack_and_a_later_call_adds_packs(storage, monkeypatch):
    monkeypatch.setattr(round_thumbnails, "PACKED", 4)
    names = [f"{number}.png" for number in range(10)]
    project, folder = planned(storage, names, pages__thumbnails=5)
    assert make_thumbnails(storage, project, KEY) == {"wanted": 5, "made": 5, "there": 0, "without": 0}
    first = files_below(storage, folder)
    more = make_project(pages__thumbnails=10)
    assert make_thumbnails(storage, more, KEY) == {"wanted": 10, "made": 5, "there": 5, "without": 0}
    after = files_below(storage, folder)
    assert {name: etag for name, etag in after.items() if name != "index.json"}.items() >= {
        name: etag for name, etag in first.items() if name != "index.json"
    }.items()
    assert len(read_index(storage, folder).images) == 10


def test_images_that_cannot_be_shown_are_counted_and_stop_nothing(storage, caplog):
    project, folder = planned(storage, ["good.png", "damaged.png", "replaced.png", "deleted.png"])
    images = read_planned_images(storage, folder, require_plan(storage, folder))
    at = {ref.rpartition("/")[2]: ObjectUri.parse(ref) for ref in images["source_ref"]}
    put_blank(storage, str(at["replaced.png"]), 64, 48)
    storage.delete(at["deleted.png"])
    etag = _cut(storage, at["damaged.png"])
    _rename_etag(storage, folder, str(at["damaged.png"]), etag)
    with caplog.at_level(logging.WARNING):
        counts = make_thumbnails(storage, project, KEY)
    assert counts == {"wanted": 4, "made": 1, "there": 0, "without": 3}
    assert "damaged.png is damaged" in caplog.text
    assert caplog.text.count("was replaced or deleted since it was planned") == 2
    problems = {one.source_ref.rpartition("/")[2]: one.problem for one in read_index(storage, folder).images}
    assert problems["good.png"] == ""
    assert all(problems[name] for name in ("damaged.png", "replaced.png", "deleted.png"))
    # what is known to be without one is not read again
    assert make_thumbnails(storage, project, KEY) == {"wanted": 4, "made": 0, "there": 1, "without": 3}


def _cut(storage: Storage, uri: ObjectUri) -> str:
    """An image whose header is whole and whose pixels are not."""
    storage.write(uri, storage.read(uri)[:60])
    found = storage.head(uri)
    assert found is not None
    return found.etag


def _rename_etag(storage: Storage, folder: RoundFolder, source_ref: str, etag: str) -> None:
    """As if the image had been uploaded like this before it was planned."""
    from roundtruth.annotations import to_parquet
    from roundtruth.rounds.planned import PLANNED

    plan = require_plan(storage, folder)
    images = read_planned_images(storage, folder, plan)
    images.loc[images["source_ref"] == source_ref, "etag"] = etag
    storage.write(folder.uri / plan.planned.file, to_parquet(images, PLANNED))


def test_a_refusal_of_s3_is_asked_again_by_the_next_call(storage, monkeypatch):
    from roundtruth.errors import StorageError

    project, _ = planned(storage, ["one.png", "two.png"])
    read = storage.read_if_there

    def refuses(uri):
        if uri.name == "one.png":
            raise StorageError(f"Cannot read {uri}: Access Denied.")
        return read(uri)

    monkeypatch.setattr(storage, "read_if_there", refuses)
    assert make_thumbnails(storage, project, KEY) == {"wanted": 2, "made": 1, "there": 0, "without": 1}
    monkeypatch.undo()
    assert make_thumbnails(storage, project, KEY) == {"wanted": 2, "made": 1, "there": 1, "without": 0}


def test_a_key_of_boto3_alone_and_a_lost_connection_stop_nothing(sandbox, s3_client, bucket):
    """obstore takes no key with an empty part, so boto3 reads it."""
    image = blank_png(64, 48)
    for name in ("one.png", "x//y.png"):
        s3_client.put_object(Bucket=bucket, Key=f"boxes/images/{name}", Body=image)
    project = make_project(root=f"s3://{bucket}/boxes")
    whole = open_store(sandbox.endpoint_url, s3_client=s3_client)
    plan_round(whole, project, KEY)

    def lose(request: Any, **_: Any) -> None:
        raise ConnectionClosedError(endpoint_url=request.url)

    losing = client.__wrapped__("s3", sandbox.endpoint_url)
    losing.meta.events.register("before-send.s3.GetObject", lose)
    lost = open_store(sandbox.endpoint_url, s3_client=losing)
    assert make_thumbnails(lost, project, KEY) == {"wanted": 2, "made": 1, "there": 0, "without": 1}
    assert make_thumbnails(whole, project, KEY) == {"wanted": 2, "made": 1, "there": 1, "without": 0}


def test_a_bounded_number_the_lowest_agreement_and_the_failing_ones_first(storage):
    project = make_project(pages__thumbnails=120)
    folder = put_large_round(storage, project, KEY, 300, thumbnails=0)
    counts = make_thumbnails(storage, project, KEY)
    assert counts is not None
    assert counts["wanted"] == 120  # the images themselves are not there: all are without
    indexed = {one.source_ref for one in read_index(storage, folder).images}
    from roundtruth.annotations import IMAGES, from_parquet

    images = from_parquet(storage.read(folder.images), IMAGES, name="images")
    urgent = images[(images["status"] == "disputed") | images.index.isin(range(100))]  # the check names these
    lowest = urgent.sort_values("agreement", kind="stable")["source_ref"].head(120)
    assert indexed == set(lowest)


def test_without_a_plan_or_a_wish_nothing_is_made(storage):
    project = make_project()
    assert make_thumbnails(storage, project, KEY) is None
    project, folder = planned(storage, ["one.png"], pages__thumbnails=0)
    assert make_thumbnails(storage, project, KEY) == {"wanted": 0, "made": 0, "there": 0, "without": 0}
    assert files_below(storage, folder) == {}


def test_a_broken_index_hides_the_thumbnails_and_says_so_to_the_step(storage):
    project, folder = planned(storage, ["one.png"])
    make_thumbnails(storage, project, KEY)
    storage.write(index_uri(folder), b"{}]")
    assert thumbnails_of(EtagCache(storage), folder) == {}
    with pytest.raises(RoundError, match="no index of thumbnails"):
        decode_index(b"{}]")
