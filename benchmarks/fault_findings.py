"""After faults: whether each job was made once, each image and answer is there, and each version is whole."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.request import urlopen

import pandas as pd

from roundtruth.annotations import ANSWERS, IMAGES, PUBLISHABLE, from_parquet
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.versions import list_versions
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.job_request import output_folder
from roundtruth.project import Project
from roundtruth.rounds.arrivals import IMAGE_SUFFIXES
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.history import CARRIED_OVER
from roundtruth.rounds.planned import PlannedJob, read_planned_images, require_plan
from roundtruth.rounds.record import read_record
from roundtruth.rounds.relabel import round_jobs
from roundtruth.storage import ObjectUri, Storage

Json = dict[str, Any]
ENDED_BADLY = {"Failed", "Stopped"}


@dataclass
class Findings:
    """What the faults did; from ``created_twice`` on everything has to be 0."""

    rounds: int = 0
    planned: int = 0  # labeling jobs
    jobs: int = 0  # labeling jobs that were made, with the next attempts of those that failed
    images: int = 0
    answers: int = 0
    versions: int = 0
    created_twice: int = 0  # labeling jobs that nobody planned, and labels given twice
    images_lost: int = 0  # uploaded, and in no recorded round, or in a round that does not account for them
    answers_lost: int = 0  # in a worker-response file of Ground Truth, and not in the round's answers
    broken_versions: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost and nothing was paid twice."""
        return not (
            self.problems
            or self.created_twice
            or self.images_lost
            or self.answers_lost
            or self.broken_versions
        )


def created_jobs(sandbox_url: str) -> dict[str, Json]:
    """The labeling jobs of a sandbox by name: ``status``, ``counters`` (as Ground Truth's LabelCounters)."""
    with urlopen(f"{sandbox_url}/_sandbox/jobs", timeout=30) as answer:  # loopback
        return {job["name"]: job for job in json.load(answer)}


def find(
    storage: Storage,
    created: Mapping[str, Json],
    projects: Mapping[str, Project],
    rounds: Mapping[str, Sequence[str]],
    *,
    all_planned: bool = True,
) -> Findings:
    """Look at everything that the rounds of some projects left in S3 and in Ground Truth.

    :param created: all labeling jobs there are, see ``created_jobs``.
    :param rounds: the keys of the rounds that were started, by project.
    :param all_planned: whether every image that was uploaded has to be in a round by now.
    """
    found = Findings()
    for name, keys in rounds.items():
        project = projects[name]
        planned: set[str] = set()
        statuses: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            folder = round_folder(project, key)
            if read_record(storage, folder) is None:
                found.problems.append(f"{folder.uri} is not recorded")
                continue
            found.rounds += 1
            jobs = round_jobs(storage, folder, require_plan(storage, folder))
            found.planned += len(jobs)
            for job in jobs:
                planned |= _look_at_job(found, job, created)
            _look_at_images(found, storage, folder, statuses)
            _look_at_answers(found, storage, project, folder, jobs, created)
        if found.rounds:
            _look_for_strangers(found, project, created, planned)
        _look_at_labels(found, statuses)
        if all_planned:
            _look_for_lost_images(found, storage, project, statuses)
        found.images += len(statuses)
        _look_at_versions(found, storage, project, keys)
    return found


def attempts_of(job: str, created: Mapping[str, Json]) -> list[str]:
    """The labeling jobs that a planned one became, oldest first."""
    pattern = re.compile(rf"{re.escape(job)}(-a(\d+))?")
    matches = [match for match in map(pattern.fullmatch, created) if match]
    return [match[0] for match in sorted(matches, key=lambda match: int(match[2] or 1))]


def _look_at_job(found: Findings, job: PlannedJob, created: Mapping[str, Json]) -> set[str]:
    names = attempts_of(job.name, created)
    found.jobs += len(names)
    if not names:
        found.problems.append(f"{job.name} was planned and never made")
    for before, after in pairwise(names):
        if created[before]["status"] not in ENDED_BADLY:
            found.created_twice += 1
            found.problems.append(f"{after} was made though {before} is {created[before]['status']}")
    labeled = sum(created[name]["counters"]["HumanLabeled"] for name in names)
    if labeled > job.images + len(job.gold):
        found.created_twice += 1
        found.problems.append(f"{labeled} labels were given for the {job.images} images of {job.name}")
    return set(names)


