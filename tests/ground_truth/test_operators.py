"""Operators against the sandbox over HTTP: one job however often a task runs, and one manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ground_truth.samples import REQUEST, WORKTEAM, add_describe, description, stubbed
from tests.ground_truth.test_triggers import first_event
from tests.sandbox_job import changed, job_request, put_images, wait_for_job

pytestmark = pytest.mark.airflow


def create(request: Any, **more: Any) -> Any:
    from ground_truth.operators import GroundTruthCreateLabelingJobOperator

    return GroundTruthCreateLabelingJobOperator(
        task_id="create", **{"request": request, "waiter_delay": 0.05, "waiter_max_attempts": 200, **more}
    )


def stop(job_name: str, **more: Any) -> Any:
    from ground_truth.operators import GroundTruthStopLabelingJobOperator

    return GroundTruthStopLabelingJobOperator(
        task_id="stop", **{"job_name": job_name, "waiter_delay": 0.05, "waiter_max_attempts": 200, **more}
    )


def build(**parameters: Any) -> Any:
    from ground_truth.manifest_operators import GroundTruthBuildManifestOperator

    return GroundTruthBuildManifestOperator(task_id="build", **parameters)


def deferral(operator: Any, context: Any) -> Any:
    """Run a task up to its deferral; what it defers with, and its event."""
    from airflow.providers.common.compat.sdk import TaskDeferred

    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context)
    return caught.value


@pytest.fixture
def request_of(s3_client, bucket):
    """A request of this test's own, over images in S3."""

    def make(images: int = 4, name: str = f"job-{bucket[5:]}") -> dict[str, Any]:
        return job_request(s3_client, bucket, name, put_images(s3_client, bucket, images))

    return make


def jobs_named(client: Any, name: str) -> int:
    return len(client.list_labeling_jobs(NameContains=name)["LabelingJobSummaryList"])


@pytest.mark.parametrize("delay", [5, 60, 300])
def test_the_wait_outlasts_the_30_days_of_a_job_whatever_the_delay(delay):
    operator = create({"LabelingJobName": "x"}, waiter_delay=delay, waiter_max_attempts=None)
    assert operator.waiter_max_attempts * delay >= 30 * 24 * 3600


