"""The link from a check to its Data Docs: in the S3 console, or at the endpoint that stands for S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.sdk import get_current_context

from roundtruth.project import Project
from roundtruth.storage import ObjectUri

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

CONSOLE = BASE_AWS_CONSOLE_LINK + "/s3/object/{bucket}?region={region_name}&prefix={key}"


class DataDocsLink(BaseAwsLink):
    """Helper class for constructing the link to the Data Docs of a check."""

    name = "Data Docs"
    key = "roundtruth_data_docs"
    format_str = "{url}"


def with_data_docs(checked: Any) -> Any:
    """Show the link on a check, a task made by ``@task``; returns it."""
    checked.operator.operator_extra_links = (DataDocsLink(),)
    return checked


def show_data_docs(project: Project, data_docs_uri: str) -> None:
    """Store where the running task's Data Docs will be; before the check, since one that blocks raises."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # too slow for Dag parsing

    context = get_current_context()
    hook = S3Hook(aws_conn_id=project.aws_conn_id)
    DataDocsLink.persist(
        context=context,
        operator=context["task"],
        region_name=hook.conn_region_name,
        aws_partition=hook.conn_partition,
        url=data_docs_url(hook, ObjectUri.parse(data_docs_uri)),
    )


def data_docs_url(hook: S3Hook, uri: ObjectUri) -> str:
    """Where a browser opens the object: an endpoint serves it as it is, AWS shows it to who is signed in."""
    key = quote(uri.key)
    endpoint = hook.conn_config.get_service_endpoint_url("s3")
    if endpoint:
        return f"{endpoint.rstrip('/')}/{uri.bucket}/{key}"
    return CONSOLE.format(
        aws_domain=DataDocsLink.get_aws_domain(hook.conn_partition),
        region_name=hook.conn_region_name,
        bucket=uri.bucket,
        key=key,
    )
