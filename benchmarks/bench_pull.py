"""`dataset pull` of a version of many small files, beside obstore's own reads of them into local files.

Run: python -m benchmarks.bench_pull [--images 5000] [--runs 5]; bench_transfers has its rows, too.
The version has a layout `tree`: of each image two objects, the image and its label file. A pull reads the
version's index and tables besides, and compares every digest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.bench_publish import CountingStorage, make_project, publish, put_round
from benchmarks.bench_transfers import header, measured, null_s3, row, session
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.version_index import object_of, read_stored_index
from roundtruth.datasets.versions import read_version
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage

VERSION = "v0001"


def main() -> None:
    """Measure, print the rows."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=5_000)
    arguments.add_argument("--runs", type=int, default=5)
    chosen = arguments.parse_args()
    print("\n".join([*header(), *pull_rows(chosen.images, chosen.runs)]))


def pull_rows(images: int, runs: int) -> list[str]:
    """A row each latency; boto3's figure is that of reading a tenth into files."""
    project = make_project("tree")
    # In memory where it can be: the disk would be what is measured (facts: 25 to 670 us a file on ext4).
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        uris = _publish(project, images, folder / "objects")
        rows = []
        for latency in ("0", "0.02"):
            with null_s3(f"--latency={latency}", f"--objects={folder / 'objects'}") as endpoint:
                rows.append(_measure(project, endpoint, uris, folder / "out", latency, runs))
    return rows


def _publish(project: Project, images: int, folder: Path) -> list[ObjectUri]:
    """Publish a version, leave its objects in a folder; the URIs of those that its tree is made of."""
    storage = CountingStorage()
    put_round(storage, project, "2026-01-05", range(images))
    publish(storage, project, "tree", "first")
    for uri, data in storage.objects.items():
        place = folder / uri.removeprefix("s3://")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    version = dataset_folder(project).version(VERSION)
    return [
        object_of(version, one) for one in read_stored_index(storage, version, read_version(storage, version))
    ]


def _measure(
    project: Project, endpoint: str, uris: list[ObjectUri], out: Path, latency: str, runs: int
) -> str:
    storage = Storage.from_session(session(), endpoint_url=endpoint)
    store = storage._store(uris[0])
    client = session().client("s3", endpoint_url=endpoint)

    def obstores(uri: ObjectUri) -> None:
        _write(out / uri.key, store.get(uri.key).bytes())

    def boto3s(uri: ObjectUri) -> None:
        _write(out / uri.key, client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read())

    def pull() -> None:
        pulled = pull_version(storage, project.root_uri, project.dataset.name, VERSION, out)
        assert (pulled.files, pulled.kept) == (len(uris), 0)

    def fresh(action: Any) -> tuple[float, float]:
        shutil.rmtree(out, ignore_errors=True)
        for folder in {(out / uri.key).parent for uri in uris} if action is not pull else ():
            folder.mkdir(parents=True, exist_ok=True)
        return measured(action)

    def each(action: Any, some: list[ObjectUri]) -> None:
        with ThreadPoolExecutor(storage.concurrency) as pool:
            shares = [some[number :: storage.concurrency] for number in range(storage.concurrency)]
            list(pool.map(lambda share: [action(uri) for uri in share], shares))

    pairs = []
    for number in range(runs):  # by turns the one or the other first
        ours = fresh(pull) if number % 2 else None
        theirs = fresh(lambda: each(obstores, uris))
        pairs.append((theirs, ours or fresh(pull)))
    few = uris[: len(uris) // 10]
    boto3_each = fresh(lambda: each(boto3s, few))[1] / len(few)
    return row(f"pull {len(uris):,} files", latency, pairs, len(uris), boto3_each)


def _write(place: Path, data: Any) -> None:
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(file, data)
    finally:
        os.close(file)


if __name__ == "__main__":
    main()
