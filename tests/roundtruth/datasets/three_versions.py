"""A dataset in memory with three versions: parts on parts, images relabeled twice, added, taken away."""

from __future__ import annotations

import functools

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.project import Project
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import Box, project_in, put_round


def pen(left: float) -> Box:
    """A box of a pen."""
    return ("pen", left, 10.0, 20.0, 30.0)


def packed_project() -> Project:
    """The project whose dataset it is."""
    return project_in("a-bucket", dataset={"name": "pens", "formats": ["yolo"], "layout": "packed"})


def with_three_versions() -> tuple[MemoryStorage, Project]:
    """A copy of its own; v0003 reads from several layers."""
    storage = MemoryStorage()
    storage.objects = dict(_objects())
    return storage, packed_project()


def published(storage: MemoryStorage, project: Project) -> None:
    """Publish what was recorded."""
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)


@functools.cache
def _objects() -> dict[str, bytes]:
    storage, project = MemoryStorage(), packed_project()
    first: dict[str, list[Box]] = {f"{number:02d}.jpg": [pen(number % 60)] for number in range(40)}
    first["사진 #1.jpg"] = [pen(1), ("pencil", 50.0, 5.0, 40.0, 12.0)]
    put_round(storage, project, "2026-01-05", first)
    published(storage, project)
    second = {"03.jpg": [pen(9), pen(30)], "04.jpg": [], "new.jpg": [pen(2)]}
    put_round(storage, project, "2026-01-12", second)
    storage.delete(project.root_uri / "images/05.jpg")
    published(storage, project)
    put_round(storage, project, "2026-01-19", {"03.jpg": [pen(11)]})
    published(storage, project)
    return storage.objects
