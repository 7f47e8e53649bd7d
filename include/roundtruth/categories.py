"""Categories of many labeling jobs brought to one list of names: normalising, aliases, conflicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roundtruth.category_names import normalise_category
from roundtruth.errors import CategoryError

__all__ = ["CategoryMap", "CategoryMerge", "merge_category_maps", "normalise_category"]

CategoryMap = Sequence[str] | Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class CategoryMerge:
    """What every job's category ids and names mean in the merged list.

    ``ids`` gives, a job, class id -> merged name; ``names`` gives, a job, the name as the job writes it ->
    merged name; ``merged`` holds all merged names, in the order of ``listed`` or of first appearance.
    ``normalised`` pairs each name that had stray spaces or odd Unicode forms with what it became, sorted.
    ``renamed`` pairs each name that a job writes otherwise than the merged list with its merged name, sorted:
    the normalised ones and those that came by an alias.
    """

    ids: Mapping[str, Mapping[int, str]]
    names: Mapping[str, Mapping[str, str]]
    merged: tuple[str, ...]
    normalised: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]

    def name_of(self, job: str, category: int | str) -> str:
        """The merged name of a job's class id, or of a category as the job's workers saw it.

        :raises CategoryError: when the job has no such category.
        """
        of_job: Mapping[int | str, str] = (self.ids if isinstance(category, int) else self.names).get(job, {})  # type: ignore[assignment]
        found = of_job.get(category)
        if found is None and isinstance(category, str):
            found = of_job.get(normalise_category(category))
        if found is None:
            known = ", ".join(repr(name) for name in self.names.get(job, {})) or "none"
            raise CategoryError(f"Job {job!r} has no category {category!r}; its categories are {known}.")
        return found


def merge_category_maps(
    maps: Mapping[str, CategoryMap],
    *,
    listed: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> CategoryMerge:
    """Bring the categories of several jobs together by name; a name may have any id, ids may have gaps.

    :param maps: job name -> its categories in order of their ids, or class id -> name.
    :param listed: the project's categories; None takes whatever the jobs have.
    :param aliases: other name -> the project's name for it.
    :raises CategoryError: when names differ only by case, one is empty, or is not in the project's list.
    """
    renamed = {normalise_category(alias): normalise_category(name) for alias, name in (aliases or {}).items()}
    known = None if listed is None else tuple(normalise_category(name) for name in listed)
    ids: dict[str, dict[int, str]] = {}
    names: dict[str, dict[str, str]] = {}
    normalised: set[tuple[str, str]] = set()
    otherwise: set[tuple[str, str]] = set()
    for job, categories in maps.items():
        ids[job], names[job] = {}, {}
        for class_id, raw in _numbered(categories):
            clean = normalise_category(raw)
            if clean != raw:
                normalised.add((raw, clean))
            name = renamed.get(clean, clean)
            if not name:
                raise CategoryError(f"Category {class_id} of job {job!r} ({raw!r}) has no visible name.")
            if name != raw:
                otherwise.add((raw, name))
            ids[job][class_id] = name
            names[job][raw] = names[job][clean] = name
    _raise_on_case_conflicts(ids, known)
    if known is not None:
        _raise_on_unlisted(ids, known)
    return CategoryMerge(
        ids=ids,
        names=names,
        merged=tuple(dict.fromkeys([*(known or ()), *_appearing(ids)])),
        normalised=tuple(sorted(normalised)),
        renamed=tuple(sorted(otherwise)),
    )


def _numbered(categories: CategoryMap) -> Iterable[tuple[int, str]]:
    return sorted(categories.items()) if isinstance(categories, Mapping) else enumerate(categories)


def _appearing(ids: Mapping[str, Mapping[int, str]]) -> Iterable[str]:
    return (name for of_job in ids.values() for name in of_job.values())


def _raise_on_case_conflicts(ids: Mapping[str, Mapping[int, str]], known: Sequence[str] | None) -> None:
    seen: dict[str, tuple[str, str]] = {name.casefold(): (name, "the project") for name in known or ()}
    for job, of_job in ids.items():
        for name in of_job.values():
            first, where = seen.setdefault(name.casefold(), (name, f"job {job!r}"))
            if first != name:
                raise CategoryError(
                    f"{first!r} of {where} and {name!r} of job {job!r} differ only by case; "
                    "give one of them as an alias of the other in the project file."
                )


def _raise_on_unlisted(ids: Mapping[str, Mapping[int, str]], known: Sequence[str]) -> None:
    for job, of_job in ids.items():
        unlisted = sorted(set(of_job.values()) - set(known))
        if unlisted:
            raise CategoryError(
                f"Job {job!r} has categories that the project does not list: "
                f"{', '.join(repr(name) for name in unlisted)}; add them to categories, or to aliases."
            )
