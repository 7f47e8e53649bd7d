"""Listing and paging of jobs, and the work team calls, with the real client."""

from __future__ import annotations

import datetime

import pytest
from botocore.exceptions import ClientError

from roundtruth.sandbox import WORKTEAM_ARN
from tests.sandbox_job import changed, job_request, put_images, wait_for_job

COGNITO = {"CognitoMemberDefinition": {"UserPool": "us-east-1_a", "UserGroup": "g", "ClientId": "c"}}


@pytest.fixture(scope="module")
def listed(sandbox):
    """Five jobs of a work team of their own, `List-0` ... `List-4`; the last one fails."""
    from tests.sandbox_fixture import client

    sagemaker, s3 = client("sagemaker", sandbox.endpoint_url), client("s3", sandbox.endpoint_url)
    s3.create_bucket(Bucket="listed")
    team = sagemaker.create_workteam(WorkteamName="listed", Description="d", MemberDefinitions=[COGNITO])[
        "WorkteamArn"
    ]
    request = job_request(s3, "listed", "x", put_images(s3, "listed", 2))
    request = changed(request, "HumanTaskConfig.WorkteamArn", team)
    for number in range(5):
        named = changed(request, "LabelingJobName", f"List-{number}")
        if number == 4:
            named = changed(named, "LabelCategoryConfigS3Uri", "s3://listed/none")
        sagemaker.create_labeling_job(**named)
    for number in range(5):
        wait_for_job(sagemaker, f"list-{number}")
    return team


def names(answer):
    return [one["LabelingJobName"] for one in answer["LabelingJobSummaryList"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["List-0", "List-1", "List-2", "List-3", "List-4"]),
        ({"SortOrder": "Descending"}, ["List-4", "List-3", "List-2", "List-1", "List-0"]),
        ({"SortBy": "Name", "MaxResults": 2}, ["List-0", "List-1"]),
        ({"SortBy": "Status"}, ["List-0", "List-1", "List-2", "List-3", "List-4"]),
        ({"StatusEquals": "Failed"}, ["List-4"]),
        ({"StatusEquals": "Stopped"}, []),
        ({"NameContains": "ist-3"}, ["List-3"]),
    ],
    ids=str,
)
def test_list_labeling_jobs(sagemaker_client, listed, query, expected):
    assert names(sagemaker_client.list_labeling_jobs(**{"NameContains": "list-", **query})) == expected


def test_filters_of_time(sagemaker_client, listed):
    jobs = sagemaker_client.list_labeling_jobs(NameContains="list-")["LabelingJobSummaryList"]
    third = jobs[2]["CreationTime"]
    after = sagemaker_client.list_labeling_jobs(NameContains="list-", CreationTimeAfter=third)
    before = sagemaker_client.list_labeling_jobs(NameContains="list-", CreationTimeBefore=third)
    assert (names(before), names(after)) == (["List-0", "List-1"], ["List-3", "List-4"])
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    assert names(sagemaker_client.list_labeling_jobs(LastModifiedTimeAfter=tomorrow)) == []
    assert (
        len(names(sagemaker_client.list_labeling_jobs(NameContains="list-", LastModifiedTimeBefore=tomorrow)))
        == 5
    )


def test_what_a_summary_holds(sagemaker_client, listed):
    first, *_, last = sagemaker_client.list_labeling_jobs(NameContains="list-")["LabelingJobSummaryList"]
    assert first["LabelCounters"]["HumanLabeled"] == 2
    assert first["WorkteamArn"] == listed
    assert first["LabelingJobOutput"]["OutputDatasetS3Uri"].endswith(
        "/out/List-0/manifests/output/output.manifest"
    )
    assert "FailureReason" not in first
    assert "does not exist" in last["FailureReason"]


def test_paging(sagemaker_client, listed):
    pages = sagemaker_client.get_paginator("list_labeling_jobs").paginate(NameContains="list-", MaxResults=2)
    assert [names(page) for page in pages] == [["List-0", "List-1"], ["List-2", "List-3"], ["List-4"]]
    token = sagemaker_client.list_labeling_jobs(NameContains="list-", MaxResults=2)["NextToken"]
    for query in ({"NextToken": token}, {"NextToken": "made up", "NameContains": "list-"}):
        with pytest.raises(ClientError, match="NextToken"):
            sagemaker_client.list_labeling_jobs(**query)


