"""What finished jobs say together: every label and failure of every image, without the boxes yet."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from roundtruth.errors import RoundError
from roundtruth.ground_truth.line_labels import LineLabel, read_line_labels
from roundtruth.ground_truth.manifests import BOXES, moment_of, read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, LineProblem, ProblemKind
from roundtruth.project import Project
from roundtruth.rounds.imports.sources import FoundSource
from roundtruth.rounds.imports.translation import box_names, place_of, project_category
from roundtruth.storage import Storage

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True)
class FoundJob:
    """A labeling job that wrote labels: a label attribute and a job name, over all their manifests."""

    attribute: str  # empty for a job of which only workers' answers are there
    job_name: str
    adjusts: bool = False
    sources: set[int] = field(default_factory=set)
    listed: tuple[str, ...] = ()  # its own list of categories, as the project names them
    seen: set[str] = field(default_factory=set)  # categories of its labels, as the project names them

    @property
    def categories(self) -> tuple[str, ...]:
        """Its own list and, behind it, what it used besides."""
        return (*self.listed, *sorted(self.seen - set(self.listed)))


class Entry(NamedTuple):
    """What one job says of an image on one line of a manifest."""

    job: int
    source: int
    line: int  # 1-based
    labeled: bool
    failed: bool
    reason: str  # why it gives no label
    created: datetime
    answered: bool  # workers' own answers are there


@dataclass(kw_only=True)
class Survey:
    """All jobs, what they say of each image (by its source_ref, as it is now), and what nobody can use."""

    jobs: list[FoundJob] = field(default_factory=list)
    entries: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    problems: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)  # lines with labels of another task, by task
    planned: tuple[str, ...] = ()  # categories as the round was imported before, see project_category


def survey_jobs(
    storage: Storage,
    project: Project,
    sources: Sequence[FoundSource],
    moved: Mapping[str, str],
    planned: tuple[str, ...] = (),
) -> Survey:
    """Read all manifests once, one after another; worker responses only where there is no manifest of labels.

    :param moved: old beginning of source-refs -> where these images lie now.
    :param planned: the categories of a round that is made again, as it was imported.
    :raises RoundError: when a source holds no labels of the project's task, or nobody knows what a job asked.
    :raises CategoryError: when a job has a category that the project does not list.
    """
    survey = Survey(planned=planned)
    for number, source in enumerate(sources):
        lines = storage.read(source.manifest).splitlines()
        _Reading(survey, project, number, source, moved).read(lines)
    for job in survey.jobs:
        if not job.categories:
            names = ", ".join(str(sources[number].uri) for number in sorted(job.sources))
            raise RoundError(
                f"Nothing in {names} says which categories job {job.job_name or job.attribute!r} asked for: "
                "it has no box and no annotation-tool/data.json; name its label category config."
            )
    return survey


class _Reading:
    """Takes one source into a survey."""

    def __init__(
        self, survey: Survey, project: Project, number: int, source: FoundSource, moved: Mapping[str, str]
    ) -> None:
        self._survey = survey
        self._project = project
        self._number = number
        self._source = source
        self._moved = moved
        self._images: set[str] = set()
        self._names: dict[str, str] = {}  # category as written -> as the project names it

    def read(self, lines: Sequence[bytes]) -> None:
        if not self._source.is_output:
            self._read_answers(lines)
            return
        labels = dict(read_line_labels(lines))
        jobs = self._jobs(labels)
        main = _most_common_jobs(labels)
        unnamed: set[tuple[int, str]] = set()
        for attribute in sorted({job.attribute for job in jobs}):
            for record in self._records(lines, attribute):
                if _is_of_an_image(record):
                    self._add(record, attribute, labels, main[attribute])
                else:
                    unnamed.add((record.line_number, str(record)))
        self._survey.problems += [text for _, text in sorted(unnamed)]
        self._settle_answers()

    def _records(self, lines: Sequence[bytes], attribute: str) -> Iterator[LabeledImage | LineProblem]:
        return read_output_manifest(lines, file=str(self._source.manifest), label_attribute=attribute)

    def _jobs(self, labels: Mapping[int, tuple[LineLabel, ...]]) -> list[FoundJob]:
        """The jobs with boxes in this source, known to the survey from here on."""
        every = [label for of_line in labels.values() for label in of_line]
        boxes = {label.attribute for label in every if label.task == BOXES}
        for label in every:
            if label.attribute not in boxes and label.task:
                self._survey.skipped[label.task] += 1
        if not boxes:
            tasks = ", ".join(sorted({label.task for label in every} - {""})) or "no labels"
            raise RoundError(
                f"{self._source.manifest} holds {tasks}; project {self._project.project!r} is of task "
                f"{self._project.task}: only jobs of that task become its rounds."
            )
        found = []
        for label in every:
            if label.attribute in boxes:
                job = self._job(label.attribute, label.job_name)
                job.adjusts = job.adjusts or label.adjusts
                if job not in found:
                    found.append(job)
        self._learn_lists(found)
        return found

    def _job(self, attribute: str, job_name: str) -> FoundJob:
        """Ground Truth takes upper and lower case of a job's name as the same."""
        name = job_name.lower()
        # Jobs that no metadata names are apart where their manifests are.
        for job in self._survey.jobs:
            same = job.attribute == attribute and job.job_name == name
            if same and (name or self._number in job.sources):
                job.sources.add(self._number)
                return job
        made = FoundJob(attribute=attribute, job_name=name, sources={self._number})
        self._survey.jobs.append(made)
        return made

    def _learn_lists(self, found: Sequence[FoundJob]) -> None:
        """The folder's list of categories is that of its own job, not of the jobs it was chained on."""
        if self._source.asked is None:
            return
        own = [job for job in found if job.job_name == self._source.name.lower()] or found
        for job in own:
            named = [self._named(name, job) for name in self._source.asked]
            job.listed = tuple(dict.fromkeys((*job.listed, *named)))

    def _add(
        self,
        record: LabeledImage | LineProblem,
        attribute: str,
        labels: Mapping[int, tuple[LineLabel, ...]],
        main: str,
    ) -> None:
        names = [
            label.job_name for label in labels.get(record.line_number, ()) if label.attribute == attribute
        ]
        job = self._job(attribute, names[0] if names else main)
        reason = record.reason if isinstance(record, LineProblem) else self._learn_names(record, job)
        labeled = isinstance(record, LabeledImage) and not reason
        assert record.source_ref is not None  # noqa: S101  # read() sorts such lines out
        self._enter(
            record.source_ref,
            Entry(
                job=self._survey.jobs.index(job),
                source=self._number,
                line=record.line_number,
                labeled=labeled,
                failed=isinstance(record, LineProblem) and record.kind is ProblemKind.FAILED,
                reason=reason,
                created=moment_of(record.creation_date) if isinstance(record, LabeledImage) else NEVER,
                answered=False,
            ),
        )

    def _learn_names(self, record: LabeledImage, job: FoundJob) -> str:
        """Take in the categories of a line; says what is wrong where a box has one without a name."""
        names = box_names(record, self._source)
        unnamed = sorted(class_id for class_id, name in names.items() if name is None)
        if unnamed:
            return f"its class-map does not name class {unnamed[0]}"
        job.seen.update(self._named(name, job) for name in names.values() if name is not None)
        return ""

    def _named(self, name: str, job: FoundJob) -> str:
        if name not in self._names:
            job_name = job.job_name or self._source.name
            self._names[name] = project_category(
                self._project, name, job=job_name, planned=self._survey.planned
            )
        return self._names[name]

    def _enter(self, source_ref: str, entry: Entry) -> None:
        place = place_of(source_ref, self._moved)
        self._images.add(place)
        self._survey.entries[place].append(entry)

    def _settle_answers(self) -> None:
        """Worker responses are of the folder's own job: the one it is named after, else the line's newest."""
        own = self._source.name.lower()
        jobs = self._survey.jobs
        for source_ref in sorted(self._images):
            entries = self._survey.entries[source_ref]
            here = [entry for entry in entries if entry.source == self._number]
            if here[0].line - 1 not in self._source.answered:
                continue
            owner = max(here, key=lambda entry: (jobs[entry.job].job_name == own, entry.created))
            entries[entries.index(owner)] = owner._replace(answered=True)

    def _read_answers(self, lines: Sequence[bytes]) -> None:
        """A folder without an output manifest: what workers answered is all there is."""
        job = self._job("", self._source.name)
        self._learn_lists([job])
        number = self._survey.jobs.index(job)
        for record in read_output_manifest(lines, file=str(self._source.manifest)):
            if record.source_ref is None:
                self._survey.problems.append(str(record))
                continue
            answered = record.line_number - 1 in self._source.answered
            entry = Entry(
                job=number,
                source=self._number,
                line=record.line_number,
                labeled=answered,
                failed=False,
                reason="" if answered else "no worker answered it",
                created=NEVER,
                answered=answered,
            )
            self._enter(record.source_ref, entry)
        for _, given in self._source.folder.answers():
            if any(answer.labels for answer in given):
                raise RoundError(
                    f"{self._source.uri} holds chosen categories; project {self._project.project!r} is of "
                    f"task {self._project.task}: only jobs of that task become its rounds."
                )
            job.seen.update(self._named(box.label, job) for answer in given for box in answer.boxes)


def _is_of_an_image(record: LabeledImage | LineProblem) -> bool:
    """Not a line without source-ref, and not one whose image an earlier line holds: the first one counts."""
    duplicate = isinstance(record, LineProblem) and record.kind is ProblemKind.DUPLICATE
    return record.source_ref is not None and not duplicate


def _most_common_jobs(labels: Mapping[int, tuple[LineLabel, ...]]) -> dict[str, str]:
    """Attribute -> the job that wrote most of it: lines without a label are that job's too."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for of_line in labels.values():
        for label in of_line:
            counts[label.attribute][label.job_name] += 1
    return {
        attribute: min(names, key=lambda name: (-names[name], name)) for attribute, names in counts.items()
    }