@pytest.mark.usefixtures("aws_sandbox")
class TestCreate:
    def test_twice_is_one_job(self, request_of, context, sagemaker_client):
        """A worker killed between the call and its XCom: the next try finds the job."""
        request = request_of()
        assert create(request).execute(context) == request["LabelingJobName"]
        assert create(request).execute(context) == request["LabelingJobName"]
        wait_for_job(sagemaker_client, request["LabelingJobName"])
        assert create(request).execute(context) == request["LabelingJobName"]  # completed by now
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 1

    def test_name_in_another_case_is_the_same_job(self, request_of, context, sagemaker_client):
        request = request_of()
        name = create(request).execute(context)
        assert create({**request, "LabelingJobName": name.upper()}).execute(context) == name
        assert jobs_named(sagemaker_client, name) == 1

    def test_lost_race(self, request_of, context, sagemaker_client, monkeypatch):
        """Two workers look, neither finds a job, both create: one job, and both have it."""
        from ground_truth.hooks import GroundTruthHook

        request = request_of()
        real = GroundTruthHook.describe_labeling_job_or_none
        looks = []

        def describe(hook, job_name):
            found = real(hook, job_name)
            looks.append(job_name)
            if len(looks) == 1:  # the other worker is faster, right after our look
                sagemaker_client.create_labeling_job(**request)
            return found

        monkeypatch.setattr(GroundTruthHook, "describe_labeling_job_or_none", describe)
        assert create(request).execute(context) == request["LabelingJobName"]
        assert len(looks) == 2
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 1

    def test_other_request_shows_the_difference(self, request_of, context):
        from ground_truth.exceptions import LabelingJobConflictError

        request = request_of()
        create(request).execute(context)
        with pytest.raises(LabelingJobConflictError) as caught:
            create(changed(request, "HumanTaskConfig.NumberOfHumanWorkersPerDataObject", 5)).execute(context)
        assert caught.value.differences == ("HumanTaskConfig.NumberOfHumanWorkersPerDataObject: 3 / 5",)

    def test_refused_request_creates_nothing(self, request_of, context, sagemaker_client):
        from ground_truth.exceptions import LabelingJobRequestError

        request = changed(request_of(), "LabelAttributeName", "boxes-ref")  # only AWS knows this rule
        with pytest.raises(LabelingJobRequestError, match="refused"):
            create(request).execute(context)
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 0

    def test_throttled_task_may_be_tried_again(self, request_of, context, sagemaker_client, set_faults):
        from botocore.exceptions import ClientError

        from ground_truth.retries import is_transient
        from roundtruth.sandbox.faults import CallFault

        request = request_of()
        set_faults(calls=(CallFault(operations=("CreateLabelingJob",), next=1),))
        with pytest.raises(ClientError) as caught:
            create(request).execute(context)
        assert is_transient(caught.value)
        create(request).execute(context)
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 1

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_waits_only_when_asked(self, request_of, context, set_faults, deferrable):
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),))
        create(request_of(), deferrable=deferrable).execute(context)

    def test_waits_in_the_worker(self, request_of, context, sagemaker_client):
        request = request_of()
        create(request, wait_for_completion=True, deferrable=False).execute(context)
        job = sagemaker_client.describe_labeling_job(LabelingJobName=request["LabelingJobName"])
        assert job["LabelingJobStatus"] == "Completed"

    def test_failure_in_the_worker(self, request_of, context, set_faults):
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(fail="no role", after=0.5),))
        with pytest.raises(LabelingJobFailedError, match="is Failed: no role"):
            create(request_of(), wait_for_completion=True, deferrable=False).execute(context)

    def test_wait_in_the_worker_that_takes_too_long(self, request_of, context, set_faults):
        from ground_truth.exceptions import LabelingJobWaitError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),))
        operator = create(request_of(), wait_for_completion=True, deferrable=False, waiter_max_attempts=2)
        with pytest.raises(LabelingJobWaitError, match="runs on after the wait"):
            operator.execute(context)

    def test_waits_in_the_triggerer(self, request_of, context):
        request = request_of()
        operator = create(request, wait_for_completion=True, deferrable=True)
        deferred = deferral(operator, context)
        assert deferred.timeout.total_seconds() > 200 * 0.05
        event = first_event(deferred.trigger)
        resumed = create(request)  # another process
        assert getattr(resumed, deferred.method_name)(context, event) == request["LabelingJobName"]

    def test_failure_in_the_triggerer(self, request_of, context, set_faults):
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(fail="no role", after=0.5),))
        operator = create(request_of(), wait_for_completion=True, deferrable=True)
        event = first_event(deferral(operator, context).trigger)
        with pytest.raises(LabelingJobFailedError, match="is Failed: no role"):
            operator.execute_complete(context, event)

    @pytest.mark.parametrize(("asked", "stopped"), [(False, False), (True, True)])
    def test_on_kill(self, request_of, context, sagemaker_client, set_faults, monkeypatch, asked, stopped):
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),))
        request = request_of()
        operator = create(request, wait_for_completion=True, stop_on_kill=asked)
        operator.on_kill()  # before there is a job of its own
        monkeypatch.setattr(operator, "_wait", lambda *_: operator.on_kill())  # killed while it waits
        operator.execute(context)
        job = sagemaker_client.describe_labeling_job(LabelingJobName=request["LabelingJobName"])
        assert (job["LabelingJobStatus"] in {"Stopping", "Stopped"}) is stopped

    def test_on_kill_of_a_task_that_does_not_wait_leaves_the_job(self, request_of, context, sagemaker_client):
        request = request_of()
        operator = create(request, stop_on_kill=True)
        operator.execute(context)
        operator.on_kill()
        assert wait_for_job(sagemaker_client, request["LabelingJobName"])["LabelingJobStatus"] == "Completed"


@pytest.mark.usefixtures("aws")
def test_links_are_stored_for_an_adopted_job(context):
    from ground_truth.links import LabelingJobLink, LabelingPortalLink

    operator = create(REQUEST)
    stubber = stubbed(operator.hook)
    add_describe(stubber, description("Completed"))
    team = {
        "WorkteamName": "pens",
        "MemberDefinitions": [{"OidcMemberDefinition": {"Groups": ["a"]}}],
        "WorkteamArn": WORKTEAM,
        "Description": "d",
        "SubDomain": "abc.labeling.us-east-1.sagemaker.aws",
    }
    stubber.add_response("describe_workteam", {"Workteam": team}, {"WorkteamName": "pens"})
    operator.execute(context)
    assert set(context["ti"].pushed) == {LabelingJobLink.key, LabelingPortalLink.key, "labeling_jobs"}
    assert {type(link) for link in operator.operator_extra_links} == {LabelingJobLink, LabelingPortalLink}


