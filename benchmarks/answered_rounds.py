"""A large round whose jobs have all their answers, in a folder behind the Storage interface.

The answers of three unlike workers are drawn around true boxes; the images are listed, not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.bench_publish import CountingStorage, make_project
from roundtruth.annotations import ANSWERS, LABELS, to_parquet
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.plan import draft_plan
from roundtruth.rounds.planned import encode_plan
from roundtruth.storage import Content, ObjectUri, StoredObject

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)
# How far a worker's edges lie from the true ones (pixels), how many boxes it misses and names wrongly (0-1).
WORKERS = ((1.5, 0.01, 0.005), (3.0, 0.04, 0.02), (6.0, 0.08, 0.05))


class FolderStorage(CountingStorage):
    """S3 as a folder; the images are listed, not there. ``step`` lists every so manieth alone."""

    def __init__(self, folder: Path, project: Project, images: int, *, step: int = 1) -> None:
        super().__init__()
        self._folder = folder
        self._images_uri = project.images_uri
        self._count, self._step = images, step

    def _path(self, uri: ObjectUri) -> Path:
        return self._folder / uri.bucket / uri.key

    def read_if_there(self, uri: ObjectUri) -> Content | None:
        """GET."""
        path = self._path(uri)
        return Content(path.read_bytes(), _etag(path)) if path.is_file() else None

    def read_range(self, uri: ObjectUri, start: int, length: int) -> bytes:
        """GET with Range."""
        with self._path(uri).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def head(self, uri: ObjectUri) -> StoredObject | None:
        """HEAD."""
        path = self._path(uri)
        return _stored(uri, path) if path.is_file() else None

    def has_md5_etag(self, uri: ObjectUri) -> bool:
        """As S3 without KMS."""
        return True

    def write(self, uri: ObjectUri, data: bytes, *, content_type: str | None = None) -> None:
        """PUT."""
        path = self._path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.with_name(path.name + ".md5").write_text(hashlib.md5(data, usedforsecurity=False).hexdigest())

    def write_file(self, uri: ObjectUri, path: Path) -> None:
        """PUT of a file."""
        self.write(uri, path.read_bytes())

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        """PUT with If-None-Match."""
        if self._path(uri).is_file():
            return False
        self.write(uri, data)
        return True

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        """PUT with If-Match."""
        if not self._path(uri).is_file() or _etag(self._path(uri)) != etag:
            return False
        self.write(uri, data)
        return True

    def copy(self, source: ObjectUri, target: ObjectUri) -> None:
        """COPY."""
        self.write(target, self._path(source).read_bytes())

    def list_objects(self, prefix: ObjectUri) -> Iterator[StoredObject]:
        """The images by their numbers, else the files of a folder."""
        if prefix == self._images_uri:
            for number in range(0, self._count, self._step):
                uri = image_uri(prefix, number)
                yield StoredObject(uri=uri, size=2_000_000, etag=f"{number:032x}", last_modified=MOMENT)
            return
        for path in sorted(self._path(prefix).rglob("*")):
            if path.is_file() and path.suffix != ".md5":
                key = path.relative_to(self._folder / prefix.bucket).as_posix()
                yield _stored(ObjectUri(prefix.bucket, key), path)

    def list_folders(self, prefix: ObjectUri) -> list[str]:
        """The folders of a folder."""
        path = self._path(prefix)
        return sorted(one.name for one in path.iterdir() if one.is_dir()) if path.is_dir() else []


def image_uri(folder: ObjectUri, number: int) -> ObjectUri:
    """Where an image would lie."""
    return folder / f"{number // 1000:04d}/photo-{number:07d}.jpg"


def _etag(path: Path) -> str:
    return path.with_name(path.name + ".md5").read_text()


def _stored(uri: ObjectUri, path: Path) -> StoredObject:
    return StoredObject(uri=uri, size=path.stat().st_size, etag=_etag(path), last_modified=MOMENT)


def round_project(images: int, jobs: int) -> Project:
    """A project whose rounds have so many jobs; it does not look at pixels, of which there are none."""
    content = make_project("packed").model_dump(mode="json", exclude_defaults=True)
    return Project.model_validate(
        content
        | {
            "images": {"prefix": "images/", "partition": "none"},
            "labeling": content["labeling"] | {"max_objects_per_job": -(-images // jobs)},
            "consensus": {"relabel_passes": 0},
            "quality": {"near_duplicates": False},
        }
    )


def prepare(storage: FolderStorage, project: Project, round_key: str, boxes: int) -> None:
    """Plan a round and put the tables that its jobs' answers make."""
    from roundtruth.rounds import candidates

    candidates.with_headers = lambda _, chosen: chosen.assign(width=1920, height=1080, orientation=1)
    candidates.read_history = lambda *_, **__: _no_history()
    draft = draft_plan(storage, project, round_key)
    folder = round_folder(project, round_key)
    storage.write(folder.uri / draft.plan.planned.file, draft.table)
    storage.write(folder.plan, encode_plan(draft.plan))
    for job in draft.plan.jobs:
        refs = draft.images.loc[draft.images["part"] == job.part, "source_ref"].to_numpy()
        random = np.random.default_rng(int(round_key[-2:]) * 1000 + job.part)
        answers, objects, consolidated = _tables(random, refs, job.name, boxes, project.categories)
        inputs = folder.job(job.name)
        storage.write(inputs.answers, to_parquet(answers, ANSWERS))
        storage.write(inputs.objects, to_parquet(objects, OBJECTS))
        storage.write(inputs.consolidated, to_parquet(consolidated, LABELS))


