"""The labeling job operations of the SageMaker API, and the table of all that the sandbox answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from roundtruth.sandbox.constants import ACCOUNT, REGION
from roundtruth.sandbox.faults import JobFault
from roundtruth.sandbox.input_data import split_uri
from roundtruth.sandbox.job_rules import check_request
from roundtruth.sandbox.job_run import JobRun, Surroundings
from roundtruth.sandbox.jobs import TERMINAL, LabelingJob
from roundtruth.sandbox.paging import page, within
from roundtruth.sandbox.protocol import (
    Body,
    ServiceError,
    invalid,
    not_found,
    operation_model,
    read_request,
    write_answer,
)
from roundtruth.sandbox.workteams import Workteams


class LabelingService:
    """Answers SageMaker calls; each labeling job that is not through has a thread."""

    def __init__(self, around: Surroundings, workteams: Workteams) -> None:
        self._around = around
        self._workteams = workteams
        self._threads: list[threading.Thread] = []
        self._operations: dict[str, Callable[[Body], Body]] = {
            "CreateLabelingJob": self._create,
            "DescribeLabelingJob": self._describe,
            "ListLabelingJobs": self._list,
            "ListLabelingJobsForWorkteam": self._list_for_workteam,
            "StopLabelingJob": self._stop,
            "CreateWorkteam": workteams.create_workteam,
            "DescribeWorkteam": workteams.describe_workteam,
            "UpdateWorkteam": workteams.update_workteam,
            "DeleteWorkteam": workteams.delete_workteam,
            "ListWorkteams": workteams.list_workteams,
            "DescribeWorkforce": workteams.describe_workforce,
            "ListWorkforces": workteams.list_workforces,
            "AddTags": workteams.add_tags,
            "ListTags": workteams.list_tags,
        }

    def resume(self) -> None:
        """Take up the jobs that an earlier process left."""
        for job in self._around.book.all():
            if job.status not in TERMINAL:
                self._start(job)

    def answer(self, operation: str, content: bytes, caller: str = "") -> bytes:
        """Answer one call: its JSON body in, the answer's out; raises ServiceError.

        :param caller: the access key id that signed it.
        """
        fault = self._around.faults.of_call("sagemaker", operation, caller)
        if fault is None:
            return self._answer(operation, content)
        self._around.shutdown.wait(fault.seconds)
        if fault.effect != "refused":
            answer = self._answer(operation, content)
            if fault.effect == "slow":
                return answer
        raise ServiceError(fault.code, fault.message, fault.status)

    def _answer(self, operation: str, content: bytes) -> bytes:
        operation_model(operation)
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"The sandbox does not answer {operation}.")
        return write_answer(self._operations[operation](read_request(operation, content)))

    def overview(self) -> list[dict[str, Any]]:
        """All jobs in short, for /_sandbox/jobs."""
        return [
            {
                "name": job.name,
                "status": job.status,
                "clock": round(job.clock, 1),
                "counters": _counters(job),
                "failure_reason": job.failure_reason,
            }
            for job in self._around.book.all()
        ]

    def join(self, timeout: float) -> None:
        """Wait for the threads of all jobs after the shutdown was announced."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _create(self, request: Body) -> Body:
        check_request(request, self._workteams.exists)
        self._check_buckets(request)
        name = request["LabelingJobName"]
        fault = self._around.faults.of_job(name)
        now = time.time()
        job = LabelingJob(
            request=request,
            arn=f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:labeling-job/{name.lower()}",
            created=now,
            modified=now,
            fault=JobFault(
                fail_objects=fault.fail_objects,
                fail_object_share=fault.fail_object_share,
                nonsense_workers=fault.nonsense_workers,
            ),
        )
        existing = self._around.book.add(job)
        if existing is not None:
            raise ServiceError(
                "ResourceInUse",
                "Labeling job name must be unique within an AWS account and region, and a labeling job "
                f"already exists with this name ({existing.arn})",
            )
        if request.get("Tags"):
            self._workteams.add_tags({"ResourceArn": job.arn, "Tags": request["Tags"]})
        self._start(job)
        return {"LabelingJobArn": job.arn}

    def _check_buckets(self, request: Body) -> None:
        # "The bucket must be in the same region as the labeling job": AWS looks at the bucket in the call,
        # at what is in it later.
        source = request["InputConfig"]["DataSource"].get("S3DataSource")
        uris = [request["OutputConfig"]["S3OutputPath"]] + ([source["ManifestS3Uri"]] if source else [])
        for uri in uris:
            bucket = split_uri(uri)[0]
            region = self._around.s3.region_of(bucket)
            if region not in {None, REGION}:
                raise invalid(
                    f"The bucket {bucket} is in {region}; it must be in the job's region, {REGION}."
                )

    def _start(self, job: LabelingJob) -> None:
        # Daemon: a killed process must not wait for simulated people.
        thread = threading.Thread(target=JobRun(job, self._around).run, name=f"job {job.name}", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def _describe(self, request: Body) -> Body:
        job = self._job(request["LabelingJobName"])
        asked = {
            name: value
            for name, value in job.request.items()
            if name not in {"Tags"}  # read with the rest below, tags may have been added
        }
        return {
            **asked,
            "LabelingJobStatus": job.status,
            "LabelCounters": _counters(job),
            "FailureReason": job.failure_reason,
            "CreationTime": job.created,
            "LastModifiedTime": job.modified,
            "JobReferenceCode": job.reference_code,
            "LabelingJobArn": job.arn,
            "Tags": self._workteams.list_tags({"ResourceArn": job.arn})["Tags"],
            "LabelingJobOutput": _output(job),
        }

    def _list(self, request: Body) -> Body:
        jobs = [
            job
            for job in self._around.book.all()
            if request.get("NameContains", "").lower() in job.name.lower()
            and request.get("StatusEquals", job.status) == job.status
            and within(request, "CreationTime", job.created)
            and within(request, "LastModifiedTime", job.modified)
        ]
        keys = {
            "CreationTime": lambda job: (job.created, job.name),
            "Name": lambda job: job.name,
            "Status": lambda job: (job.status, job.created),
        }
        found, token = page(request, jobs, keys)
        return {"LabelingJobSummaryList": [_summary(job) for job in found], "NextToken": token}

    def _list_for_workteam(self, request: Body) -> Body:
        arn = request["WorkteamArn"]
        if not self._workteams.exists(arn):
            raise not_found(f"Work team {arn} does not exist.")
        jobs = [
            job
            for job in self._around.book.all()
            if job.request["HumanTaskConfig"]["WorkteamArn"] == arn
            and request.get("JobReferenceCodeContains", "") in job.reference_code
            and within(request, "CreationTime", job.created)
        ]
        found, token = page(request, jobs, {"CreationTime": lambda job: (job.created, job.name)})
        return {"LabelingJobSummaryList": [_team_summary(job) for job in found], "NextToken": token}

    def _stop(self, request: Body) -> Body:
        job = self._job(request["LabelingJobName"])
        if not self._around.book.change(job, status="Stopping"):
            raise invalid(f"The request was rejected because the labeling job is in status {job.status}")
        return {}

    def _job(self, name: str) -> LabelingJob:
        job = self._around.book.get(name)
        if job is None:
            raise not_found(f"Requested resource not found: labeling job {name}.")
        return job


def _counters(job: LabelingJob) -> Body:
    return {name: getattr(job.counters, name) for name in job.counters.__struct_fields__}


def _output(job: LabelingJob) -> Body | None:
    return None if job.output_uri is None else {"OutputDatasetS3Uri": job.output_uri}


def _summary(job: LabelingJob) -> Body:
    config = job.request["HumanTaskConfig"]
    consolidation = config.get("AnnotationConsolidationConfig", {})
    return {
        "LabelingJobName": job.name,
        "LabelingJobArn": job.arn,
        "CreationTime": job.created,
        "LastModifiedTime": job.modified,
        "LabelingJobStatus": job.status,
        "LabelCounters": _counters(job),
        "WorkteamArn": config["WorkteamArn"],
        "PreHumanTaskLambdaArn": config.get("PreHumanTaskLambdaArn"),
        "AnnotationConsolidationLambdaArn": consolidation.get("AnnotationConsolidationLambdaArn"),
        "FailureReason": job.failure_reason,
        "LabelingJobOutput": _output(job),
        "InputConfig": job.request["InputConfig"],
    }


def _team_summary(job: LabelingJob) -> Body:
    return {
        "LabelingJobName": job.name,
        "JobReferenceCode": job.reference_code,
        "WorkRequesterAccountId": ACCOUNT,
        "CreationTime": job.created,
        "LabelCounters": {
            "HumanLabeled": job.counters.HumanLabeled,
            "PendingHuman": job.counters.Unlabeled,
            "Total": job.total,
        },
        "NumberOfHumanWorkersPerDataObject": job.request["HumanTaskConfig"][
            "NumberOfHumanWorkersPerDataObject"
        ],
    }
