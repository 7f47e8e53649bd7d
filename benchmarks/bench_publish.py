"""What it costs to publish: objects written, bytes, seconds, peak memory, in both layouts; prints Markdown.

Run: python benchmarks/bench_publish.py [--images 20000] > benchmarks/PUBLISH.md
Each layout runs in a process of its own. S3 is a dict in that process behind the Storage interface (the
sandbox answers some 200 requests a second and would measure itself), so seconds are the pipeline's own work;
what S3 adds is the requests times its latency over 32 at once.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import resource
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from PIL import Image

from roundtruth.annotations import IMAGES, LABELS, table, to_parquet
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import read_candidate, write_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.record import RecordedJob, RoundRecord, file_digests, record_round
from roundtruth.storage import Content, ObjectUri, Storage, StoredObject

ACCOUNT = "123456789012"
BOXES = 4  # an image
CLASSES = ("pencil", "pen", "marker", "crayon", "brush")
MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


class CountingStorage(Storage):
    """S3 in memory: the calls of Storage that publishing makes, counted."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self._sorted: list[str] = []
        self.written = 0  # bytes that went through this process
        self._write_lock = threading.Lock()

    def read_if_there(self, uri: ObjectUri) -> Content | None:
        """GET."""
        self.calls["read"] += 1
        data = self.objects.get(str(uri))
        return None if data is None else Content(data, self.etags[str(uri)])

    def head(self, uri: ObjectUri) -> StoredObject | None:
        """HEAD."""
        self.calls["head"] += 1
        return self._stored(str(uri)) if str(uri) in self.objects else None

    def write(self, uri: ObjectUri, data: bytes, *, content_type: str | None = None) -> None:
        """PUT."""
        with self._write_lock:
            self.calls["written"] += 1
            self.written += len(data)
            self._put(str(uri), data, hashlib.md5(data, usedforsecurity=False).hexdigest())

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        """PUT with If-None-Match."""
        with self._write_lock:
            if str(uri) in self.objects:
                return False
        self.write(uri, data)
        return True

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        """PUT with If-Match."""
        if self.etags.get(str(uri)) != etag:
            return False
        self.write(uri, data)
        return True

    def copy(self, source: ObjectUri, target: ObjectUri) -> None:
        """Copy on the server's side."""
        with self._write_lock:
            self.calls["copied"] += 1
            self._put(str(target), self.objects[str(source)], self.etags[str(source)])

    def copy_if_unchanged(self, source: ObjectUri, target: ObjectUri, etag: str) -> bool:
        """Copy with CopySourceIfMatch."""
        if self.etags.get(str(source)) != etag:
            return False
        self.copy(source, target)
        return True

    def list_objects(self, prefix: ObjectUri) -> Iterator[StoredObject]:
        """A request for a thousand objects."""
        found = self._below(prefix)
        self.calls["listed"] += 1 + len(found) // 1000
        return iter([self._stored(uri) for uri in found])

    def list_folders(self, prefix: ObjectUri) -> list[str]:
        """One request."""
        self.calls["listed"] += 1
        start = len(f"{str(prefix).rstrip('/')}/")
        return sorted({uri[start:].partition("/")[0] for uri in self._below(prefix)})

    def _below(self, prefix: ObjectUri) -> list[str]:
        """In order; S3 keeps its keys sorted, so finding them is not to cost the publisher's time."""
        if len(self._sorted) != len(self.objects):  # no key is ever deleted here
            self._sorted = sorted(self.objects)
        start = f"{str(prefix).rstrip('/')}/"
        first = bisect_left(self._sorted, start)
        return self._sorted[first : bisect_left(self._sorted, start + chr(sys.maxunicode), first)]

    def _put(self, uri: str, data: bytes, etag: str) -> None:
        self.objects[uri] = data
        self.etags[uri] = etag

    def _stored(self, uri: str) -> StoredObject:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return StoredObject(
            uri=ObjectUri(bucket, key),
            size=len(self.objects[uri]),
            etag=self.etags[uri],
            last_modified=MOMENT,
        )


