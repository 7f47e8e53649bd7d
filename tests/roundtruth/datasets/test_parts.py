"""Parts of tables: which are merged, that they are written once, and what damage to one does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import write_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.parts import IMAGES, layers_kept
from roundtruth.datasets.publish import PublishedVersion, publish_version
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

PEN = ("pen", 1.0, 1.0, 9.0, 9.0)


@pytest.mark.parametrize(
    ("rows", "new", "kept"),
    [
        pytest.param([], 5, 0, id="the first"),
        pytest.param([1000], 10, 1, id="small on large"),
        pytest.param([1000, 10], 10, 1, id="one of its size is swallowed"),
        pytest.param([1000, 30, 10], 10, 1, id="and then the next, as a counter carries"),
        pytest.param([1000, 100, 10], 1, 3, id="each twice those above it"),
        pytest.param([1000], 501, 0, id="more than half changed"),
    ],
)
def test_which_layers_stay(rows: list[int], new: int, kept: int) -> None:
    assert layers_kept(rows, new) == kept


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200))
def test_the_number_of_parts_stays_logarithmic_and_rows_are_seldom_written_again(changes: list[int]) -> None:
    rows: list[int] = []
    written = 0
    for new in changes:
        kept = layers_kept(rows, new)
        rows[kept:] = [sum(rows[kept:]) + new]
        written += rows[-1]
        assert len(rows) <= math.log2(sum(rows)) + 1
    assert written <= sum(changes) * (math.log2(sum(changes)) + 1)


def release(storage: MemoryStorage, project: Project) -> PublishedVersion:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    write_candidate(storage, project, candidate)
    return publish_version(storage, project, candidate)


def packed() -> Project:
    return project_in("bucket", dataset={"name": "pens", "layout": "packed"})


def tables_written(unchanged: int) -> tuple[int, int]:
    """Objects and bytes that a version writes which relabels two images of a packed dataset."""
    storage, project = MemoryStorage(), packed()
    put_round(storage, project, "2026-01-05", {f"{one:04d}.jpg": [PEN] for one in range(unchanged + 2)})
    release(storage, project)
    put_round(storage, project, "2026-01-12", {"0000.jpg": [], "0001.jpg": [PEN, ("pencil", 5, 5, 9, 9)]})
    storage.written.clear()
    release(storage, project)
    # What shows pictures or counts is not of the same size to the byte.
    shown = ("report.html", ".svg", "README.md")
    sizes = {uri: size for uri, size in storage.written.items() if not uri.endswith(shown)}
    return len(storage.written), sum(sizes.values())


def test_what_a_packed_version_writes_does_not_grow_with_the_images_that_stay() -> None:
    few, many = tables_written(20), tables_written(300)
    assert few[0] == many[0]
    assert abs(many[1] - few[1]) < 0.02 * few[1]


def test_parts_are_shared_and_never_written_again() -> None:
    storage, project = MemoryStorage(), packed()
    put_round(storage, project, "2026-01-05", {f"{one}.jpg": [PEN] for one in range(20)})
    first = release(storage, project)
    folder = f"{dataset_folder(project).uri}/parts/"
    parts = {uri: data for uri, data in storage.objects.items() if uri.startswith(folder)}
    put_round(storage, project, "2026-01-12", {"0.jpg": []})
    second = release(storage, project)
    assert second.record.tables[IMAGES][0] == first.record.tables[IMAGES][0]
    assert [part.rows for part in second.record.tables[IMAGES]] == [20, 1]
    assert {uri: storage.objects[uri] for uri in parts} == parts
    # A version needs the parts, not the folder of another version.
    for uri in [uri for uri in storage.objects if "/versions/v0001/" in uri]:
        del storage.objects[uri]
    assert verify_version(storage, project.root_uri, "pens", "v0002").problems == ()


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_part_is_named_and_never_read(damage: str) -> None:
    storage, project = MemoryStorage(), packed()
    put_round(storage, project, "2026-01-05", {"a.jpg": [PEN]})
    published = release(storage, project)
    uri = dataset_folder(project).part(IMAGES, published.record.tables[IMAGES][0].sha256)
    if damage == "gone":
        storage.delete(uri)
    else:
        storage.write(uri, storage.read(uri)[:-1] + b"x")
    with pytest.raises(DatasetError, match=uri.name):
        read_version_tables(storage, project.root_uri, "pens", "v0001")
    found = verify_version(storage, project.root_uri, "pens", "v0001").problems
    assert any(uri.name in str(problem) for problem in found)


def test_an_image_that_left_and_came_back() -> None:
    storage, project = MemoryStorage(), packed()
    refs = put_round(storage, project, "2026-01-05", {f"{one}.jpg": [PEN] for one in range(9)})
    release(storage, project)
    gone = ObjectUri.parse(refs["4.jpg"])
    data = storage.read(gone)
    storage.delete(gone)
    second = release(storage, project)
    assert (second.record.images, second.record.boxes) == (8, 8)
    assert second.record.tables[IMAGES][-1].rows == 1  # it says that the image left
    storage.write(gone, data)
    third = release(storage, project)
    images = [
        list(read_version_tables(storage, project.root_uri, "pens", name).images["source_ref"])
        for name in ("v0001", "v0002", "v0003")
    ]
    assert images[0] == images[2] == sorted(refs.values())
    assert images[1] == sorted(set(refs.values()) - {refs["4.jpg"]})
    assert (
        third.record.spec_digest
        == read_version_tables(storage, project.root_uri, "pens", "v0001").content_digest
    )
