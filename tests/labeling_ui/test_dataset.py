"""The dataset's pages over HTTP: what they show is what the files say; rolling back; hostile names."""

from __future__ import annotations

import functools
import hashlib
import html
import json
import re
import urllib.request
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.storage import ObjectUri
from tests.project_samples import make_project
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import put_round, storage_of
from tests.roundtruth.datasets.three_versions import pen

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

BUCKET = "pages-of-a-dataset"
PROJECT = {
    "root": f"s3://{BUCKET}/boxes",
    "categories": ["pencil", "pen", "<b>bold</b> | *x*"],
    "dataset__layout": "packed",
    "dataset__formats": ["yolo"],
}
HOSTILE = '<img src=x onerror=alert(1)> "q" &amp; #1.jpg'
PAGES = "/labeling/projects/pens/dataset"


@functools.cache
def objects() -> dict[str, bytes]:
    """Two packed versions: an image relabeled, one added, one with a hostile name; URI -> bytes."""
    storage, project = MemoryStorage(), make_project(**PROJECT)
    first = {"a.jpg": [pen(10)], HOSTILE: [("<b>bold</b> | *x*", 5.0, 5.0, 20.0, 20.0)], "none.jpg": []}
    second = {"a.jpg": [pen(14)], "b.jpg": [pen(3)]}
    for key, boxes in (("2026-01-05", first), ("2026-01-12", second)):
        put_round(storage, project, key, boxes)
        publish(storage, project)
    return storage.objects


def publish(storage: Any, project: Any) -> None:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)


@pytest.fixture
def published(sandbox: Any, s3_client: Any, deploy: Any) -> tuple[Any, Any]:
    """The sandbox's S3 with them, and nothing else in their bucket."""
    with suppress(s3_client.exceptions.BucketAlreadyOwnedByYou):
        s3_client.create_bucket(Bucket=BUCKET)
    storage = storage_of(sandbox.endpoint_url)
    there = {str(stored.uri): stored.etag for stored in storage.list_objects(ObjectUri(BUCKET, ""))}
    wanted = {uri: hashlib.md5(data).hexdigest() for uri, data in objects().items()}
    for uri in there.keys() - wanted.keys():
        storage.delete(ObjectUri.parse(uri))
    other = [uri for uri, etag in wanted.items() if there.get(uri) != etag]
    storage.write_many((ObjectUri.parse(uri), objects()[uri]) for uri in other)
    return storage, deploy(**PROJECT)


def latest(storage: Any, project: Any) -> dict[str, Any]:
    return json.loads(storage.read(project.root_uri / "datasets/pens/latest.json"))


