"""Classes that nobody was asked for on an image: unknown there, not absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from roundtruth.categories import normalise_category
from roundtruth.datasets.class_registry import ClassRegistry
from roundtruth.project import Project
from roundtruth.rounds.asked import asked_of_images
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.record import RoundRecord
from roundtruth.storage import Storage


def unknown_classes(
    storage: Storage,
    project: Project,
    records: Mapping[str, RoundRecord],
    registry: ClassRegistry,
    images: pd.DataFrame,
) -> list[list[int]]:
    """For each image, ids of the project's classes that none of the first jobs over it asked for, sorted.

    :param images: source_ref and round, the round that its labels come from.
    """
    of_round = {
        key: _missing(
            project,
            registry,
            (name for job in record.jobs if not job.relabel_pass for name in job.categories),
        )
        for key, record in records.items()
    }
    of_image = {
        key: asked_of_images(storage, round_folder(project, key), records[key])
        for key in dict.fromkeys(images["round"])
    }
    unknown = []
    for source_ref, key in zip(images["source_ref"], images["round"], strict=True):
        asked = of_image[key]
        unknown.append(
            of_round[key] if asked is None else _missing(project, registry, asked.get(source_ref, ()))
        )
    return unknown


def project_name(project: Project, category: str) -> str:
    """The project's name of a category: without stray spaces, aliases resolved."""
    name = normalise_category(category)
    return project.aliases.get(name, name)


def _missing(project: Project, registry: ClassRegistry, asked: Iterable[str]) -> list[int]:
    names = {project_name(project, name) for name in asked}
    return sorted(registry.ids[name] for name in project.categories if name not in names)
