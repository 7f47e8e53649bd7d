"""Where a round's files lie: the S3 contract of `<root>/rounds/<round>/`."""

from __future__ import annotations

from dataclasses import dataclass

from roundtruth.project import Project
from roundtruth.rounds.names import check_round_key, round_order
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True)
class RoundFolder:
    """The URIs of one round."""

    uri: ObjectUri

    @property
    def key(self) -> str:
        """The round's key."""
        return self.uri.name

    @property
    def plan(self) -> ObjectUri:
        """What the round holds; written once, before any job."""
        return self.uri / "plan.json"

    @property
    def record(self) -> ObjectUri:
        """round.json: written last, the round is done."""
        return self.uri / "round.json"

    def recorded(self, sha256: str) -> RoundFolder:
        """The round as it was recorded by a round.json of this digest: the record and all files it names.

        The files of the round itself are replaced one after the other when it is labeled again or built anew,
        and may stay so when its checks fail: releases, histories and later rounds read these
        (``record.read_recorded``). A version that was published before names its round.json by digest, and
        its lineage is read here.
        """
        return RoundFolder(self.uri / "recorded" / sha256)

    @property
    def answers(self) -> ObjectUri:
        """Every worker's every box."""
        return self.uri / "answers.parquet"

    @property
    def labels(self) -> ObjectUri:
        """The final boxes of the images that may be published."""
        return self.uri / "labels.parquet"

    @property
    def images(self) -> ObjectUri:
        """Every planned image and what became of it."""
        return self.uri / "images.parquet"

    @property
    def annot_csv(self) -> ObjectUri:
        """The labels as pandas users of Ground Truth know them."""
        return self.uri / "annot.csv"

    @property
    def consensus(self) -> ObjectUri:
        """The agreement report."""
        return self.uri / "consensus.json"

    @property
    def figures(self) -> ObjectUri:
        """The folder of the figures that show the agreement report."""
        return self.uri / "figures"

    @property
    def skills(self) -> ObjectUri:
        """What the round knows of its workers, for the next round to start from."""
        return self.uri / "skills.json"

    @property
    def quality(self) -> ObjectUri:
        """The verdict of the quality gate."""
        return self.uri / "quality.json"

    @property
    def failing_images(self) -> ObjectUri:
        """All images of the checks that failed on more than quality.json names; mostly not there."""
        return self.uri / "failing-images.parquet"

    @property
    def data_docs(self) -> ObjectUri:
        """The folder of Great Expectations' Data Docs."""
        return self.uri / "data_docs"

    @property
    def known_images(self) -> ObjectUri:
        """The images that earlier rounds hold, a line ``etag<TAB>key`` each."""
        return self.uri / "known-images.tsv"

    def stage(self, name: str) -> ObjectUri:
        """A table that one stage hands to the next, such as ``consensus-labels.parquet``."""
        return self.uri / "stages" / name

    def relabel_plan(self, number: int, attempt: int = 1) -> ObjectUri:
        """The jobs of a relabel pass, 1-based, in the first or a later attempt at the round."""
        return self.uri / (f"relabel-{number}.json" if attempt == 1 else f"relabel-{number}-a{attempt}.json")

    def job(self, name: str) -> JobInputs:
        """Where a job's inputs and collected results lie."""
        return JobInputs(self.uri / "jobs" / name)


@dataclass(frozen=True)
class JobInputs:
    """The URIs of one job of a round: what we give to Ground Truth, and what we took from its answers."""

    uri: ObjectUri

    @property
    def manifest(self) -> ObjectUri:
        """The input manifest."""
        return self.uri / "input.manifest"

    @property
    def images(self) -> ObjectUri:
        """The images of the job, a JSON array of S3 URIs in the order of the manifest."""
        return self.uri / "images.json"

    @property
    def label_categories(self) -> ObjectUri:
        """The label category config."""
        return self.uri / "label-categories.json"

    @property
    def template(self) -> ObjectUri:
        """The workers' page."""
        return self.uri / "template.liquid"

    @property
    def request(self) -> ObjectUri:
        """The CreateLabelingJob request."""
        return self.uri / "request.json"

    @property
    def attempts(self) -> ObjectUri:
        """The attempts at this job; only where the first one was not completed."""
        return self.uri / "attempts.json"

    @property
    def answers(self) -> ObjectUri:
        """The answers of this job."""
        return self.uri / "answers.parquet"

    @property
    def objects(self) -> ObjectUri:
        """The images of this job and whether Ground Truth labeled them."""
        return self.uri / "objects.parquet"

    @property
    def consolidated(self) -> ObjectUri:
        """Ground Truth's own consolidated boxes."""
        return self.uri / "consolidated.parquet"


def rounds_folder(project: Project) -> ObjectUri:
    """The folder that holds all rounds of a project."""
    return project.root_uri / "rounds"


def rounds_in_order(storage: Storage, project: Project) -> list[RoundFolder]:
    """The folders of all rounds, planned, running or recorded; the oldest first (see names.round_order)."""
    keys = sorted(storage.list_folders(rounds_folder(project)), key=round_order)
    return [RoundFolder(rounds_folder(project) / key) for key in keys]


def round_folder(project: Project, key: str) -> RoundFolder:
    """The folder of one round.

    :raises RoundError: when the key cannot name a round.
    """
    return RoundFolder(rounds_folder(project) / check_round_key(project.project, key))