def words(answer: Any) -> str:
    """The text of a page as people read it."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_the_time_line_shows_what_the_records_say(viewer: Any, published: Any) -> None:
    storage, project = published
    answer = viewer.get(PAGES)
    assert answer.status_code == 200
    told = words(answer)
    for version in ("v0001", "v0002"):
        record = json.loads(storage.read(project.root_uri / f"datasets/pens/versions/{version}/version.json"))
        assert f"{record['images']} images" in told
        assert f"{record['boxes']} box" in told
    assert "v0002 latest" in told
    assert "4 images +1" in told
    assert (
        f"roundtruth dataset pull pens@v0002 --root s3://{project.root_uri.bucket}/boxes --out pens" in told
    )
    assert "roll" not in told, "viewers are not offered what they may not do"


def test_a_version_shows_its_record_and_card(viewer: Any, published: Any) -> None:
    storage, project = published
    folder = project.root_uri / "datasets/pens/versions/v0001"
    record = json.loads(storage.read(folder / "version.json"))
    answer = viewer.get(f"{PAGES}/versions/v0001")
    assert answer.status_code == 200
    told = words(answer)
    for name, split in record["splits"].items():
        empty, boxed = split["negatives"], split["images"] - split["negatives"]
        assert f"{name} {boxed} {empty}" in told
    assert "0 pencil" in told
    assert "<b>bold</b> | *x*" in told, "a class's name is text"
    assert "<b>bold" not in answer.text
    assert answer.text.count('role="img"') == 2
    for line in ("Object detection; boxes drawn by people", "Ids never change and are never used again"):
        assert line in told
        assert line in storage.read(folder / "README.md").decode()
    assert "<img" not in answer.text
    assert " style=" not in answer.text, "the pages' policy takes no style attributes"


def test_changes_show_changes_json(viewer: Any, published: Any) -> None:
    storage, project = published
    uri = project.root_uri / "datasets/pens/versions/v0002/changes.json"
    written = json.loads(storage.read(uri))
    answer = viewer.get(f"{PAGES}/changes?old=v0001&new=v0002")
    told = words(answer)
    assert answer.status_code == 200
    for kind, title in (("relabeled", "Relabeled"), ("added", "Added"), ("removed", "Removed")):
        assert f"{title} {len(written[kind])}" in told
    for name, count in written["counts"].items():
        assert f"{name} {count['old']} {count['new']}" in told
    assert written["relabeled"][0]["source_ref"] in told
    assert "moved: pen 10, 10, 20, 30 → pen 14, 10, 20, 30" in told
    rectangles = re.findall(r'<rect class="box ([a-z]*)" x="([\d.]+)"', answer.text)
    assert ("moved", "10.0") in rectangles
    assert ("moved", "14.0") in rectangles
    backwards = words(viewer.get(f"{PAGES}/changes?old=v0002&new=v0001"))
    assert f"Removed {len(written['added'])}" in backwards
    assert "Nothing that trainers get has changed" in words(
        viewer.get(f"{PAGES}/changes?old=v0001&new=v0001")
    )


def test_images_are_asked_for_by_their_place_alone(viewer: Any, published: Any) -> None:
    answer = viewer.get(f"{PAGES}/changes?old=v0001&new=v0002&kind=added")
    [small] = re.findall(r'<image href="([^"]+)"', answer.text)
    # Without a thumbnail the browser gets the image from S3: none passes through Airflow's API server.
    picture = viewer.get(html.unescape(small), follow_redirects=False)
    assert (picture.status_code, picture.content) == (307, b"")
    with urllib.request.urlopen(picture.headers["location"], timeout=10) as found:
        assert Image.open(BytesIO(found.read())).size == (100, 80)
    signed = urlsplit(picture.headers["location"])
    assert f"{signed.scheme}://{signed.netloc}" in answer.headers["content-security-policy"]
    full = viewer.get(small, params={"full": "true"}, follow_redirects=False)
    assert full.status_code == 303
    signed = urlsplit(full.headers["location"])
    assert signed.path.endswith("/boxes/images/b.jpg")
    assert "Expires" in signed.query
    assert full.headers["cache-control"] == "no-store"
    for place in ("99", "-1", "../../../../etc", "s3:"):
        assert viewer.get(f"{PAGES}/versions/v0002/images/{place}").status_code in (404, 422)


def test_an_image_that_was_replaced_is_not_shown_as_the_old_one(viewer: Any, published: Any) -> None:
    storage, project = published
    small = re.findall(r'<image href="([^"]+)"', viewer.get(f"{PAGES}/changes?old=v0001&new=v0002").text)[0]
    assert viewer.get(small, follow_redirects=False).status_code == 307
    content = BytesIO()
    Image.new("RGB", (100, 80), (9, 9, 9)).save(content, "JPEG")
    storage.write(project.root_uri / "images/a.jpg", content.getvalue())
    refused = viewer.get(small)
    assert refused.status_code == 404
    assert "was deleted or replaced since v0001 was published" in words(refused)


@pytest.mark.parametrize("source_ref", ["/etc/hostname", "file:///etc/hostname", "s3:///x.png", "s3://b/x"])
def test_an_image_outside_of_s3_is_neither_read_nor_led_to(
    viewer: Any, published: Any, monkeypatch: pytest.MonkeyPatch, source_ref: str
) -> None:
    """A packed version may name such images: an imported manifest did. No path is opened here."""
    import pyarrow as pa

    from labeling_ui import version_images

    read = version_images.read_version_rows

    def with_the_path(*asked: Any) -> Any:
        rows = read(*asked)
        column = rows.images.schema.get_field_index("source_ref")
        refs = pa.array([source_ref] * rows.images.num_rows)
        return replace(rows, images=rows.images.set_column(column, "source_ref", refs))

    monkeypatch.setattr(version_images, "read_version_rows", with_the_path)
    for query in ("", "?full=true"):
        answer = viewer.get(f"{PAGES}/versions/v0001/images/0{query}", follow_redirects=False)
        assert (answer.status_code, "location" in answer.headers) == (404, False)
        assert "does not lie in S3" in words(answer)


def test_hostile_names_stay_text(viewer: Any, published: Any) -> None:
    pages = (
        "",
        "/changes?old=v0001&new=v0002&kind=removed",
        "/versions/v0001",
        "/changes?old=v0002&new=v0001",
    )
    for page in pages:
        answer = viewer.get(PAGES + page)
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy
    storage, project = published
    storage.delete(project.root_uri / f"images/{HOSTILE}")
    publish(storage, project)
    removed = viewer.get(f"{PAGES}/changes?old=v0002&new=v0003")
    assert HOSTILE in html.unescape(removed.text)
    assert "<img src=x" not in removed.text


@pytest.mark.parametrize(
    "page",
    [
        "/versions/v0009",
        "/versions/latest",
        "/versions/%2e%2e",
        "/changes?old=v0001&new=v0009",
        "/versions/<b>",
    ],
)
def test_unknown_versions_are_404(viewer: Any, published: Any, page: str) -> None:
    answer = viewer.get(PAGES + page)
    assert answer.status_code == 404
    assert "<b>" not in answer.text


def test_before_the_first_version_the_page_says_what_to_do(viewer: Any, deploy: Any, bucket: str) -> None:
    deploy(root=f"s3://{bucket}/boxes")
    answer = viewer.get(PAGES)
    assert answer.status_code == 200
    assert "No version yet" in words(answer)
    assert "pens_dataset_release" in words(answer)


# --- rolling back


def move(client: Any, version: str, seen: str, reason: str = "worse on site", **options: Any) -> Any:
    form = {"seen": seen, "reason": reason}
    return client.post(f"{PAGES}/versions/{version}/rollback", data=form, follow_redirects=False, **options)


def test_viewers_may_not_roll_back(viewer: Any, published: Any) -> None:
    before = latest(*published)
    assert viewer.get(f"{PAGES}/versions/v0001/rollback").status_code == 403
    assert move(viewer, "v0001", "v0002").status_code == 403
    assert latest(*published) == before


def test_editors_roll_back_and_back_again(editor: Any, viewer: Any, published: Any) -> None:
    storage, project = published
    asked = editor.get(f"{PAGES}/versions/v0001/rollback")
    assert asked.status_code == 200
    assert "Move latest from v0002 to v0001?" in words(asked)
    assert latest(storage, project)["version"] == "v0002", "asking moves nothing"
    moved = move(editor, "v0001", "v0002")
    assert (moved.status_code, moved.headers["location"]) == (303, PAGES)
    written = latest(storage, project)
    [entry] = written["history"]
    assert written["version"] == entry["to"] == "v0001"
    assert (entry["from"], entry["by"], entry["reason"]) == ("v0002", "a-user", "worse on site")
    told = words(viewer.get(PAGES))
    assert "a-user moved latest from v0002 to v0001" in told
    assert "v0002 withdrawn" in told
    assert "Take back into use" in words(editor.get(f"{PAGES}/versions/v0002"))
    assert move(editor, "v0002", "v0001", "better than we thought").status_code == 303
    written = latest(storage, project)
    assert (written["version"], len(written["history"])) == ("v0002", 2)


def test_a_move_that_others_were_faster_with_is_refused(editor: Any, published: Any) -> None:
    assert move(editor, "v0001", "v0002").status_code == 303
    before = latest(*published)
    late = move(editor, "v0001", "v0002")
    assert late.status_code == 303, "it is there already: nothing to move"
    refused = move(editor, "v0002", "v0002")
    assert refused.status_code == 409
    assert "points to v0001, not to v0002 any more" in words(refused)
    assert latest(*published) == before


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="another host of the domain"),
        pytest.param({"Origin": "https://evil.example"}, id="an old browser"),
    ],
)
def test_other_sites_cannot_roll_back(editor: Any, published: Any, headers: dict[str, str]) -> None:
    before = latest(*published)
    assert move(editor, "v0001", "v0002", headers=headers).status_code == 403
    assert latest(*published) == before


def test_the_question_can_be_opened_from_a_link_elsewhere(editor: Any, published: Any) -> None:
    """Somebody is sent there by a chat: looking changes nothing."""
    page = f"{PAGES}/versions/v0001/rollback"
    assert editor.get(page, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(("reason", "status"), [("", 422), ("   ", 422), ("x" * 501, 422)])
def test_a_move_needs_a_reason(editor: Any, published: Any, reason: str, status: int) -> None:
    before = latest(*published)
    assert move(editor, "v0001", "v0002", reason).status_code == status
    assert latest(*published) == before


def test_only_published_versions_can_be_rolled_back_to(editor: Any, published: Any) -> None:
    assert move(editor, "v0009", "v0002").status_code == 404
    assert editor.get(f"{PAGES}/versions/v0009/rollback").status_code == 404


def test_the_reason_is_shown_as_text(editor: Any, viewer: Any, published: Any) -> None:
    assert move(editor, "v0001", "v0002", "<script>alert(1)</script>").status_code == 303
    answer = viewer.get(PAGES)
    assert "<script>alert" not in answer.text
    assert "<script>alert(1)</script>" in words(answer) or "&lt;script&gt;alert(1)" in answer.text
