"""One round that is not recorded, or is being labeled over again, as a list of rounds shows it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from roundtruth.errors import RoundtruthError, StorageError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_files import decode_plan
from roundtruth.project import Project
from roundtruth.rounds.attempts import current_attempt
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import PlannedJob, of_attempt
from roundtruth.rounds.relabel import round_jobs


@dataclass(frozen=True, kw_only=True)
class OpenRound:
    """A round that is not recorded, or is being labeled over again; without a plan it has no images yet."""

    round: str
    images: int = 0
    attempt: int = 1
    jobs: tuple[PlannedJob, ...] = ()
    labeling_usd: float = 0.0
    most_usd: float = 0.0  # with all relabel passes
    problem: str = ""  # why its plan cannot be read

    @property
    def is_planned(self) -> bool:
        """Whether it has taken images."""
        return bool(self.jobs) or self.images > 0


def read_open(cache: EtagCache, project: Project, key: str) -> OpenRound:
    """Read a round's plan and its newest attempt; a file that cannot be read becomes its ``problem``.

    :raises StorageError: when S3 refuses.
    """
    try:
        return _read(cache, project, key)
    except StorageError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RoundtruthError) as error:
        return OpenRound(round=key, problem=f"A file of round {key!r} cannot be read: {error}")


def _read(cache: EtagCache, project: Project, key: str) -> OpenRound:
    folder = RoundFolder(rounds_folder(project) / key)
    plan = cache.read(folder.plan, decode_plan, kind="plan", immutable=True)
    if plan is None:
        return OpenRound(round=key)
    plan = of_attempt(plan, current_attempt(cache.storage, folder).attempt)
    return OpenRound(
        round=key,
        images=plan.images,
        attempt=plan.attempt,
        jobs=round_jobs(cache.storage, folder, plan),
        labeling_usd=plan.labeling_usd,
        most_usd=plan.labeling_usd + plan.relabel_usd,
    )