def test_list_labeling_jobs_for_workteam(sagemaker_client, listed):
    pages = sagemaker_client.get_paginator("list_labeling_jobs_for_workteam").paginate(
        WorkteamArn=listed, MaxResults=4
    )
    jobs = [one for page in pages for one in page["LabelingJobSummaryList"]]
    assert [one["LabelingJobName"] for one in jobs] == [f"List-{number}" for number in range(5)]
    assert jobs[0]["LabelCounters"] == {"HumanLabeled": 2, "PendingHuman": 0, "Total": 2}
    assert jobs[0]["WorkRequesterAccountId"] == "123456789012"
    assert jobs[0]["NumberOfHumanWorkersPerDataObject"] == 3
    code = jobs[3]["JobReferenceCode"]
    found = sagemaker_client.list_labeling_jobs_for_workteam(
        WorkteamArn=listed, JobReferenceCodeContains=code
    )
    assert names(found) == ["List-3"]
    described = sagemaker_client.describe_labeling_job(LabelingJobName="List-3")
    assert described["JobReferenceCode"] == code
    with pytest.raises(sagemaker_client.exceptions.ResourceNotFound):
        sagemaker_client.list_labeling_jobs_for_workteam(WorkteamArn=listed + "x")


def test_workteams(sagemaker_client):
    own = sagemaker_client.describe_workteam(WorkteamName="roundtruth-sandbox")["Workteam"]
    assert own["WorkteamArn"] == WORKTEAM_ARN
    arn = sagemaker_client.create_workteam(
        WorkteamName="night-shift",
        Description="d",
        MemberDefinitions=[COGNITO],
        Tags=[{"Key": "k", "Value": "v"}],
    )["WorkteamArn"]
    assert arn.endswith(":workteam/private-crowd/night-shift")
    with pytest.raises(sagemaker_client.exceptions.ResourceInUse):
        sagemaker_client.create_workteam(
            WorkteamName="night-shift", Description="d", MemberDefinitions=[COGNITO]
        )
    changed_team = sagemaker_client.update_workteam(WorkteamName="night-shift", Description="new")["Workteam"]
    assert changed_team["Description"] == "new"
    sagemaker_client.add_tags(ResourceArn=arn, Tags=[{"Key": "l", "Value": "w"}])
    assert [tag["Key"] for tag in sagemaker_client.list_tags(ResourceArn=arn)["Tags"]] == ["k", "l"]
    found = sagemaker_client.list_workteams(NameContains="night")["Workteams"]
    assert [team["WorkteamName"] for team in found] == ["night-shift"]
    assert sagemaker_client.delete_workteam(WorkteamName="night-shift")["Success"]
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker_client.describe_workteam(WorkteamName="night-shift")


def test_an_account_has_at_most_25_workteams(sagemaker_client):
    there = len(sagemaker_client.list_workteams(MaxResults=100)["Workteams"])
    new = [f"team-{number}" for number in range(25 - there)]
    for name in new:
        sagemaker_client.create_workteam(WorkteamName=name, Description="d", MemberDefinitions=[COGNITO])
    with pytest.raises(sagemaker_client.exceptions.ResourceLimitExceeded):
        sagemaker_client.create_workteam(WorkteamName="more", Description="d", MemberDefinitions=[COGNITO])
    for name in new:
        sagemaker_client.delete_workteam(WorkteamName=name)


def test_the_workforce(sagemaker_client):
    assert sagemaker_client.list_workforces()["Workforces"][0]["WorkforceName"] == "default"
    assert sagemaker_client.describe_workforce(WorkforceName="default")["Workforce"]["Status"] == "Active"


def test_tags_of_a_job(sagemaker_client, s3_client, bucket):
    request = job_request(s3_client, bucket, "tagged", put_images(s3_client, bucket, 1))
    tags = [{"Key": "project", "Value": "Stift 한"}]
    sagemaker_client.create_labeling_job(**request, Tags=tags)
    assert wait_for_job(sagemaker_client, "tagged")["Tags"] == tags