def main() -> None:
    """Measure both layouts, and packed versions of three sizes with the same change; print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=20_000)
    arguments.add_argument("--layout", choices=["tree", "packed"])
    arguments.add_argument("--changed", type=int, default=0)
    chosen = arguments.parse_args()
    if chosen.layout:
        print(json.dumps(measure(chosen.images, chosen.layout, chosen.changed)))
        return
    count = chosen.images
    both = [row for layout in ("tree", "packed") for row in _apart(count, layout, count // 100)]
    sizes = (count // 4, count, 4 * count)
    growing = {size: both[2:] if size == count else _apart(size, "packed", count // 100) for size in sizes}
    print(page(count, both, growing), end="")


def _apart(images: int, layout: str, changed: int) -> list[dict[str, Any]]:
    """Measure in a process of its own: peak memory never falls again."""
    arguments = [f"--images={images}", f"--layout={layout}", f"--changed={changed}"]
    run = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    rows: list[dict[str, Any]] = json.loads(run.stdout.splitlines()[-1])
    return rows


def measure(count: int, layout: str, changed: int) -> list[dict[str, Any]]:
    """Publish a first version, then one in which so many images have other boxes and none else changed."""
    storage = CountingStorage()
    project = make_project(layout)
    before = peak()
    put_round(storage, project, "2026-01-05", range(count))
    rows = [publish(storage, project, layout, "first")]
    put_round(storage, project, "2026-01-12", range(0, count, count // changed))
    rows.append(publish(storage, project, layout, f"second, {changed} relabeled"))
    return [{**row, "before": before} for row in rows]


def publish(storage: CountingStorage, project: Project, layout: str, version: str) -> dict[str, Any]:
    """Assemble and publish once."""
    storage.calls.clear()
    storage.written = 0
    started = time.process_time()
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    folder = write_candidate(storage, project, candidate)
    assembled = time.process_time()
    publish_version(storage, project, read_candidate(storage, folder))
    return {
        "layout": layout,
        "version": version,
        "calls": dict(storage.calls),
        "written": storage.written,
        "assemble": assembled - started,
        "publish": time.process_time() - assembled,
        "peak": peak(),
    }


def make_project(layout: str) -> Project:
    """A project of five classes."""
    return Project.model_validate(
        {
            "project": "pens",
            "root": "s3://bench-bucket/boxes",
            "categories": list(CLASSES),
            "labeling": {
                "role_arn": f"arn:aws:iam::{ACCOUNT}:role/Labeling",
                "workteam_arn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:workteam/private-crowd/team",
            },
            "dataset": {"name": "pens", "formats": ["yolo", "coco"], "layout": layout},
        }
    )


def put_round(storage: CountingStorage, project: Project, key: str, numbers: Any) -> None:
    """A recorded round about these images; all of them show the same, in a few bytes of their own."""
    content = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 60)).save(content, "JPEG")
    random = np.random.default_rng(int(key[-2:]))
    images, labels = [], []
    for number in numbers:
        uri = project.images_uri / f"{number // 1000:03d}/{number:06d}.jpg"
        data = content.getvalue() + b"%08d" % number
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        storage._put(str(uri), data, etag)
        images.append(
            {
                "source_ref": str(uri),
                "etag": etag,
                "bytes": len(data),
                "width": 64,
                "height": 48,
                "orientation": 1,
                "status": "labeled",
                "reason": "",
                "answers": 3,
                "agreement": 0.9,
            }
        )
        places = random.random((BOXES, 2)).round(4).tolist()
        labels += [
            {
                "source_ref": str(uri),
                "category": CLASSES[int(random.integers(len(CLASSES)))],
                "left": x * 50,
                "top": y * 35,
                "width": 12.0,
                "height": 11.0,
                "score": 0.9,
                "votes": 3,
                "answers": 3,
                "job": f"pens-{key}",
            }
            for x, y in places
        ]
    folder = round_folder(project, key)
    storage.write(folder.images, to_parquet(table(images, IMAGES), IMAGES))
    storage.write(folder.labels, to_parquet(table(labels, LABELS), LABELS))
    job = RecordedJob(
        name=f"pens-{key}",
        arn=f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:labeling-job/pens-{key}",
        label_attribute="label",
        categories=CLASSES,
        output_uri="",
        relabel_pass=0,
        images=len(images),
        workers=3,
    )
    record = RoundRecord(
        project=project.project,
        round=key,
        roundtruth="0",
        images=len(images),
        counts={"labeled": len(images)},
        boxes=len(labels),
        answers=3 * len(images),
        spent_usd=0.0,
        jobs=(job,),
        files=file_digests(storage, {"images.parquet": folder.images, "labels.parquet": folder.labels}),
    )
    record_round(storage, folder, record)


def peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def page(images: int, both: list[dict[str, Any]], growing: dict[int, list[dict[str, Any]]]) -> str:
    """PUBLISH.md."""
    lines = "\n".join(
        f"| {row['layout']} | {row['version']} | {row['calls'].get('written', 0):,} | "
        f"{row['calls'].get('copied', 0):,} | {row['calls'].get('listed', 0):,} | "
        f"{row['calls'].get('read', 0):,} | "
        f"{row['written'] / 1e6:.2f} | {row['assemble']:.1f} | {row['publish']:.1f} | {row['peak']:.0f} |"
        for row in both
    )
    grown = "\n".join(
        f"| {size:,} | {second['calls'].get('written', 0)} | {second['written'] / 1e6:.3f} | "
        f"{second['calls'].get('listed', 0)} | {_seconds(second):.2f} | {_seconds(first):.2f} | "
        f"{_seconds(second) / _seconds(first):.0%} | "
        f"{first['written'] / 1e6:.2f} | {second['peak']:.0f} |"
        for size, (first, second) in growing.items()
    )
    return f"""\