@pytest.mark.usefixtures("aws_sandbox")
class TestStop:
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_running_job(self, request_of, context, sagemaker_client, set_faults, deferrable):
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),))
        name = create(request_of()).execute(context)
        operator = stop(name, deferrable=deferrable)
        if deferrable:
            deferred = deferral(operator, context)
            set_faults()
            assert operator.execute_complete(context, first_event(deferred.trigger)) == name
        else:
            set_faults()
            assert operator.execute(context) == name
        status = sagemaker_client.describe_labeling_job(LabelingJobName=name)["LabelingJobStatus"]
        assert status in {"Stopped", "Completed"}

    def test_ended_job_is_a_success_at_once(self, request_of, context, sagemaker_client):
        name = create(request_of()).execute(context)
        wait_for_job(sagemaker_client, name)
        assert stop(name, deferrable=True).execute(context) == name  # does not defer

    def test_without_waiting(self, request_of, context, sagemaker_client):
        name = create(request_of()).execute(context)
        assert stop(name, wait_for_completion=False).execute(context) == name
        assert stop(name, wait_for_completion=False).execute(context) == name
        wait_for_job(sagemaker_client, name)

    def test_absent_job(self, context):
        from ground_truth.exceptions import LabelingJobNotFoundError

        with pytest.raises(LabelingJobNotFoundError, match="no-such-job"):
            stop("no-such-job").execute(context)


@pytest.mark.usefixtures("aws_sandbox")
class TestBuildManifest:
    def content(self, s3_client, bucket, key="m/input.manifest"):
        answer = s3_client.get_object(Bucket=bucket, Key=key)
        return answer["Body"].read(), answer["LastModified"]

    def test_writes_once(self, context, s3_client, bucket, monkeypatch):
        from ground_truth import manifest_upload

        uri = f"s3://{bucket}/m/input.manifest"
        rows = [f"s3://{bucket}/a b/펜 #1%.jpg", {"source-ref": f"s3://{bucket}/2.png", "old": {"a": 1}}]
        assert build(manifest_uri=uri, rows=rows).execute(context) == uri
        content, _ = self.content(s3_client, bucket)
        assert content.decode() == (
            f'{{"source-ref": "s3://{bucket}/a b/펜 #1%.jpg"}}\n'
            f'{{"source-ref": "s3://{bucket}/2.png", "old": {{"a": 1}}}}\n'
        )
        operator = build(manifest_uri=uri, rows=rows)
        monkeypatch.setattr(operator.hook.conn, "put_object", lambda **_: pytest.fail("written twice"))
        assert operator.execute(context) == uri
        assert manifest_upload.object_count(content) == 2

    @pytest.mark.parametrize(
        "encode",
        [
            lambda rows: json.dumps(rows),
            lambda rows: "".join(json.dumps(row) + "\r\n" for row in rows),
        ],
        ids=["JSON array", "JSON Lines"],
    )
    def test_rows_from_s3(self, context, s3_client, bucket, encode):
        rows = ["s3://b/1.jpg", {"source-ref": "s3://b/2.jpg"}]
        s3_client.put_object(Bucket=bucket, Key="images.json", Body=encode(rows))
        uri = f"s3://{bucket}/m/input.manifest"
        build(manifest_uri=uri, images_uri=f"s3://{bucket}/images.json").execute(context)
        assert self.content(s3_client, bucket)[0] == (
            b'{"source-ref": "s3://b/1.jpg"}\n{"source-ref": "s3://b/2.jpg"}\n'
        )

    def test_another_manifest_is_not_replaced_unless_asked(self, context, s3_client, bucket):
        from ground_truth.exceptions import InputManifestConflictError

        uri = f"s3://{bucket}/m/input.manifest"
        build(manifest_uri=uri, rows=["s3://b/1.jpg"]).execute(context)
        with pytest.raises(InputManifestConflictError, match="1 objects in 31 bytes, this one has 2 in 62"):
            build(manifest_uri=uri, rows=["s3://b/1.jpg", "s3://b/2.jpg"]).execute(context)
        assert self.content(s3_client, bucket)[0].count(b"\n") == 1
        build(manifest_uri=uri, rows=["s3://b/1.jpg", "s3://b/2.jpg"], replace=True).execute(context)
        assert self.content(s3_client, bucket)[0].count(b"\n") == 2

    @pytest.mark.parametrize("same", [True, False])
    def test_lost_race(self, context, s3_client, bucket, monkeypatch, same):
        """Another worker writes between our look and our write: the write is conditional."""
        from ground_truth import manifest_upload
        from ground_truth.exceptions import InputManifestConflictError

        uri = f"s3://{bucket}/m/input.manifest"
        real, looks = manifest_upload._read, []

        def read(hook, at):
            found = real(hook, at)
            looks.append(at)
            if len(looks) == 1:
                other = b'{"source-ref": "s3://b/1.jpg"}\n' if same else b"other\n"
                s3_client.put_object(Bucket=bucket, Key="m/input.manifest", Body=other)
            return found

        monkeypatch.setattr(manifest_upload, "_read", read)
        operator = build(manifest_uri=uri, rows=["s3://b/1.jpg"])
        if same:
            assert operator.execute(context) == uri
        else:
            with pytest.raises(InputManifestConflictError):
                operator.execute(context)
            assert self.content(s3_client, bucket)[0] == b"other\n"

    def test_encrypted(self, context, s3_client, bucket):
        key = "arn:aws:kms:us-east-1:123456789012:key/1"
        build(manifest_uri=f"s3://{bucket}/m", rows=["s3://b/1.jpg"], kms_key_id=key).execute(context)
        stored = s3_client.head_object(Bucket=bucket, Key="m")
        assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key)

    @pytest.mark.parametrize("given", [{}, {"rows": ["s3://b/k"], "images_uri": "s3://b/k"}])
    def test_exactly_one_source(self, context, given):
        with pytest.raises(ValueError, match="Exactly one of rows and images_uri"):
            build(manifest_uri="s3://b/k", **given).execute(context)

    def test_broken_row_writes_nothing(self, context, s3_client, bucket):
        from ground_truth.exceptions import InputManifestError

        with pytest.raises(InputManifestError, match="row 1"):
            build(manifest_uri=f"s3://{bucket}/m", rows=["no uri"]).execute(context)
        assert "Contents" not in s3_client.list_objects_v2(Bucket=bucket)

    def test_missing_bucket_is_named(self, context):
        from botocore.exceptions import ClientError

        with pytest.raises(ClientError, match="NoSuchBucket"):
            build(manifest_uri="s3://no-such-bucket-here/m", rows=["s3://b/1.jpg"]).execute(context)