def _look_for_strangers(
    found: Findings, project: Project, created: Mapping[str, Json], planned: set[str]
) -> None:
    ours = {name for name in created if name.startswith(f"{project.project}-")}
    for name in sorted(ours - planned):
        found.created_twice += 1
        found.problems.append(f"{name} was made and is in no plan")


def _look_at_images(
    found: Findings, storage: Storage, folder: RoundFolder, statuses: dict[str, list[str]]
) -> None:
    plan = require_plan(storage, folder)
    planned = set(read_planned_images(storage, folder, plan)["source_ref"])
    images = from_parquet(storage.read(folder.images), IMAGES, name=str(folder.images))
    accounted = Counter(images["source_ref"])
    missing = planned - set(accounted)
    found.images_lost += len(missing)
    found.problems += [f"{folder.uri}: {ref} was planned and is not accounted for" for ref in sorted(missing)]
    found.problems += [f"{folder.uri}: {ref} has {n} rows" for ref, n in accounted.items() if n > 1]
    found.problems += [
        f"{folder.uri}: {ref} is accounted for and was not planned"
        for ref in sorted(set(accounted) - planned)
    ]
    for ref, status in zip(images["source_ref"], images["status"], strict=True):
        statuses[ref].append(status)


def _look_at_labels(found: Findings, statuses: Mapping[str, list[str]]) -> None:
    """An image that is settled is never labeled again; one that came to nothing may be, in another round."""
    for ref, of_rounds in statuses.items():
        settled = [status for status in of_rounds if status not in CARRIED_OVER]
        if len(settled) > 1:
            found.created_twice += 1
            found.problems.append(f"{ref} was labeled in {len(settled)} rounds")


def _look_for_lost_images(
    found: Findings, storage: Storage, project: Project, statuses: Mapping[str, list[str]]
) -> None:
    uploaded = {
        str(stored.uri)
        for stored in storage.list_objects(project.images_uri)
        if stored.uri.key.lower().endswith(IMAGE_SUFFIXES)
    }
    lost = uploaded - set(statuses)
    found.images_lost += len(lost)
    found.problems += [f"{ref} was uploaded and no round has it" for ref in sorted(lost)]


def _look_at_answers(
    found: Findings,
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    jobs: tuple[PlannedJob, ...],
    created: Mapping[str, Json],
) -> None:
    table: pd.DataFrame = from_parquet(storage.read(folder.answers), ANSWERS, name=str(folder.answers))
    kept = set(zip(table["job"], table["source_ref"], table["worker"], strict=True))
    for job in jobs:
        given: list[tuple[str, str, str]] = []
        for name in attempts_of(job.name, created):
            output = JobFolder(storage, output_folder(project) / name)
            order = _rows(storage, output.output_manifest)
            for row, answers in output.answers():
                given += [(job.name, order[row], answer.worker_id) for answer in answers]
        found.answers += len(given)
        lost = set(given) - kept
        found.answers_lost += len(lost)
        found.problems += [
            f"{name}: the answer of {worker} about {ref} is lost" for name, ref, worker in sorted(lost)
        ]
        for ref, number in sorted(Counter(ref for _, ref, _ in given).items()):
            if number > job.workers:
                found.created_twice += 1
                found.problems.append(
                    f"{job.name}: {number} answers were paid for {ref}, {job.workers} planned"
                )


def _rows(storage: Storage, manifest: ObjectUri) -> list[str]:
    content = storage.read_if_there(manifest)
    return [json.loads(line)["source-ref"] for line in content.data.splitlines()] if content else []


def _look_at_versions(found: Findings, storage: Storage, project: Project, keys: Sequence[str]) -> None:
    versions = list_versions(storage, dataset_folder(project))
    for version in versions:
        found.versions += 1
        verified = verify_version(storage, project.root_uri, version.dataset, version.version)
        if verified.problems:
            found.broken_versions += 1
            found.problems += [f"{version.dataset}@{version.version}: {one}" for one in verified.problems]
    for before, after in pairwise([None, *versions]):
        if after is not None and after.parent != (before.version if before else None):
            found.broken_versions += 1
            found.problems.append(f"{after.dataset}@{after.version} is not built on the version before it")
    released = set(versions[-1].rounds) if versions else set()
    for key in keys:
        record = read_record(storage, round_folder(project, key))
        if record and any(record.counts.get(status) for status in PUBLISHABLE) and key not in released:
            found.problems.append(f"round {key} of {project.project} is not in the newest version")
