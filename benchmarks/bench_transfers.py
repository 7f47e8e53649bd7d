"""Many small objects: ours beside obstore's own calls and boto3, against an S3 that answers at once.

Run: python -m benchmarks.bench_transfers [--objects 10000] [--keys 100000] [--runs 11] > page.md
The server (null_s3.py) is a process of its own. The ratios are taken pairwise, each of ours right beside
obstore's own figure for the same requests with as many in flight, who is first by turns; the table has
medians. CPU is that of the client's process. With 20 ms of latency, some round trip to S3, objects a second
show what is in flight.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import obstore
from botocore.config import Config
from PIL import Image

from roundtruth.ground_truth.worker_responses import read_worker_response
from roundtruth.image_headers import FIRST_READ, read_image_headers
from roundtruth.storage import GROUP, ObjectUri, Storage, StoredObject
from roundtruth.stored_objects import ConditionalCopy

BUCKET = "bench-bucket"
PHOTO = (800, 600)  # pixels; of noise, so that it takes more than a first read
HERE = Path(__file__).parent


@contextmanager
def null_s3(*options: str) -> Iterator[str]:
    """The address of a server that runs as long as the context."""
    command = [sys.executable, str(HERE / "null_s3.py"), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()
            server.wait()


def session() -> boto3.Session:
    """Made-up credentials."""
    return boto3.Session(
        aws_access_key_id="AKIABENCH", aws_secret_access_key="no-secret", region_name="us-east-1"
    )


def response() -> bytes:
    """A worker-response file: one worker, seven boxes."""
    boxes = [
        {"label": "pen", "left": 10 * number, "top": 20, "width": 30, "height": 40} for number in range(7)
    ]
    content = {"boundingBox": {"boundingBoxes": boxes, "inputImageProperties": {"width": 640, "height": 480}}}
    answer = {
        "acceptanceTime": "2026-01-05T08:00:00.000Z",
        "submissionTime": "2026-01-05T08:01:00.000Z",
        "timeSpentInSeconds": 17.0,
        "workerId": "private.us-east-1.0123456789abcdef",
        "workerMetadata": {},
        "answerContent": content,
    }
    return json.dumps({"answers": [answer]}).encode()


def measured(action: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def in_threads(action: Callable[[str], Any], keys: list[str], threads: int) -> None:
    """Run an action on all keys: each thread takes its share of them, so that handing over costs nothing."""

    def run(some: list[str]) -> None:
        for key in some:
            action(key)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [keys[number::threads] for number in range(threads)]))


# Name -> obstore's own, ours, boto3's for some keys.
Operations = dict[str, tuple[Callable[[], Any], Callable[[], Any], Callable[[list[str]], Any]]]


class Transfers:
    """The same requests by three clients."""

    def __init__(self, endpoint: str, objects: int) -> None:
        self.keys = [f"folder/{number // 1000:03d}/{number:06d}.json" for number in range(objects)]
        self.uris = [ObjectUri(BUCKET, key) for key in self.keys]
        self.storage = Storage.from_session(session(), endpoint_url=endpoint)
        self.threads = self.storage.concurrency
        self.store = self.storage._store(self.uris[0])
        pool = Config(max_pool_connections=self.threads, retries={"mode": "standard"})
        self.boto3 = session().client("s3", endpoint_url=endpoint, config=pool)
        self._data = response()

    def operations(self) -> Operations:
        """What is done with small objects."""
        threads, store, client = self.threads, self.store, self.boto3
        data = self._data
        return {
            "read (worker responses)": (
                lambda: in_threads(lambda key: store.get(key).bytes(), self.keys, threads),
                lambda: sum(1 for _ in self.storage.read_many(self.uris)),
                lambda keys: in_threads(
                    lambda key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), keys, threads
                ),
            ),
            "write (label files)": (
                lambda: in_threads(lambda key: obstore.put(store, key, data), self.keys, threads),
                lambda: self.storage.write_many((uri, data) for uri in self.uris),
                lambda keys: in_threads(
                    lambda key: client.put_object(Bucket=BUCKET, Key=key, Body=data), keys, threads
                ),
            ),
            "copy on the server": (
                lambda: in_threads(lambda key: obstore.copy(store, key, f"to/{key}"), self.keys, threads),
                lambda: sum(
                    1
                    for _ in self.storage.run_many(
                        lambda uri: self.storage.copy(uri, ObjectUri(BUCKET, f"to/{uri.key}")),
                        self.uris,
                        group=GROUP,
                    )
                ),
                lambda keys: in_threads(
                    lambda key: client.copy_object(
                        Bucket=BUCKET, Key=f"to/{key}", CopySource={"Bucket": BUCKET, "Key": key}
                    ),
                    keys,
                    threads,
                ),
            ),
        }

    def range_reads(self) -> Operations:
        """What is done with photos: their beginnings are read, for their headers."""
        threads, store, client = self.threads, self.store, self.boto3
        return {
            "range read (64 KB of a photo)": (
                lambda: in_threads(
                    lambda key: obstore.get_range(store, key, start=0, length=FIRST_READ), self.keys, threads
                ),
                lambda: sum(
                    1
                    for _ in self.storage.run_many(
                        lambda uri: self.storage.read_range(uri, 0, FIRST_READ), self.uris, group=GROUP
                    )
                ),
                lambda keys: in_threads(
                    lambda key: client.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-65535")[
                        "Body"
                    ].read(),
                    keys,
                    threads,
                ),
            ),
        }


def main() -> None:
    """Measure, print the page."""
    from benchmarks.bench_pull import pull_rows  # which takes the server and the table's rows from here

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--objects", type=int, default=10_000)
    arguments.add_argument("--keys", type=int, default=100_000)
    arguments.add_argument("--responses", type=int, default=100_000)
    arguments.add_argument("--runs", type=int, default=11)
    chosen = arguments.parse_args()
    lines = header()
    with tempfile.TemporaryDirectory() as folder:
        answer, photo = Path(folder) / "answer", Path(folder) / "photo"
        answer.write_bytes(response())
        Image.effect_noise(PHOTO, 40).convert("RGB").save(photo, "JPEG")
        assert photo.stat().st_size > FIRST_READ
        for latency in ("0", "0.02"):
            with null_s3(f"--latency={latency}", f"--content={answer}") as endpoint:
                transfers = Transfers(endpoint, chosen.objects)
                lines += _rows(transfers, transfers.operations(), latency, chosen.runs)
                lines.append(_conditional_copies(transfers, latency, chosen.runs))
                lines += _listings(endpoint, chosen.keys, latency, chosen.runs)
            with null_s3(f"--latency={latency}", f"--content={photo}") as endpoint:
                transfers = Transfers(endpoint, chosen.objects)
                lines += _rows(transfers, transfers.range_reads(), latency, chosen.runs)
        lines += pull_rows(chosen.objects // 2, chosen.runs)
        lines += ["", f"Medians of {chosen.runs} pairs; boto3 once, a tenth of the objects."]
        with null_s3(f"--content={answer}") as endpoint:
            lines += ["", _job(endpoint, chosen.responses)]
        with null_s3(f"--content={photo}") as endpoint:
            lines += ["", _headers(endpoint, chosen.objects)]
    print("\n".join(lines))


def header() -> list[str]:
    """The table's first two lines."""
    return [
        "| requests | latency | ours: CPU, ms each | obstore's own | boto3 | CPU, ours ÷ obstore (from–to) "
        "| a second, ours ÷ obstore | a second, ours |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]


def _rows(transfers: Transfers, operations: Operations, latency: str, runs: int) -> list[str]:
    rows = []
    for name, (obstores, ours, boto3s) in operations.items():
        pairs = paired(obstores, ours, runs)
        few = transfers.keys[: max(len(transfers.keys) // 10, 1)]
        boto3_each = measured(lambda run=boto3s, keys=few: run(keys))[1] / len(few)
        rows.append(row(name, latency, pairs, len(transfers.keys), boto3_each))
    return rows


def paired(
    obstores: Callable[[], Any], ours: Callable[[], Any], runs: int
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Pairs of (clock, CPU) seconds: obstore's own, ours; by turns the one or the other first."""
    pairs = []
    for number in range(runs):
        if number % 2:
            second = measured(ours)
            pairs.append((measured(obstores), second))
        else:
            pairs.append((measured(obstores), measured(ours)))
    return pairs


def _conditional_copies(transfers: Transfers, latency: str, runs: int) -> str:
    """Copies while the source has its ETag, beside obstore's copies, which know no condition."""
    keys, store, storage = transfers.keys, transfers.store, transfers.storage
    copies = [
        ConditionalCopy(ObjectUri(BUCKET, key), ObjectUri(BUCKET, f"to/{key}"), "0" * 32) for key in keys
    ]

    def obstores() -> None:
        in_threads(lambda key: obstore.copy(store, key, f"to/{key}"), keys, transfers.threads)

    def ours() -> None:
        assert all(storage.copy_many_if_unchanged(copies))

    few = copies[: max(len(copies) // 10, 1)]

    def boto3s() -> None:
        assert all(
            storage.run_many(lambda one: storage.copy_if_unchanged(one.source, one.target, one.etag), few)
        )

    pairs = paired(obstores, ours, runs)
    return row("copy on condition of its ETag", latency, pairs, len(keys), measured(boto3s)[1] / len(few))


def _listings(endpoint: str, keys: int, latency: str, runs: int) -> list[str]:
    storage = Storage.from_session(session(), endpoint_url=endpoint)
    prefix = ObjectUri(BUCKET, f"keys-{keys}")
    store = storage._store(prefix)

    def obstores() -> int:
        return sum(len(chunk) for chunk in obstore.list(store, prefix=f"keys-{keys}/", chunk_size=1000))

    def ours() -> int:
        return sum(1 for _ in storage.list_objects(prefix))

    assert obstores() == ours() == keys
    pairs = paired(obstores, ours, runs)
    client = session().client("s3", endpoint_url=endpoint)
    few = keys // 10

    def boto3s() -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"keys-{few}/")
        return sum(len(page["Contents"]) for page in pages)

    return [row(f"list {keys:,} keys (each a key)", latency, pairs, keys, measured(boto3s)[1] / few)]


def row(
    name: str,
    latency: str,
    pairs: list[tuple[tuple[float, float], tuple[float, float]]],
    count: int,
    boto3_each: float,
) -> str:
    """A line of the table, of pairs of (clock, CPU) seconds: obstore's own, ours."""
    ratios = sorted(ours[1] / theirs[1] for theirs, ours in pairs)
    speeds = statistics.median(theirs[0] / ours[0] for theirs, ours in pairs)
    ours_cpu = statistics.median(ours[1] for _, ours in pairs) / count * 1e3
    theirs_cpu = statistics.median(theirs[1] for theirs, _ in pairs) / count * 1e3
    second = count / statistics.median(ours[0] for _, ours in pairs)
    line = (
        f"| {name} | {float(latency) * 1e3:.0f} ms | {ours_cpu:.4f} | {theirs_cpu:.4f} "
        f"| {boto3_each * 1e3:.4f} | **{statistics.median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f}) "
        f"| {speeds:.0%} | {second:,.0f} |"
    )
    print(line, file=sys.stderr, flush=True)
    return line


def _job(endpoint: str, responses: int) -> str:
    """A whole job's answers: each file requested, decoded and checked."""
    storage = Storage.from_session(session(), endpoint_url=endpoint)
    uris = (
        ObjectUri(BUCKET, f"job/annotations/worker-response/iteration-1/{row}/2026-01-05_08:00:00.json")
        for row in range(responses)
    )

    def read() -> None:
        boxes = 0
        for uri, data in storage.read_many(uris):
            answers, problems = read_worker_response(data, file=str(uri))
            boxes += sum(len(answer.boxes) for answer in answers) + len(problems)
        assert boxes == 7 * responses

    wall, cpu = measured(read)
    return (
        f"{responses:,} worker-response files of a job, once read, decoded and checked (its listing: above): "
        f"**{cpu:.1f} s** of CPU, {cpu / responses * 1e3:.2f} ms a file; {wall:.1f} s by the clock."
    )


def _headers(endpoint: str, images: int) -> str:
    storage = Storage.from_session(session(), endpoint_url=endpoint)
    moment = next(iter(storage.list_objects(ObjectUri(BUCKET, "keys-1")))).last_modified
    stored = [
        StoredObject(uri=ObjectUri(BUCKET, f"{number}.jpg"), size=5_000_000, etag="", last_modified=moment)
        for number in range(images)
    ]

    def read() -> None:
        assert all(
            getattr(header, "width", 0) == PHOTO[0] for _, header in read_image_headers(storage, stored)
        )

    _, cpu = measured(read)
    return (
        f"Size and orientation of a photo, its header parsed, by a range read of {FIRST_READ // 1024} KB: "
        f"{cpu / images * 1e3:.2f} ms of CPU an image (load average {os.getloadavg()[0]:.0f})."
    )


if __name__ == "__main__":
    main()
