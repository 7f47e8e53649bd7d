"""The class list of converted manifests: from label category files, or from the class maps on their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from roundtruth.categories import CategoryMerge, merge_category_maps

# A larger id is no id of Ground Truth (50 categories a job): then classes are numbered anew.
HIGHEST_KEPT_ID = 999


@dataclass(frozen=True, kw_only=True)
class ClassList:
    """Class names by id; ``unseen`` ids have a made-up name, because no line of a manifest names them."""

    names: tuple[str, ...]
    unseen: tuple[int, ...]
    merged: CategoryMerge

    def class_id(self, job: str, class_id: int) -> int:
        """The id in this list of a job's class id."""
        return self.ids[self.merged.ids[job][class_id]]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Class name -> id."""
        return {name: class_id for class_id, name in enumerate(self.names)}


def class_list(
    class_maps: Mapping[str, Mapping[int, str]], label_categories: Mapping[str, Sequence[str]]
) -> ClassList:
    """Bring the classes of all jobs to one list.

    With label category files: their names in their order, later files appending what is new. Without: the ids
    of the manifests, where all jobs agree on them; ids that no line names get the name `class_<id>`. Where
    jobs disagree, the names in order of their lowest id, then by name.

    :param class_maps: job -> class id -> name.
    :param label_categories: file -> names in order of their ids.
    :raises CategoryError: when names differ only by case, or a job has one that no file lists.
    """
    if label_categories:
        listed = merge_category_maps(label_categories).merged
        return ClassList(names=listed, unseen=(), merged=merge_category_maps(class_maps, listed=listed))
    merged = merge_category_maps(class_maps)
    pairs = {pair for ids in merged.ids.values() for pair in ids.items()}
    by_id = dict(pairs)
    agreed = len(pairs) == len(by_id) == len({name for _, name in pairs})
    if not agreed or max(by_id, default=0) > HIGHEST_KEPT_ID or min(by_id, default=0) < 0:
        lowest: dict[str, int] = {}
        for class_id, name in sorted(pairs):
            lowest.setdefault(name, class_id)
        return ClassList(
            names=tuple(sorted(lowest, key=lambda name: (lowest[name], name))), unseen=(), merged=merged
        )
    highest = max(by_id, default=-1)
    unseen = tuple(class_id for class_id in range(highest + 1) if class_id not in by_id)
    names = tuple(by_id.get(class_id, f"class_{class_id}") for class_id in range(highest + 1))
    return ClassList(names=names, unseen=unseen, merged=merged)
