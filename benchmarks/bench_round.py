"""A large round after its last answer: consensus, merge, quality, record, and two packed versions.

Run: python -m benchmarks.bench_round [--images 1000000] [--boxes 7] [--jobs 10] > page.md
Each stage is a process of its own, as each task of Airflow is, so its peak memory is its own. S3 is a folder
on this machine behind the Storage interface. The answers of three unlike workers are drawn around true boxes.
Looking at pixels (quality.near_duplicates) is off, since there are none. The second version relabels one
image of a hundred.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
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
FIRST, SECOND = "2026-01-05", "2026-01-12"


class FolderStorage(CountingStorage):
    """S3 as a folder; the images are listed, not there. ``relabeled`` lists one of a hundred alone."""

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


def _project(images: int, jobs: int) -> Project:
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
    candidates.read_history = lambda *_, **__: candidates_history()
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


def candidates_history() -> Any:
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


def run_stage(storage: FolderStorage, project: Project, stage: str, round_key: str) -> None:
    """One task's work."""
    from roundtruth.stages import dataset_release, labeling_round

    note = storage._folder / "candidate"
    if stage == "consensus":
        labeling_round.measure(storage, project, round_key, relabel_pass=0)
    elif stage in {"merge", "check", "record"}:
        getattr(labeling_round, stage)(storage, project, round_key)
    elif stage == "assemble":
        note.write_text(str(dataset_release.assemble(storage, project)))
    else:
        step = {"check version": dataset_release.check, "publish": dataset_release.publish}[stage]
        step(storage, project, note.read_text())


STAGES = ("consensus", "merge", "check", "record", "assemble", "check version", "publish")


def main() -> None:
    """Run all stages of both rounds, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=1_000_000)
    arguments.add_argument("--boxes", type=int, default=7)
    arguments.add_argument("--jobs", type=int, default=10)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--stage")
    arguments.add_argument("--round", default=FIRST)
    chosen = arguments.parse_args()
    project = _project(chosen.images, chosen.jobs)
    if chosen.stage:
        step = 1 if chosen.round == FIRST or chosen.stage != "prepare" else 100
        storage = FolderStorage(chosen.folder, project, chosen.images, step=step)
        started, clock = time.process_time(), time.perf_counter()
        if chosen.stage == "prepare":
            prepare(storage, project, chosen.round, chosen.boxes)
        else:
            run_stage(storage, project, chosen.stage, chosen.round)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took = {"cpu": time.process_time() - started, "clock": time.perf_counter() - clock}
        print(json.dumps(took | {"peak": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes = [f"--images={chosen.images}", f"--boxes={chosen.boxes}", f"--jobs={chosen.jobs}"]
        rows = {key: stages_of_round(sizes, folder, key) for key in (FIRST, SECOND)}
    print(_page(rows))


def stages_of_round(
    sizes: list[str], folder: str, round_key: str, stages: tuple[str, ...] = STAGES
) -> dict[str, dict[str, float]]:
    """Run stages of a round, each in a process of its own; its CPU and clock seconds and its peak in MB."""
    rows = {}
    for stage in ("prepare", *stages):
        command = [sys.executable, "-m", "benchmarks.bench_round", *sizes, f"--folder={folder}"]
        command += [f"--stage={stage}", f"--round={round_key}"]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{stage} of {round_key}: {run.stderr[-2000:]}")
        rows[stage] = json.loads(run.stdout.splitlines()[-1])
        print(round_key, stage, rows[stage], file=sys.stderr, flush=True)
    return rows


def _page(rows: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [
        "| task | CPU, s | peak memory, MB | 1 % relabeled: CPU, s | peak, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for stage in STAGES:
        first, second = rows[FIRST][stage], rows[SECOND][stage]
        lines.append(
            f"| {stage} | {first['cpu']:.1f} | {first['peak']:.0f} "
            f"| {second['cpu']:.1f} | {second['peak']:.0f} |"
        )
    after = STAGES[1:]
    cpu = [sum(rows[key][stage]["cpu"] for stage in after) for key in (FIRST, SECOND)]
    peaks = [max(rows[key][stage]["peak"] for stage in after) for key in (FIRST, SECOND)]
    lines.append(
        f"| **merge to publish** | **{cpu[0]:.1f}** | **{peaks[0]:.0f}** | **{cpu[1]:.1f}** "
        f"({cpu[1] / cpu[0]:.0%}) | **{peaks[1]:.0f}** |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
