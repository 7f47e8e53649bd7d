"""The tables of an imported job: as `collect_answers` makes them of a job that a round created."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from roundtruth.annotations import ANSWERS, FAILED, LABELED, LABELS, NEGATIVE, UNLABELED, table, to_parquet
from roundtruth.ground_truth.answer_rows import answer_rows
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, WorkerAnswer
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS, JobTables
from roundtruth.rounds.folder import JobInputs
from roundtruth.rounds.imports.choice import Choice
from roundtruth.rounds.imports.sources import FoundSource
from roundtruth.rounds.imports.survey import Entry, FoundJob, Survey
from roundtruth.rounds.imports.translation import box_names, project_category
from roundtruth.rounds.names import JOB_NAME_LIMIT
from roundtruth.rounds.planned import ImportedJob, PlannedJob
from roundtruth.storage import Storage

Answers = Mapping[str, tuple[WorkerAnswer, ...]]  # by image


def job_names(survey: Survey, sources: Sequence[FoundSource]) -> dict[int, str]:
    """A name for each job, that S3 keys and tables can hold: its own where it has one and no other has it.

    Several jobs share a name where manifests were edited, or a file holds two attributes of one job.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    order = sorted(
        range(len(survey.jobs)),
        key=lambda number: (
            _wanted(survey.jobs[number], sources),
            survey.jobs[number].attribute,
            min(survey.jobs[number].sources),
        ),
    )
    for number in order:
        name = wanted = _wanted(survey.jobs[number], sources)
        again = 1
        while name in taken:
            again += 1
            name = f"{wanted}-{again}"
        taken.add(name)
        names[number] = name
    return names


def write_job_tables(
    storage: Storage,
    project: Project,
    number: int,
    name: str,
    survey: Survey,
    choice: Choice,
    sources: Sequence[FoundSource],
    inputs: JobInputs,
) -> PlannedJob:
    """Read what counts of a job again, with its boxes and answers, and write its tables; returns the job.

    Boxes and answers carry the project's categories, whatever the job called them.

    :raises CategoryError: when a worker chose a category that the project does not list.
    """
    job, entries = survey.jobs[number], choice.by_job.get(number, {})
    reader = _JobReader(project, job, name, sources, survey.planned)
    records, answers = reader.read(entries)
    objects = [_object(ref, entry, records.get(ref), answers.get(ref, ())) for ref, entry in entries.items()]
    tables = JobTables(
        answers=table(reader.answer_rows(answers), ANSWERS),
        objects=table(objects, OBJECTS),
        consolidated=table(list(reader.consolidated_rows(records)), LABELS),
    )
    storage.write(inputs.answers, to_parquet(tables.answers, ANSWERS))
    storage.write(inputs.consolidated, to_parquet(tables.consolidated, LABELS))
    storage.write(inputs.objects, to_parquet(tables.objects, OBJECTS))
    return PlannedJob(
        name=name,
        categories=job.categories,
        part=0,
        images=len(objects),
        workers=max(1, int(tables.objects["answers"].max())) if objects else 1,
        imported=_imported(job, tables, choice.superseded[number], reader.problems, sources),
    )


