"""Where the pages lie: paths below the mount, behind whatever prefix Airflow itself is served."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlencode

MOUNT = "/labeling"  # where roundtruth_plugin.py mounts the application
URL_ROUTE = "labeling"  # of the page in the main navigation: /plugin/labeling
STATIC = Path(__file__).with_name("static")


@dataclass(frozen=True)
class Addresses:
    """Paths of all pages; ``base`` is the path of the mounted application, such as ``/airflow/labeling``."""

    base: str

    def labeling(self, **query: object) -> str:
        """The list of all rounds; what is None or empty in the query is left out."""
        return f"{self.base}/{_query(query)}"

    def round(self, project: str, key: str, **query: object) -> str:
        """One round."""
        return f"{self._project(project)}/rounds/{_part(key)}{_query(query)}"

    def round_images(self, project: str, key: str, **query: object) -> str:
        """The images of a round, in pages."""
        return f"{self.round(project, key)}/images{_query(query)}"

    def round_image(self, project: str, key: str, number: int, **query: object) -> str:
        """One image of a round, by its place in the plan: no key of S3 stands in an address."""
        return f"{self.round_images(project, key)}/{number}{_query(query)}"

    def thumbnail(self, project: str, key: str, number: int, etag: str) -> str:
        """The small picture of an image of a round; another image at this place has another address."""
        return f"{self.round_image(project, key, number)}/thumbnail{_query({'v': etag[:12]})}"

    def original(self, project: str, key: str, number: int) -> str:
        """The image itself: leads on to S3 by an address that is signed for some minutes."""
        return f"{self.round_image(project, key, number)}/original"

    def dataset(self, project: str, **query: object) -> str:
        """The versions of a project's dataset."""
        return f"{self._project(project)}/dataset{_query(query)}"

    def version(self, project: str, version: str, **query: object) -> str:
        """One version of a project's dataset."""
        return f"{self.dataset(project)}/versions/{_part(version)}{_query(query)}"

    def changes(self, project: str, **query: object) -> str:
        """What changed between two versions: ``old`` and ``new``."""
        return f"{self.dataset(project)}/changes{_query(query)}"

    def roll_back(self, project: str, version: str) -> str:
        """Where people are asked before `latest` is moved to a version, and where the answer goes."""
        return f"{self.version(project, version)}/rollback"

    def version_image(self, project: str, version: str, place: int, **query: object) -> str:
        """The image at a place of a version's images, counted from 0: no key of S3 stands in an address."""
        return f"{self.version(project, version)}/images/{place}{_query(query)}"

    def airflow_dag(self, dag_id: str) -> str:
        """A Dag in Airflow's own pages; such links are marked with data-opens="airflow"."""
        return f"{self.base.removesuffix(MOUNT)}/dags/{_part(dag_id)}"

    def static(self, name: str) -> str:
        """A file of the pages, by its content: browsers may keep it for good."""
        return f"{self.base}/static/{_part(name)}?v={_digest(name)}"

    def _project(self, project: str) -> str:
        return f"{self.base}/projects/{_part(project)}"


def in_airflow(base_url: str, page: str) -> str:
    """Where Airflow's web UI shows a page in its frame, for links from outside.

    The part behind ``/plugin/labeling`` is the page's own path, as the UI itself writes it when people
    click through the pages (3.3.2, ``plugin/:page/*``).

    :param base_url: ``[api] base_url``; without one the address is a path.
    :param page: a path by ``Addresses``, with the prefix of base_url.
    """
    return f"{base_url.rstrip('/')}/plugin/{URL_ROUTE}{page}"


def _part(text: str) -> str:
    return quote(text, safe="")


def _query(query: dict[str, object]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "", ())}
    return f"?{urlencode(given, doseq=True)}" if given else ""


@cache
def _digest(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]
