"""Where a dataset's files lie: the S3 contract of `<root>/datasets/<name>/`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri

_VERSION = re.compile(r"v(\d{4,})")


@dataclass(frozen=True)
class VersionFolder:
    """The URIs of one version."""

    uri: ObjectUri

    @property
    def name(self) -> str:
        """The version's name, such as v0001."""
        return self.uri.name

    @property
    def dataset(self) -> DatasetFolder:
        """The dataset that the version belongs to."""
        return DatasetFolder(ObjectUri(self.uri.bucket, self.uri.key.rstrip("/").rsplit("/", 2)[0]))

    @property
    def claim(self) -> ObjectUri:
        """Which candidate this number belongs to; written first, if absent."""
        return self.uri / "claim.json"

    @property
    def record(self) -> ObjectUri:
        """version.json: written last, if absent; the version is published."""
        return self.uri / "version.json"

    @property
    def index(self) -> ObjectUri:
        """One row a file of the tree."""
        return self.uri / "index.parquet"

    # Trees hold these tables whole, for people. So do versions that were made before tables had parts.

    @property
    def images(self) -> ObjectUri:
        """The images of the version, DATASET_IMAGES."""
        return self.uri / "images.parquet"

    @property
    def labels(self) -> ObjectUri:
        """The boxes of the version, DATASET_LABELS."""
        return self.uri / "labels.parquet"

    @property
    def splits(self) -> ObjectUri:
        """SPLIT_MEMORY of a version that was made before tables had parts."""
        return self.uri / "splits.parquet"


@dataclass(frozen=True)
class DatasetFolder:
    """The URIs of one dataset."""

    uri: ObjectUri

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.uri.name

    @property
    def classes(self) -> ObjectUri:
        """The class registry."""
        return self.uri / "classes.json"

    @property
    def latest(self) -> ObjectUri:
        """The pointer to the version that `latest` means."""
        return self.uri / "latest.json"

    @property
    def versions(self) -> ObjectUri:
        """The folder of all versions."""
        return self.uri / "versions"

    def version(self, name: str) -> VersionFolder:
        """The folder of a version.

        :raises DatasetError: when the name is not one of a version.
        """
        version_number(name)
        return VersionFolder(self.versions / name)

    def successor(self, parent: str | None) -> ObjectUri:
        """The record of the version that follows another, or of the first one, see succession.py."""
        return self.uri / "successors" / f"{parent or 'none'}.json"

    def part(self, table: str, sha256: str) -> ObjectUri:
        """A part of a table that versions share, see parts.py."""
        return self.uri / "parts" / f"{table}-{sha256}.parquet"

    def candidate(self, digest: str) -> ObjectUri:
        """The folder in which one step of a release leaves a candidate for the next; it may expire."""
        return self.uri / "candidates" / digest

    def decision(self, candidate: str) -> ObjectUri:
        """What a person decided about a candidate that was not published, by the digest; kept for good."""
        return self.uri / "decisions" / f"{candidate}.json"


def dataset_folder(project: Project) -> DatasetFolder:
    """The folder of a project's dataset."""
    return DatasetFolder(project.root_uri / "datasets" / project.dataset.name)


def version_name(number: int) -> str:
    """The name of the version with this number, counted from 1."""
    return f"v{number:04d}"


def version_number(name: str) -> int:
    """The number of a version.

    :raises DatasetError: when the name is not one of a version.
    """
    match = _VERSION.fullmatch(name)
    if match is None:
        raise DatasetError(f"{name!r} names no version; a version is called v0001, v0002 and so on.")
    return int(match[1])