# What publishing costs

Made by `benchmarks/bench_publish.py`: {images:,} images with {BOXES} boxes each, {len(CLASSES)} classes,
YOLO and COCO; then a second version with 1 % of the images relabeled. S3 is a dict in memory, so the seconds
are the pipeline's own work, as CPU time on one machine, and the memory ({both[0]["before"]:.0f} MB before the
first round) holds all objects too. On S3 add the requests: 32 are in flight at once, so 20,000 of 30 ms take
some 20 s; 0.1–0.3 ms of CPU each (RESULTS.md), also for the copy of a new image on condition of its ETag.
`assemble` writes the candidate that the next steps of a release read, so what it writes counts too.

| layout | version | objects written | copied by S3 | list requests | objects read | MB written \
| assemble, s | publish, s | peak memory, MB |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{lines}

`tree` gives every version a whole tree of its own, so it writes a label file and copies an image (never
through the worker) for each image; unchanged images are copied from the parent version.

## Packed: the same change of datasets of three sizes

{images // 100} images relabeled; the columns of the second version first.

| images | objects written | MB written | list requests | CPU, s | CPU of the first, s | share of it \
| MB of the first | peak memory, MB |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{grown}

Constant: objects and bytes written. The tables of a packed version are parts that versions share
(`include/roundtruth/datasets/parts.py`), and it writes one of each kind with its own rows.

Still growing: list requests (one for a thousand images; it tells which were replaced or deleted), memory,
and CPU: {_micros(growing, 1):.0f} µs for each unchanged image, {_micros(growing, 0):.0f} in a first version.
That is one look at each listed key, and the columns of the tables, which are read three times: to assemble
on the parent, to read the candidate back, and to compare it with the parent. No split is decided and no
digest of an image and its boxes is made again for an image that stays. Not in this table: a version with
images that the dataset never had goes through the remembered splits once more, to balance the new ones;
with `group_by` or `pinned`, groups are made anew from all keys.
"""


def _micros(growing: dict[int, list[dict[str, Any]]], version: int) -> float:
    """CPU of the first version (0) or the second (1) for each more image, between the outer sizes."""
    small, large = min(growing), max(growing)
    return 1e6 * (_seconds(growing[large][version]) - _seconds(growing[small][version])) / (large - small)


def _seconds(row: dict[str, Any]) -> float:
    return float(row["assemble"] + row["publish"])


if __name__ == "__main__":
    main()
