"""What people and categories are called on a page: workers by pseudonym, categories as in the project."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from roundtruth.category_names import normalise_category
from roundtruth.consensus.pseudonyms import KEY_FILE, pseudonym, read_key
from roundtruth.project import Project
from roundtruth.rounds.folder import rounds_folder
from roundtruth.storage import Storage


@dataclass(frozen=True, kw_only=True)
class ShownNames:
    """Turns what the files hold into what a page may show."""

    key: bytes | None  # of the pseudonyms; None before the first consensus of the project
    aliases: dict[str, str]

    def workers(self, ids: Iterable[str]) -> dict[str, str]:
        """The name of each worker id: never the id, nor what could be traced back to it without the key."""
        different = sorted(set(ids))
        if self.key is None:
            return {worker: f"worker {place}" for place, worker in enumerate(different, 1)}
        return {worker: pseudonym(worker, self.key) for worker in different}

    def category(self, written: str) -> str:
        """The project's name of a category as a job wrote it; an unknown one stays as it is written."""
        clean = normalise_category(written)
        return self.aliases.get(clean, clean) or written


def shown_names(storage: Storage, project: Project) -> ShownNames:
    """The names of a project.

    :raises ConsensusError: when the file of the key holds something else.
    """
    return ShownNames(
        key=read_key(storage, rounds_folder(project) / KEY_FILE),
        aliases={normalise_category(alias): name for alias, name in project.aliases.items()},
    )
