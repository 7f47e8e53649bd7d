"""What finished jobs wrote, as the project has it: where images lie now, what categories are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from roundtruth.categories import normalise_category
from roundtruth.errors import CategoryError
from roundtruth.ground_truth.records import LabeledImage
from roundtruth.project import Project
from roundtruth.rounds.imports.sources import FoundSource


def place_of(source_ref: str, moved: Mapping[str, str]) -> str:
    """Where an image lies now; the longest matching beginning counts."""
    for old in sorted(moved, key=len, reverse=True):
        if source_ref.startswith(old):
            return moved[old] + source_ref.removeprefix(old)
    return source_ref


def project_category(project: Project, name: str, *, job: str, planned: Collection[str] = ()) -> str:
    """The project's name of a job's category.

    :param planned: the names by which the round was imported before; they stay, as the categories of a
        labeling job do, and merging brings them to what the project calls them by now.
    :raises CategoryError: when the project does not list it, and did not when the round was imported.
    """
    clean = normalise_category(name)
    if clean in planned:
        return clean
    aliases = {normalise_category(alias): listed for alias, listed in project.aliases.items()}
    found = aliases.get(clean, clean)
    for before in planned:
        if aliases.get(before, before) == found:
            return before
    if found not in project.categories:
        raise CategoryError(
            f"Job {job!r} has the category {name!r}, which project {project.project!r} does not list; add it "
            "to categories, or to aliases."
        )
    return found


def box_names(record: LabeledImage, source: FoundSource) -> dict[int, str | None]:
    """The name of each class on a line, as the job writes it; None where no file names it."""
    listed = dict(enumerate(source.asked or ()))
    return {
        box.class_id: record.class_map.get(box.class_id, listed.get(box.class_id)) for box in record.boxes
    }
