"""Links: their addresses in every partition, and when there are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ground_truth.conftest import connection
from tests.ground_truth.samples import WORKTEAM

pytestmark = pytest.mark.airflow
JOB = "pens-2026-11-16-1"
PORTAL = "abc.labeling.us-east-1.sagemaker.aws"


class OperatorDouble:
    do_xcom_push = True


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("us-east-1", "https://console.aws.amazon.com"),
        ("ap-northeast-2", "https://console.aws.amazon.com"),
        ("cn-north-1", "https://console.amazonaws.cn"),
        ("us-gov-west-1", "https://console.amazonaws-us-gov.com"),
    ],
)
def test_stored_links_lead_to_the_console_of_the_region(region, console, context, monkeypatch):
    from airflow.providers.common.compat.sdk import XCom

    from ground_truth.hooks import GroundTruthHook
    from ground_truth.links import LabelingJobLink, LabelingPortalLink, persist_links

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(region=region))
    monkeypatch.setattr(GroundTruthHook, "labeling_portal_domain", lambda self, arn: PORTAL)
    persist_links(
        context=context,
        operator=OperatorDouble(),
        hook=GroundTruthHook(),
        job_name=JOB,
        workteam_arn=WORKTEAM,
    )
    pushed: dict[str, Any] = context["ti"].pushed
    assert LabelingJobLink().format_link(**pushed[LabelingJobLink.key]) == (
        f"{console}/sagemaker/groundtruth?region={region}#/labeling-jobs/details/{JOB}"
    )
    assert LabelingPortalLink().format_link(**pushed[LabelingPortalLink.key]) == f"https://{PORTAL}"

    monkeypatch.setattr(XCom, "get_value", lambda *, key, ti_key: pushed[key])
    link = LabelingJobLink().get_link(OperatorDouble(), ti_key=None)
    assert link.startswith(f"{console}/sagemaker/groundtruth?region={region}#")


def test_no_links_where_there_is_no_console(context, monkeypatch):
    from ground_truth.hooks import GroundTruthHook
    from ground_truth.links import persist_links

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection("http://127.0.0.1:9"))
    persist_links(
        context=context,
        operator=OperatorDouble(),
        hook=GroundTruthHook(),
        job_name=JOB,
        workteam_arn=WORKTEAM,
    )
    assert context["ti"].pushed == {}


def test_no_portal_link_without_a_portal(context, aws, monkeypatch):
    from ground_truth.hooks import GroundTruthHook
    from ground_truth.links import LabelingJobLink, persist_links

    monkeypatch.setattr(GroundTruthHook, "labeling_portal_domain", lambda self, arn: None)
    persist_links(
        context=context,
        operator=OperatorDouble(),
        hook=GroundTruthHook(),
        job_name=JOB,
        workteam_arn=WORKTEAM,
    )
    assert list(context["ti"].pushed) == [LabelingJobLink.key]
