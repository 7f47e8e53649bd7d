"""Links from a task to its labeling job in the AWS console and to the portal where people label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink

from ground_truth.hooks import GroundTruthHook

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context


class LabelingJobLink(BaseAwsLink):
    """Helper class for constructing the link to a labeling job in the AWS console."""

    name = "Labeling Job"
    key = "ground_truth_labeling_job"
    format_str = (
        BASE_AWS_CONSOLE_LINK
        + "/sagemaker/groundtruth?region={region_name}#/labeling-jobs/details/{job_name}"
    )


class LabelingPortalLink(BaseAwsLink):
    """Helper class for constructing the link to the portal where a private work team labels."""

    name = "Workers' Portal"
    key = "ground_truth_labeling_portal"
    format_str = "https://{portal_domain}"


def persist_links(
    *,
    context: Context,
    operator: BaseOperator,
    hook: GroundTruthHook,
    job_name: str,
    workteam_arn: str | None = None,
) -> None:
    """Store what the links of a labeling job need; nothing where the endpoint is not AWS: no console.

    :param context: The context of the running task.
    :param operator: The operator that shows the links.
    :param hook: The hook the operator works with.
    :param job_name: The name of the labeling job.
    :param workteam_arn: The ARN of the work team, for the link to the workers' portal.
    """
    if not hook.is_aws:
        return
    common: dict[str, Any] = {
        "context": context,
        "operator": operator,
        "region_name": hook.conn_region_name,
        "aws_partition": hook.conn_partition,
    }
    LabelingJobLink.persist(**common, job_name=job_name)
    domain = hook.labeling_portal_domain(workteam_arn) if workteam_arn else None
    if domain:
        LabelingPortalLink.persist(**common, portal_domain=domain)
