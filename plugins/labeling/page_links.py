"""Links from a task to the page in the web UI that shows what it brought."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink, conf, get_current_context
from airflow.sdk.execution_time.xcom import XCom

from labeling_ui.addresses import MOUNT, Addresses, in_airflow
from roundtruth.project import Project


class PageLink(BaseOperatorLink):
    """A link whose address the running task stores, under ``key``."""

    key: ClassVar[str]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address, empty before the task has stored one."""
        return str(XCom.get_value(key=self.key, ti_key=ti_key) or "")

    def show(self, address: str) -> None:
        """Store the address; of a task that runs."""
        get_current_context()["ti"].xcom_push(key=self.key, value=address)


class RoundLink(PageLink):
    """To the round's page."""

    name = "Round"
    key = "roundtruth_round_page"


class DisputedImagesLink(PageLink):
    """To the images on which people disagree, each with everybody's boxes."""

    name = "Disputed images"
    key = "roundtruth_disputed_images"


class VersionLink(PageLink):
    """To the published version's page."""

    name = "Version"
    key = "roundtruth_version_page"


def with_links(made: Any, *links: type[BaseOperatorLink]) -> Any:
    """Show links on a task made by ``@task``, beside those it has; returns it."""
    made.operator.operator_extra_links = (*made.operator.operator_extra_links, *(link() for link in links))
    return made


def round_page(project: Project, key: str | None) -> str:
    """Where the web UI shows a round; the list of all rounds of the project where it is not known."""
    pages, base_url = _pages()
    path = pages.round(project.project, key) if key else pages.labeling(project=project.project)
    return in_airflow(base_url, path)


def show_round(project: Project, key: str) -> None:
    """Let the running task's link lead to its round."""
    RoundLink().show(round_page(project, key))


def show_disputed_images(project: Project, key: str) -> None:
    """Let the running task's link lead to the disputed images of its round."""
    pages, base_url = _pages()
    path = pages.round_images(project.project, key, status="disputed")
    DisputedImagesLink().show(in_airflow(base_url, path))


def show_version(project: Project, version: str) -> None:
    """Let the running task's link lead to a published version."""
    pages, base_url = _pages()
    VersionLink().show(in_airflow(base_url, pages.version(project.project, version)))


def _pages() -> tuple[Addresses, str]:
    base_url = str(conf.get("api", "base_url", fallback="") or "")
    return Addresses(urlsplit(base_url).path.rstrip("/") + MOUNT), base_url
