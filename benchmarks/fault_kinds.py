"""The kinds of faults of the bench, and the calls to AWS that each may strike."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# What rounds and releases ask of Ground Truth. They list and stop no job: ListLabelingJobs has no caller at
# all, StopLabelingJob only the operator that people put into Dags of their own.
GROUND_TRUTH_CALLS = ("CreateLabelingJob", "DescribeLabelingJob", "DescribeWorkteam")
CALLER = "sandbox"  # the access key id of Airflow's connection: what the bench itself asks is not struck

# What they ask of S3, by request and folder (see roundtruth.sandbox.faults.s3_call). Nothing that a round of
# this size writes goes up in parts; tests/roundtruth/test_storage_faults.py strikes such an upload.
S3_CALLS = (
    "LIST */images/*",
    "GET */images/*",
    "LIST */rounds/*",
    "HEAD */rounds/*",
    "GET */rounds/*",
    "PUT */rounds/*",
    "LIST */ground_truth_annots/*",
    "GET */ground_truth_annots/*",
    "LIST */datasets/*",
    "GET */datasets/*",
    "PUT */datasets/*",
    "COPY */datasets/*",
)
S3_READS = tuple(call for call in S3_CALLS if call.startswith(("LIST", "GET", "HEAD")))

OBSTORE_WAITS = 30.0  # seconds for an answer; boto3 waits 60 and is not struck by what lasts a little longer

OF_GROUND_TRUTH: Json = {"caller": CALLER, "service": "sagemaker"}
OF_S3: Json = {"caller": CALLER, "service": "s3"}
THROTTLED = OF_GROUND_TRUTH | {"code": "ThrottlingException", "status": 400}
SERVER_ERROR = OF_GROUND_TRUTH | {"code": "InternalFailure", "status": 500}
SLOW_DOWN = OF_S3 | {"code": "SlowDown", "message": "Reduce your request rate", "status": 503}
INTERNAL_ERROR = OF_S3 | {"code": "InternalError", "message": "We have a problem", "status": 500}
READ_TIMEOUT = SLOW_DOWN | {"seconds": OBSTORE_WAITS + 2}

# kind -> the fault, the calls it may strike, how many of those it is given, how often it strikes each.
# boto3 tries a call five times: the most it is struck by is more than that, and the task has to be retried.
CALL_FAULTS: dict[str, tuple[Json, tuple[str, ...], int, tuple[int, int]]] = {
    "throttling by Ground Truth": (THROTTLED, GROUND_TRUTH_CALLS, 2, (3, 7)),
    "500s of Ground Truth": (SERVER_ERROR, GROUND_TRUTH_CALLS, 2, (3, 7)),
    "a job is made and the answer lost": (
        SERVER_ERROR | {"effect": "answer lost"},
        GROUND_TRUTH_CALLS[:1],
        1,
        (1, 1),
    ),
    "throttling by S3": (SLOW_DOWN, S3_CALLS, 5, (2, 6)),
    "500s of S3": (INTERNAL_ERROR, S3_CALLS, 5, (2, 6)),
    "S3 writes and the answer is lost": (
        INTERNAL_ERROR | {"effect": "answer lost"},
        ("PUT */rounds/*", "PUT */datasets/*", "COPY */datasets/*"),
        3,
        (1, 2),
    ),
    "read time-outs of S3": (READ_TIMEOUT, S3_READS, 1, (1, 1)),
}

# kind -> what goes wrong with one labeling job, once it has labeled a share of its images.
JOB_FAULTS: dict[str, Json] = {
    "a labeling job fails": {"fail": "ClientError: the role may not read the bucket", "after": 0.3},
    "a labeling job is stopped": {"stop": True, "after": 0.3},
    "a labeling job stalls": {"stall": True, "after": 0.3},
    "a labeling job completes partly": {"fail_objects": [1]},
}

KILLED_WORKER = "kill -9 of a worker with its tasks"
KILLED_ALONE = "kill -9 of a worker, its tasks live on"
KILLED_TRIGGERER = "kill -9 of the triggerer"
KILLED_SCHEDULER = "kill -9 of the scheduler"
RESTARTED_SANDBOX = "the sandbox is restarted"
FULL_DISK = "full disk on a worker"
DUPLICATE = "duplicate trigger of a round"
OVERLAP = "two rounds of a project overlap"
MID_PUBLISH = "release killed mid-publish"

# The files of a version, of which one is written when the release is killed.
PUBLISHED_FILES = ("labels/*", "images/*", "data.yaml", "changes.json", "index.parquet", "version.json")
