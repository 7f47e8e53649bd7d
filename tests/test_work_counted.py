"""Speed by what can be counted: bytes read, objects put, calls, peak memory. Clocks differ by the day."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks.bench_publish import CountingStorage, make_project, publish, put_round
from benchmarks.bench_transfers import null_s3, response, session
from benchmarks.manifest_samples import write_manifest
from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.pull import PulledVersion, pull_version
from roundtruth.ground_truth import label_columns
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.image_headers import FIRST_READ, read_image_headers
from roundtruth.project import Project
from roundtruth.rounds.plan import plan_round
from roundtruth.storage import GROUP, ObjectUri, Storage
from roundtruth.stored_objects import ConditionalCopy
from tests.dag_parsing import ROOT


def test_a_conversion_decodes_each_line_once_and_none_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: Counter[str] = Counter()

    class Counting(label_columns._Reader):
        def _read_fast(self, line: bytes, number: int) -> bool:
            lines["decoded"] += bool(line)
            return super()._read_fast(line, number)

        def _read_slowly(self, line: bytes, number: int) -> None:
            lines["slowly"] += bool(line)
            super()._read_slowly(line, number)

    monkeypatch.setattr(label_columns, "_Reader", Counting)
    monkeypatch.setattr("roundtruth.datasets.manifest_parts.PART_BYTES", 200_000)
    boxes = write_manifest(tmp_path / "m", 1000)
    settings = ConversionSettings(manifests=(str(tmp_path / "m"),))
    report = convert_manifests(Storage(), settings, tmp_path / "out")
    assert (report.images, report.boxes) == (1000, boxes)
    parts = -(-(tmp_path / "m").stat().st_size // 200_000)
    assert lines["decoded"] == 1000
    assert lines["slowly"] <= parts  # one line of each part shows the keys


def test_a_conversion_needs_as_little_memory_for_more_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roundtruth.datasets.manifest_parts.PART_BYTES", 100_000)

    def peak(images: int) -> int:
        write_manifest(tmp_path / "m", images)
        settings = ConversionSettings(manifests=(str(tmp_path / "m"),))
        tracemalloc.start()
        convert_manifests(Storage(), settings, tmp_path / "out")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)  # tables that are made once
    small, large = peak(500), peak(2000)
    assert (large - small) / 1500 < 700, "bytes for each more image, in parts of 95 lines; a line has 1,025"


def test_a_conversion_reads_the_manifest_once_and_writes_a_file_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def transferred() -> dict[str, int]:
        """Bytes that this process has read and written so far, and by how many calls."""
        lines = Path("/proc/self/io").read_text().splitlines()
        return {name: int(value) for name, value in (line.split(": ") for line in lines)}

    monkeypatch.setattr("roundtruth.datasets.manifest_parts.PART_BYTES", 200_000)
    write_manifest(tmp_path / "m", 1000)
    settings = ConversionSettings(manifests=(str(tmp_path / "m"),))
    convert_manifests(Storage(), settings, tmp_path / "first")  # imports what it needs
    before = transferred()
    convert_manifests(Storage(), settings, tmp_path / "out")
    after = transferred()
    spent = {name: after[name] - before[name] for name in after}
    labels = list((tmp_path / "out").rglob("labels/**/*.txt"))
    made = sum(path.stat().st_size for path in labels)
    assert len(labels) == 1000
    # Beside the manifest and the label files, a part's columns are put aside and read once.
    assert spent["rchar"] < 2.5 * (tmp_path / "m").stat().st_size
    assert spent["wchar"] < made + 1.5 * (tmp_path / "m").stat().st_size
    assert spent["syscw"] < 1.2 * len(labels)


@contextmanager
def server(content: Path, *options: str) -> Iterator[Storage]:
    with null_s3(f"--content={content}", *options) as endpoint:
        yield Storage.from_session(session(), endpoint_url=endpoint, concurrency=8)


def test_slow_down_is_waited_out(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(response())
    with server(tmp_path / "content", "--slow-down=5") as storage:
        uris = [ObjectUri("bucket", f"{number}.json") for number in range(40)]
        assert [data for _, data in storage.read_many(uris)] == [response()] * 40
        assert storage.write_many((uri, b"x") for uri in uris) == 40
        copies = [ConditionalCopy(uri, ObjectUri("bucket", f"to/{uri.key}"), "0") for uri in uris]
        assert list(storage.copy_many_if_unchanged(copies)) == [True] * 40
        assert sum(1 for _ in storage.list_objects(ObjectUri("bucket", "keys-5000"))) == 5000


class CountingRanges(Storage):
    """Counts bytes of range reads; whole reads are not allowed."""

    def __init__(self, content: bytes) -> None:
        super().__init__(concurrency=4)
        self.content = content
        self.read_bytes = 0

    def read_range(self, uri: ObjectUri, start: int, length: int) -> bytes:
        found = self.content[start : start + length]
        self.read_bytes += len(found)
        return found

    def read_if_there(self, uri: ObjectUri) -> Any:
        raise AssertionError("a header needs no whole image")


def test_image_sizes_cost_64_kilobytes_each() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    photo = io.BytesIO()
    Image.fromarray(noise).save(photo, "JPEG", quality=95)
    assert len(photo.getvalue()) > 10 * FIRST_READ
    storage = CountingRanges(photo.getvalue())
    listed = CountingStorage()
    for number in range(20):
        listed.write(ObjectUri("bucket", f"images/{number}.jpg"), photo.getvalue())
    found = list(read_image_headers(storage, listed.list_objects(ObjectUri("bucket", "images"))))
    assert [getattr(header, "width", None) for _, header in found] == [1200] * 20
    assert storage.read_bytes == 20 * FIRST_READ


class PlannedStorage(CountingStorage):
    """S3 in memory, its range reads counted."""

    read_bytes = 0

    def read_range(self, uri: ObjectUri, start: int, length: int) -> bytes:
        found = self.objects[str(uri)][start : start + length]
        with self._write_lock:
            self.calls["range"] += 1
            self.read_bytes += len(found)
        return found


def test_a_plan_costs_a_listing_of_a_thousand_and_a_header_of_each_new_image() -> None:
    def planned(taken: int, new: int) -> tuple[PlannedStorage, int]:
        content = make_project("packed").model_dump(mode="json", exclude_defaults=True)
        project = Project.model_validate(content | {"images": {"prefix": "images/", "partition": "none"}})
        storage = PlannedStorage()
        put_round(storage, project, "2026-01-05", range(taken))
        photo = io.BytesIO()
        Image.effect_noise((900, 700), 90).save(photo, "JPEG", quality=95)
        assert len(photo.getvalue()) > 2 * FIRST_READ
        for number in range(new):
            storage._put(str(project.images_uri / f"new/{number}.jpg"), photo.getvalue(), f"{number:032x}")
        storage.calls.clear()
        storage.written = 0
        tracemalloc.start()
        plan = plan_round(storage, project, "2026-01-12")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert plan is not None
        assert (plan.images, len(plan.jobs)) == (new, 1)
        assert storage.calls["range"] == new
        assert storage.read_bytes == new * FIRST_READ
        return storage, peak

    planned(50, 10)  # modules and tables that are made once
    (few, small), (many, large) = planned(500, 20), planned(3500, 20)
    # Whatever was labeled before: as many objects are read and written, and a page of a thousand keys listed.
    same = ("read", "head", "written", "range")
    assert {name: few.calls[name] for name in same} == {name: many.calls[name] for name in same}
    assert many.calls["listed"] - few.calls["listed"] == 3
    assert abs(many.written - few.written) < 100
    assert (large - small) / 3000 < 1000, "bytes for each image that was taken before"


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_a_pull_reads_each_file_once_and_none_that_is_there(tmp_path: Path, layout: str) -> None:
    storage, project = CountingStorage(), make_project(layout)
    put_round(storage, project, "2026-01-05", range(60))
    publish(storage, project, layout, "first")

    def pull() -> PulledVersion:
        storage.calls.clear()
        return pull_version(storage, project.root_uri, project.dataset.name, "v0001", tmp_path / "v1")

    pulled = pull()
    assert pulled.kept == 0
    in_s3 = pulled.files if layout == "tree" else 60  # of a packed version the images alone are files there
    assert storage.calls["read"] < in_s3 + 20
    again = pull()
    assert again.kept == again.files == pulled.files
    assert storage.calls["read"] < 20
    assert "head" not in storage.calls
    assert "written" not in storage.calls


def test_reading_many_holds_few_of_them() -> None:
    class Made(Storage):
        def read(self, uri: ObjectUri) -> bytes:
            return bytes(10_000)

    def peak(count: int) -> int:
        uris = [ObjectUri("bucket", str(number)) for number in range(count)]
        tracemalloc.start()
        assert sum(len(data) for _, data in Made(concurrency=4).read_many(uris)) == 10_000 * count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4000) < 10_000 * 4 * 4 * GROUP  # of 40 MB, what four threads have and a group each waits


def test_answers_cost_a_read_each_and_a_listing_of_a_thousand() -> None:
    storage = CountingStorage()
    job = ObjectUri("bucket", "annots/job-1")
    for row in range(1500):
        storage.write(
            job / f"annotations/worker-response/iteration-1/{row}/2026-01-05_08:00:00.json", response()
        )
    storage.calls.clear()
    folder = JobFolder(storage, job)
    assert sum(len(given) for _, given in folder.answers()) == 1500
    assert folder.problems == []
    assert storage.calls == {"read": 1500, "listed": 2}


def test_a_second_packed_version_writes_as_many_objects_whatever_stays() -> None:
    def second(images: int) -> dict[str, Any]:
        storage, project = CountingStorage(), make_project("packed")
        put_round(storage, project, "2026-01-05", range(images))
        publish(storage, project, "packed", "first")
        put_round(storage, project, "2026-01-12", range(0, images, images // 10))
        return publish(storage, project, "packed", "second")

    few, many = second(60), second(240)
    assert few["calls"]["written"] == many["calls"]["written"] <= 20
    assert "copied" not in many["calls"]
    assert many["calls"]["read"] == few["calls"]["read"]
    assert many["written"] < 4 * few["written"], "bytes; a tenth of four times as many images changed"


class Peak:
    """What the code inside ``with`` held at most, bytes: Python's and NumPy's memory, and Arrow's.

    The two need not have been largest at once, so it is a bound. Arrow's buffers give their memory back to
    the pool they came from, so pools stay.
    """

    pools: ClassVar[list[pa.MemoryPool]] = []
    size = 0

    def __enter__(self) -> Self:
        # What other tests left would put off the collector's rounds, and garbage would count as held.
        gc.collect()
        gc.freeze()
        gc.collect()
        self.before = pa.default_memory_pool()
        self.pools.append(pa.proxy_memory_pool(self.before))
        pa.set_memory_pool(self.pools[-1])
        tracemalloc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.size = tracemalloc.get_traced_memory()[1] + self.pools[-1].max_memory()
        tracemalloc.stop()
        gc.unfreeze()
        pa.set_memory_pool(self.before)


def test_a_second_packed_version_needs_memory_by_the_rows_of_its_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("assemble", "candidate", "content_digests"):
        monkeypatch.setattr(f"roundtruth.datasets.{module}.IMAGES_AT_ONCE", 100)

    def second(images: int) -> int:
        storage, project = CountingStorage(), make_project("packed")
        put_round(storage, project, "2026-01-05", range(images))
        publish(storage, project, "packed", "first")
        put_round(storage, project, "2026-01-12", range(0, images, 100))
        with Peak() as memory:
            publish(storage, project, "packed", "second")
        return memory.size

    second(100)  # modules and tables that are made once
    small, large = second(300), second(1500)
    assert (large - small) / 1200 < 3600, "bytes for each image and its four boxes; one of a hundred changed"


def test_a_pull_needs_memory_by_the_rows_of_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roundtruth.datasets.candidate.IMAGES_AT_ONCE", 100)

    def pull(images: int, run: int) -> int:
        storage, project = CountingStorage(), make_project("packed")
        put_round(storage, project, "2026-01-05", range(images))
        publish(storage, project, "packed", "first")
        with Peak() as memory:
            target = tmp_path / f"{images}-{run}"
            pull_version(storage, project.root_uri, project.dataset.name, "v0001", target)
        return memory.size

    pull(30, 1)
    # Twice: what other threads of the process do meanwhile, such as a test's server that ends, is traced too.
    small, large = (min(pull(images, run) for run in (1, 2)) for images in (150, 750))
    assert (large - small) / 600 < 6000, "bytes for each image, its four boxes and its three files"


HEAVY = ("pandas", "numpy", "pyarrow", "great_expectations", "duckdb", "scipy", "moto", "PIL")


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        pytest.param("roundtruth.project", set(), id="Dag files: project files alone"),
        pytest.param("roundtruth.datasets.convert", {"numpy", "pyarrow", "PIL"}, id="convert: no pandas"),
        pytest.param("roundtruth.rounds.plan", {"numpy", "pandas", "pyarrow", "PIL"}, id="plan: no checks"),
    ],
)
def test_what_is_loaded(module: str, allowed: set[str]) -> None:
    code = f"import sys, json, {module}; print(json.dumps([one for one in {HEAVY} if one in sys.modules]))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "include"), "PATH": ""},
    )
    assert set(json.loads(run.stdout)) <= allowed