class TestTemplates:
    def operators(self):
        from ground_truth.image_sensors import S3ImagesArrivedSensor
        from ground_truth.sensors import GroundTruthLabelingJobSensor

        return [
            create({"LabelingJobName": "{{ name }}", "HumanTaskConfig": {"TaskTitle": "{{ name }}!"}}),
            stop("{{ name }}"),
            build(manifest_uri="s3://b/{{ name }}", rows=["s3://b/{{ name }}.jpg"]),
            GroundTruthLabelingJobSensor(task_id="wait", job_name="{{ name }}"),
            S3ImagesArrivedSensor(task_id="images", bucket="b", prefix="{{ name }}/"),
        ]

    def test_every_template_field_is_an_attribute(self):
        for operator in self.operators():
            for field in operator.template_fields:
                assert hasattr(operator, field), f"{type(operator).__name__}.{field}"
            assert set(operator.template_fields_renderers) <= set(operator.template_fields)
            assert {"aws_conn_id", "region_name", "verify"} <= set(operator.template_fields)

    def test_rendering(self):
        creating, stopping, building, waiting, images = self.operators()
        for operator in (creating, stopping, building, waiting, images):
            operator.render_template_fields({"name": "pens"})
        assert creating.request == {"LabelingJobName": "pens", "HumanTaskConfig": {"TaskTitle": "pens!"}}
        assert (stopping.job_name, waiting.job_name, images.prefix) == ("pens", "pens", "pens/")
        assert (building.manifest_uri, building.rows) == ("s3://b/pens", ["s3://b/pens.jpg"])

    def test_a_dag_of_them_serializes_and_maps(self):
        from airflow.sdk import DAG
        from airflow.serialization.serialized_objects import DagSerialization

        from ground_truth.operators import GroundTruthCreateLabelingJobOperator
        from ground_truth.sensors import GroundTruthLabelingJobSensor

        with DAG("d", schedule=None) as dag:
            created = GroundTruthCreateLabelingJobOperator.partial(task_id="create", deferrable=True).expand(
                request=[{"LabelingJobName": "a"}, {"LabelingJobName": "b"}]
            )
            GroundTruthLabelingJobSensor.partial(task_id="wait", deferrable=True, poke_interval=30).expand(
                job_name=created.output
            )
        data = DagSerialization.to_dict(dag)
        assert {task["__var"]["task_id"] for task in data["dag"]["tasks"]} == {"create", "wait"}
        DagSerialization.from_dict(data)