class _JobReader:
    """Reads the lines and worker responses of one job that count, out of all its sources."""

    def __init__(
        self,
        project: Project,
        job: FoundJob,
        name: str,
        sources: Sequence[FoundSource],
        planned: Sequence[str],
    ) -> None:
        self._project = project
        self._job = job
        self._name = name
        self._sources = sources
        self._planned = planned
        self._names: dict[str, str] = {}
        self.problems: list[str] = []

    def read(self, entries: Mapping[str, Entry]) -> tuple[dict[str, LabeledImage], Answers]:
        """The label of each image that has one in a manifest, and the answers about each image."""
        wanted: dict[int, dict[int, str]] = defaultdict(dict)
        answered: dict[int, dict[int, str]] = defaultdict(dict)
        for ref, entry in entries.items():
            if entry.labeled:
                wanted[entry.source][entry.line] = ref
            if entry.answered:
                answered[entry.source][entry.line - 1] = ref
        records = {
            ref: record for number, lines in wanted.items() for ref, record in self._records(number, lines)
        }
        answers: dict[str, tuple[WorkerAnswer, ...]] = {}
        for number, rows in answered.items():
            folder = self._sources[number].folder
            folder.problems.clear()
            answers.update((rows[row], given) for row, given in folder.answers() if row in rows)
            self.problems += folder.problems
        return records, {ref: answers[ref] for ref in sorted(answers)}

    def _records(self, number: int, lines: Mapping[int, str]) -> Iterator[tuple[str, LabeledImage]]:
        source = self._sources[number]
        if not source.is_output:
            return
        content = source.folder.storage.read(source.manifest).splitlines()
        file = str(source.manifest)
        for record in read_output_manifest(content, file=file, label_attribute=self._job.attribute):
            if isinstance(record, LabeledImage) and record.line_number in lines:
                yield lines[record.line_number], record

    def answer_rows(self, answers: Answers) -> list[dict[str, object]]:
        """Rows of ANSWERS."""
        rows = list(answer_rows(answers.items(), self._name))
        for row in rows:
            if row.get("category") is not None:
                row["category"] = self._named(str(row["category"]))
        return rows

    def consolidated_rows(self, records: Mapping[str, LabeledImage]) -> Iterator[dict[str, object]]:
        """Rows of LABELS: what Ground Truth made of the answers."""
        source_of = {number: self._sources[number] for number in self._job.sources}
        listed = next((source for source in source_of.values() if source.asked), self._sources[0])
        for ref in sorted(records):
            names = box_names(records[ref], listed)
            for box in records[ref].boxes:
                yield {
                    "source_ref": ref,
                    "category": self._named(str(names[box.class_id])),
                    "left": box.left,
                    "top": box.top,
                    "width": box.width,
                    "height": box.height,
                    "score": box.confidence,
                    "job": self._name,
                }

    def _named(self, name: str) -> str:
        if name not in self._names:
            self._names[name] = project_category(self._project, name, job=self._name, planned=self._planned)
            self._job.seen.add(self._names[name])
        return self._names[name]


def _object(
    ref: str, entry: Entry, record: LabeledImage | None, given: Sequence[WorkerAnswer]
) -> dict[str, object]:
    row: dict[str, object] = {
        "source_ref": ref,
        "reason": entry.reason,
        "answers": len({answer.worker_id for answer in given}),
    }
    if record is not None:
        size = {"width": record.image_width, "height": record.image_height}
        return row | size | {"status": LABELED if record.boxes else NEGATIVE}
    if entry.labeled:  # by its workers' answers alone
        sizes = [(answer.image_width, answer.image_height) for answer in given if answer.image_width]
        drawn = any(answer.boxes for answer in given)
        size = {"width": sizes[0][0], "height": sizes[0][1]} if sizes else {}
        return row | size | _by_answers(given, drawn)
    return row | {"status": FAILED if entry.failed else UNLABELED}


def _by_answers(given: Sequence[WorkerAnswer], drawn: bool) -> dict[str, object]:
    if not given:
        return {"status": UNLABELED, "reason": "none of its worker responses can be read"}
    return {"status": LABELED if drawn else NEGATIVE}


def _imported(
    job: FoundJob,
    tables: JobTables,
    superseded: int,
    problems: Sequence[str],
    sources: Sequence[FoundSource],
) -> ImportedJob:
    status = tables.objects["status"].value_counts()
    labeled = tables.objects["status"].isin([LABELED, NEGATIVE])
    by_answers = labeled & (tables.objects["answers"] > 0)
    kinds = {(True, True): "both", (True, False): "answers", (False, True): "consolidated"}
    return ImportedJob(
        label_attribute=job.attribute,
        job_name=job.job_name,
        output_uris=tuple(str(sources[number].uri) for number in sorted(job.sources)),
        labels_from=kinds.get((bool(by_answers.any()), bool((labeled & ~by_answers).any())), "none"),
        asked="label-categories" if job.listed else "labels",
        adjusts=job.adjusts,
        labeled=int(status.get(LABELED, 0)),
        negative=int(status.get(NEGATIVE, 0)),
        failed=int(status.get(FAILED, 0)),
        unlabeled=int(status.get(UNLABELED, 0)),
        answers=int(tables.objects["answers"].sum()),
        superseded=superseded,
        problems=tuple(problems),
    )


def _wanted(job: FoundJob, sources: Sequence[FoundSource]) -> str:
    name = job.job_name or sources[min(job.sources)].name
    clean = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return clean[: JOB_NAME_LIMIT - 4].rstrip("-") or "job"
