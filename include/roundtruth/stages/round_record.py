"""What round.json says of a round: images by status, jobs, what they cost, digests of its files."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pyarrow as pa

from roundtruth import __version__
from roundtruth.annotations import IMAGES, from_parquet
from roundtruth.categories import CategoryMerge
from roundtruth.errors import RoundChangedError
from roundtruth.ground_truth.job_request import LABEL_ATTRIBUTE, output_folder
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.cost import spent_usd
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.job_attempts import read_attempts
from roundtruth.rounds.planned import ImportedJob, PlannedJob, RoundPlan, plans_of_earlier_attempts
from roundtruth.rounds.record import RecordedJob, RoundRecord, file_digests, record_round
from roundtruth.rounds.relabel import round_jobs
from roundtruth.stages.fused_answers import require_fused
from roundtruth.stages.gold_scores import gold_answers
from roundtruth.stages.large_tables import count_rows
from roundtruth.stages.merged_tables import merged_categories
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)

TRIES = 3  # while another run of the same round makes its tables again

_STATUS = pa.schema([IMAGES.field("status")])
_ANSWERED = pa.schema([OBJECTS.field(name) for name in ("source_ref", "answers")])


def record_tables(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    round_plan: RoundPlan,
    *,
    make_again: Callable[[], None],
) -> RoundRecord:
    """Record the round's final tables, made again first where another run of the round has changed them.

    Two runs of one round, of which one is at an earlier relabel pass, write the same files: what is recorded
    holds the answers of all jobs, and no person is asked to run a task again.

    :param make_again: merges and checks once more.
    :raises RoundError: when an image is not accounted for.
    :raises RoundChangedError: when the other run goes on and on.
    """
    jobs = round_jobs(storage, folder, round_plan)
    for tries_left in reversed(range(TRIES)):
        try:
            made = make_record(storage, project, folder, round_plan)
            require_fused(storage, folder, jobs)  # after the digests were taken
            record_round(storage, folder, made)
        except RoundChangedError as error:
            if not tries_left:
                raise
            log.warning("the round's tables are made once more: %s", error)
            make_again()
        else:
            break
    return made


def make_record(
    storage: Storage, project: Project, folder: RoundFolder, round_plan: RoundPlan
) -> RoundRecord:
    """Put round.json together from the round's final tables."""
    jobs = round_jobs(storage, folder, round_plan)
    images = from_parquet(storage.read(folder.images), _STATUS, name=str(folder.images))
    categories = merged_categories(storage, project, jobs)
    return RoundRecord(
        project=project.project,
        round=folder.key,
        roundtruth=__version__,
        images=round_plan.images,
        counts={str(status): int(n) for status, n in images["status"].value_counts().sort_index().items()},
        boxes=count_rows(storage, folder.labels),
        answers=_count_answers(storage, folder, jobs),
        spent_usd=spent_usd(
            storage, project, folder, (*jobs, *_jobs_of_earlier_attempts(storage, folder, round_plan.attempt))
        ),
        jobs=tuple(
            _recorded_import(round_plan, job, job.imported)
            if job.imported is not None
            else _recorded(storage, project, folder, job, categories)
            for job in jobs
        ),
        files=file_digests(storage, {uri.name: uri for uri in _recorded_files(storage, folder)}),
        gold_answers=gold_answers(storage, folder, round_plan),
        imported=round_plan.imported is not None,
        imported_from=tuple(source.uri for source in round_plan.imported.sources)
        if round_plan.imported
        else (),
        attempt=round_plan.attempt,
        why=round_plan.requested.why if round_plan.requested else "",
        renamed_categories=dict(categories.renamed),
    )


def _count_answers(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> int:
    objects = (
        read_job_table(storage, folder.job(job.name).objects, _ANSWERED, gold=job.gold) for job in jobs
    )
    return sum(int(one["answers"].sum()) for one in objects)


def _jobs_of_earlier_attempts(storage: Storage, folder: RoundFolder, before: int) -> tuple[PlannedJob, ...]:
    """They were paid, though their labels count no more."""
    return tuple(
        job
        for plan in plans_of_earlier_attempts(storage, folder, before)
        for job in round_jobs(storage, folder, plan)
    )


def _recorded_files(storage: Storage, folder: RoundFolder) -> list[ObjectUri]:
    files = [folder.answers, folder.labels, folder.images, folder.annot_csv]
    files += [folder.consensus, folder.skills, folder.quality]
    return [*files, folder.failing_images] if storage.head(folder.failing_images) else files


def _recorded_import(round_plan: RoundPlan, job: PlannedJob, imported: ImportedJob) -> RecordedJob:
    sources = round_plan.imported.sources if round_plan.imported else ()
    # An output manifest also holds labels of the jobs that its job was chained on: other jobs, other ARNs.
    arns = {one.job_arn for one in sources if one.job_arn and one.uri in imported.output_uris}
    own = {arn for arn in arns if imported.job_name in {"", arn.rpartition("/")[2].lower()}}
    return RecordedJob(
        name=job.name,
        arn=own.pop() if len(own) == 1 else "",  # of which account it was, its files do not say
        label_attribute=imported.label_attribute,
        categories=job.categories,
        output_uri=imported.output_uris[0],
        relabel_pass=job.relabel_pass,
        images=job.images,
        workers=job.workers,
        labels_from=imported.labels_from,
    )


def _recorded(
    storage: Storage, project: Project, folder: RoundFolder, job: PlannedJob, categories: CategoryMerge
) -> RecordedJob:
    labeling = project.labeling
    _, partition, _, _, account, _ = labeling.role_arn.split(":", 5)
    attempts = read_attempts(storage, folder.job(job.name), job.name).names
    return RecordedJob(
        name=job.name,
        arn=f"arn:{partition}:sagemaker:{labeling.region}:{account}:labeling-job/{attempts[-1]}",
        label_attribute=LABEL_ATTRIBUTE,
        # Boxes of a retired category were left out: should it ever come back, it is unknown on these images.
        categories=tuple(
            name for name in job.categories if categories.name_of(job.name, name) in project.categories
        ),
        output_uri=str(output_folder(project) / attempts[-1]),
        relabel_pass=job.relabel_pass,
        images=job.images,
        workers=job.workers,
        attempts=attempts if len(attempts) > 1 else (),
    )
