"""One Dag a project: every recorded round is released as a new version of the project's dataset.

Starts when a round is recorded. One release at a time: the version numbers of a dataset are one history.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, get_current_context
from airflow.sdk import task as airflow_task
from airflow.sdk.exceptions import AirflowSkipException

from labeling.approval import DISCARD, PUBLISH, SEND_BACK, answer_given, approval
from labeling.assets import dataset_asset, labels_asset
from labeling.dag_arguments import common_arguments
from labeling.links import show_data_docs, with_data_docs
from labeling.page_links import VersionLink, round_page, show_version, with_links
from labeling.project_dags import project_dags
from labeling.rounds import connected
from labeling.tasks import task
from roundtruth.project import Project


def dataset_release(project: Project) -> DAG:
    """The Dag of a project's releases."""
    with DAG(
        dag_id=f"{project.project}_dataset_release",
        description=f"Publish the next version of dataset {project.dataset.name}.",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(assets=labels_asset(project)),
        max_active_runs=1,
        **common_arguments(project, "dataset"),
    ) as dag:
        release(project)
    return dag


def release(project: Project) -> None:
    """Assemble what all rounds brought, check it, and publish it if anything changed."""
    dataset = dataset_asset(project)

    @task
    def assemble_version() -> str:
        from roundtruth.stages.dataset_release import assemble

        candidate_uri = assemble(*connected(project))
        if candidate_uri is None:
            raise AirflowSkipException(f"Dataset {project.dataset.name} already holds all recorded rounds.")
        return candidate_uri

    @task
    def check_dataset(candidate_uri: str) -> dict[str, Any]:
        from roundtruth.stages.dataset_release import check, data_docs_uri

        show_data_docs(project, data_docs_uri(candidate_uri))
        return check(*connected(project), candidate_uri)

    # After an approval that was not needed this task still runs; after one that was refused it does not.
    @task(outlets=[dataset], trigger_rule="none_failed_min_one_success")
    def publish_version(candidate_uri: str) -> dict[str, Any]:
        from roundtruth.stages.dataset_release import publish

        published = publish(*connected(project), candidate_uri)
        show_version(project, published["version"])
        if published.pop("superseded"):
            # Its own release has told whoever waits for the version.
            raise AirflowSkipException(f"{published['version']} holds all that this candidate would bring.")
        get_current_context()["outlet_events"][dataset].extra = published
        return published

    candidate_uri = assemble_version()
    checked = with_data_docs(check_dataset(candidate_uri))
    published = with_links(publish_version(candidate_uri), VersionLink)
    if project.dataset.approval == "auto":
        checked >> published
    else:
        ask_a_person(project, candidate_uri, checked, published)


def ask_a_person(project: Project, candidate_uri: Any, checked: Any, published: Any) -> None:
    """Between check and publication: a person decides in the web UI, always or only after warnings.

    What is not published is not asked about again, and no label is lost: the next recorded round makes
    another candidate.
    """

    @airflow_task.branch
    def decide_approval(candidate_uri: str, quality: dict[str, Any]) -> str:
        from roundtruth.stages.release_decision import round_warnings

        needed = project.dataset.approval == "always" or quality["warnings"]
        needed = needed or round_warnings(*connected(project), candidate_uri)
        return "describe_version" if needed else "publish_version"

    @task
    def describe_version(candidate_uri: str, quality: dict[str, Any]) -> str:
        from roundtruth.stages.release_decision import approval_request

        request = approval_request(*connected(project), candidate_uri)
        # Recording the round of this key started the release; its page shows the images and who drew what.
        page = round_page(project, get_current_context()["dag_run"].partition_key)
        return f"{request}\n\n[Look at the round]({page})\n\nData Docs: {quality['data_docs_uri']}"

    @task
    def send_back_images(candidate_uri: str) -> dict[str, Any]:
        from roundtruth.stages.release_decision import send_back

        return send_back(*connected(project), candidate_uri, **answer_given())

    @task
    def discard_version(candidate_uri: str) -> dict[str, Any]:
        from roundtruth.stages.release_decision import discard

        return discard(*connected(project), candidate_uri, **answer_given())

    ways = {
        PUBLISH: published,
        SEND_BACK: send_back_images(candidate_uri),
        DISCARD: discard_version(candidate_uri),
    }
    asked = approval(
        project,
        body="{{ ti.xcom_pull('describe_version') }}",
        ways={option: way.operator.task_id for option, way in ways.items()},
    )
    decide_approval(candidate_uri, checked) >> [
        described := describe_version(candidate_uri, checked),
        published,
    ]
    described >> asked >> list(ways.values())


globals().update(project_dags("dataset_release", dataset_release))
