"""Whether finished jobs are in a round already: in this one, or in another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roundtruth.errors import RoundError
from roundtruth.ground_truth.job_request import output_folder
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_in_order
from roundtruth.rounds.imports.sources import FoundSource
from roundtruth.rounds.job_attempts import read_attempts
from roundtruth.rounds.planned import ImportedFrom, RoundPlan, plans_of_earlier_attempts, read_plan
from roundtruth.rounds.relabel import round_jobs
from roundtruth.storage import Storage


def require_same_jobs(
    project: Project, folder: RoundFolder, existing: RoundPlan | None, origin: ImportedFrom
) -> None:
    """Importing again is for the same jobs.

    :param existing: the plan of the round, None before it has one.
    :raises RoundError: when the round is another one, or was imported from other jobs.
    """
    if existing is None or (existing.imported and _content(existing.imported) == _content(origin)):
        return
    here = f"Round {folder.key!r} of project {project.project!r}"
    if existing.imported is None:
        raise RoundError(
            f"{here} is a labeling round; import under another key, such as {folder.key}-import."
        )
    known = {source.uri: source for source in existing.imported.sources}
    given = {source.uri: source for source in origin.sources}
    changed = sorted(uri for uri in known.keys() & given.keys() if known[uri] != given[uri])
    if known.keys() == given.keys() and changed:
        raise RoundError(
            f"{here} was imported from {changed[0]} with another manifest, other label categories or the "
            "other kind of labels; import it under another key."
        )
    raise RoundError(
        f"{here} was imported from {', '.join(sorted(known))}"
        f"{_moves(existing.imported.moved)}, not from {', '.join(sorted(given))}{_moves(origin.moved)}; "
        "import other jobs under another key."
    )


def _content(origin: ImportedFrom) -> tuple[object, ...]:
    """What was imported, wherever it lay: another machine has the same folder at another path."""
    sources = {(one.manifest_sha256, one.label_categories, one.answers) for one in origin.sources}
    return sources, origin.moved


def _moves(moved: Mapping[str, str]) -> str:
    return "".join(f" (images moved from {old} to {new})" for old, new in sorted(moved.items()))


def require_in_no_other_round(
    storage: Storage, project: Project, folder: RoundFolder, sources: Sequence[FoundSource]
) -> None:
    """A job that stands in two rounds would teach the rounds after them its workers' skills twice.

    :raises RoundError: when one of the jobs was imported into another round, or was created by one.
    """
    manifests = {source.manifest_sha256: str(source.uri) for source in sources}
    arns = {source.job_arn: str(source.uri) for source in sources if source.job_arn}
    own = {str(source.uri) for source in sources if str(source.uri).startswith(f"{output_folder(project)}/")}
    for other in rounds_in_order(storage, project):
        plan = read_plan(storage, other) if other.key != folder.key else None
        if plan is None:
            continue
        twice = own & _outputs(storage, project, other, plan) if own else set()
        for one in plan.imported.sources if plan.imported else ():
            known = (manifests.get(one.manifest_sha256), arns.get(one.job_arn))
            twice |= {uri for uri in known if uri is not None}
        if twice:
            raise RoundError(
                f"{min(twice)} is in round {other.key!r} of project {project.project!r} already; "
                "leave it out."
            )


def _outputs(storage: Storage, project: Project, folder: RoundFolder, plan: RoundPlan) -> set[str]:
    """The output folders of all jobs that a round created: in every pass and attempt."""
    if plan.imported:
        return set()
    jobs = [
        job
        for one in (plan, *plans_of_earlier_attempts(storage, folder, plan.attempt))
        for job in round_jobs(storage, folder, one)
    ]
    names = {name for job in jobs for name in read_attempts(storage, folder.job(job.name), job.name).names}
    return {str(output_folder(project) / name) for name in names | {job.name for job in jobs}}