def _no_history() -> Any:
    """No round took these images yet, so that some of them can be labeled over."""
    from roundtruth.rounds.history import History

    return History()


def _tables(
    random: np.random.Generator, refs: Any, job: str, boxes: int, categories: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    counts = np.maximum(random.poisson(boxes, len(refs)), 1)
    image = np.repeat(np.arange(len(refs)), counts)
    total = len(image)
    size = random.uniform(20, 300, (total, 2))
    corner = random.random((total, 2)) * (np.array([1920, 1080]) - size)
    category = random.integers(0, len(categories), total)
    names = np.array(categories)
    frames = []
    for worker, (pixels, missed, wrong) in enumerate(WORKERS):
        drawn = np.clip(corner + random.normal(0, pixels, (total, 2)), 0, None)
        named = np.where(random.random(total) < wrong, random.integers(0, len(names), total), category)
        seen = random.random(total) > missed
        seen[np.unique(image, return_index=True)[1]] = True  # nobody's answer is empty
        place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        frames.append(
            pd.DataFrame(
                {
                    "source_ref": refs[image],
                    "job": job,
                    "worker": f"private.us-east-1.{worker:016x}",
                    "box": place.astype(np.int32),
                    "category": names[named],
                    "left": drawn[:, 0],
                    "top": drawn[:, 1],
                    "width": size[:, 0],
                    "height": size[:, 1],
                    "image_width": np.int32(1920),
                    "image_height": np.int32(1080),
                    "seconds": 20.0,
                    "submitted": "2026-01-05T08:00:00Z",
                }
            )[seen]
        )
    answers = pd.concat(frames).sort_values(["source_ref", "worker", "box"], kind="stable")
    objects = pd.DataFrame(
        {
            "source_ref": refs,
            "status": "labeled",
            "reason": "",
            "width": np.int32(1920),
            "height": np.int32(1080),
            "answers": np.int16(len(WORKERS)),
        }
    )
    consolidated = pd.DataFrame(
        {
            "source_ref": refs[image],
            "category": names[category],
            "left": corner[:, 0],
            "top": corner[:, 1],
            "width": size[:, 0],
            "height": size[:, 1],
            "score": 0.9,
            "votes": None,
            "answers": None,
            "job": job,
        }
    )
    return answers.reset_index(drop=True), objects, consolidated
