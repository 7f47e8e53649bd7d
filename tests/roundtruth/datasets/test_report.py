"""The card and report.html of published versions: self-contained, the same bytes, right boxes drawn."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.contact_sheet import COLORS, SHOWN, Shown, choose_images, thumbnail
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.heat_maps import CELLS, box_maps
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.tree import TreeImage
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

PEN = ("pen", 10.0, 10.0, 20.0, 30.0)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def project_of(bucket: str, layout: str) -> Project:
    return project_in(bucket, dataset={"name": "pens", "layout": layout})


def assembled(storage: Storage, project: Project) -> Candidate:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    return candidate


class Sources(HTMLParser):
    """What a page fetches, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.alts: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if tag == "img":
            self.images.append(str(values["src"]))
            self.alts.append(str(values["alt"]))


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_a_report_needs_nothing_else(storage: Storage, bucket: str, layout: str) -> None:
    project = project_of(bucket, layout)
    boxes = {f"<b>&{number}.jpg": [PEN] * (number % 3 > 0) for number in range(30)}
    put_round(storage, project, "2026-01-05", boxes, orientation=6)
    candidate = assembled(storage, project)
    published = publish_version(storage, project, candidate)
    page = storage.read(published.uri / "report.html").decode()
    found = Sources(page)
    assert not found.tags & {"script", "link", "iframe", "b"}
    assert all(one.startswith("data:image/") for one in found.images)
    assert all(found.alts)
    photos = [one for one in found.images if one.startswith("data:image/jpeg;base64,")]
    charts = [one for one in found.images if one.startswith("data:image/svg+xml;base64,")]
    assert (len(photos), len(charts)) == (SHOWN, 7)
    for chart in charts:
        ElementTree.fromstring(base64.b64decode(chart.partition(",")[2]))
    picture = Image.open(io.BytesIO(base64.b64decode(photos[0].partition(",")[2])))
    assert picture.size == (80, 100)  # upright
    assert "&lt;b&gt;&amp;" in page
    # pencil is listed and nobody drew one: no split lacks it more than another.
    assert "No box of class pencil" not in page


def test_the_same_version_gives_the_same_report(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, "tree")
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(5)})
    candidate = assembled(storage, project)
    published = publish_version(storage, project, candidate)
    page, folder = storage.read(published.uri / "report.html"), dataset_folder(project)
    for uri in (published.uri / "report.html", published.uri / "version.json", folder.successor(None)):
        storage.delete(uri)
    again = publish_version(storage, project, candidate)
    assert (again.version, again.record) == (published.version, published.record)
    assert storage.read(again.uri / "report.html") == page


def test_a_replaced_source_is_not_shown_as_if_it_were_labeled(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, "packed")
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": [PEN], "b.jpg": [PEN]})
    candidate = assembled(storage, project)
    storage.write(ObjectUri.parse(refs["a.jpg"]), jpeg(100, 80, color=(1, 2, 3)))
    storage.delete(ObjectUri.parse(refs["b.jpg"]))
    published = publish_version(storage, project, candidate)
    page = storage.read(published.uri / "report.html").decode()
    assert page.count("cannot be read") == 2
    assert "data:image/jpeg" not in page


def test_a_class_missing_from_a_split_is_reported(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, "packed")
    boxes = {f"{number}.jpg": [PEN] for number in range(10)} | {"x.jpg": [("pencil", 1.0, 1.0, 9.0, 9.0)]}
    put_round(storage, project, "2026-01-05", boxes)
    published = publish_version(storage, project, assembled(storage, project))
    lacking = [split for split, counts in published.record.splits.items() if not counts.boxes_by_class[0]]
    assert len(lacking) == 2
    card = storage.read(published.uri / "README.md").decode()
    page = storage.read(published.uri / "report.html").decode()
    for split in lacking:
        assert f"Split {split} has no box of pencil" in card
        assert f"No box of class pencil in split {split}" in page


def test_every_class_and_a_negative_are_on_the_sheet(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, "packed")
    boxes: dict[str, Any] = {f"{number}.jpg": [PEN] for number in range(60)}
    boxes |= {"rare.jpg": [("pencil", 1.0, 1.0, 9.0, 9.0)], "empty.jpg": []}
    put_round(storage, project, "2026-01-05", boxes)
    chosen = choose_images(assembled(storage, project))
    names = {one.image.source_ref.rpartition("/")[2] for one in chosen}
    assert len(chosen) == SHOWN
    assert {"rare.jpg", "empty.jpg"} <= names


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_drawn_where_it_is_on_the_upright_image(orientation: int) -> None:
    """A bright patch in the stored image lies inside its drawn frame, whichever way the image is turned."""
    content = io.BytesIO()
    image = Image.new("RGB", (480, 320), (40, 40, 40))
    image.paste((250, 250, 250), (60, 40, 180, 120))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(content, "JPEG", exif=exif, quality=95)
    shown = Shown(
        image=TreeImage(
            source_ref="s3://b/x.jpg",
            file="x.jpg",
            split="val",
            width=480,
            height=320,
            orientation=orientation,
        ),
        etag="",
        boxes=(PixelBox(0, 60.0, 40.0, 120.0, 80.0),),
    )
    data = thumbnail(content.getvalue(), shown)
    assert data is not None
    assert data == thumbnail(content.getvalue(), shown)
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
    assert max(pixels.shape[:2]) == 240
    wanted = np.array([int(COLORS[0][place : place + 2], 16) for place in (1, 3, 5)])
    frame = np.argwhere(np.abs(pixels - wanted).max(axis=2) < 60)
    bright = np.argwhere(pixels.min(axis=2) > 200)
    assert len(bright) > 800
    assert (frame.min(axis=0) <= bright.min(axis=0) + 1).all()
    assert (frame.max(axis=0) >= bright.max(axis=0) - 1).all()
    assert (frame.max(axis=0) - frame.min(axis=0) <= bright.max(axis=0) - bright.min(axis=0) + 12).all()


def test_what_is_no_image_is_not_drawn() -> None:
    image = TreeImage(source_ref="s3://b/x.jpg", file="x.jpg", split="val", width=10, height=10)
    assert thumbnail(b"text", Shown(image=image, etag="", boxes=())) is None


def test_heat_maps_count_every_box_once(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, "packed")
    put_round(
        storage,
        project,
        "2026-01-05",
        {"a.jpg": [("pen", 0.0, 0.0, 10.0, 8.0), ("pen", 0.0, 0.0, 100.0, 80.0)]},
    )
    candidate = assembled(storage, project)
    places, sizes = box_maps(candidate.images, candidate.labels)
    assert (places.sum(), sizes.sum()) == (2, 2)
    assert places[1, 1] == 1
    assert places[CELLS // 2, CELLS // 2] == 1
    assert sizes[2, 2] == 1
    assert sizes[CELLS - 1, CELLS - 1] == 1
