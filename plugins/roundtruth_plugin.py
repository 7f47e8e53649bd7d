"""What Roundtruth registers with Airflow: the only file under plugins/ that the plugin loader runs."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from labeling.deadlines import RunCreated
from labeling_ui.addresses import MOUNT, URL_ROUTE


class LazyApplication:
    """The pages' application, made when the first request comes.

    Scheduler, workers, triggerer and Dag processor load plugins too: they need none of what the pages import.
    """

    def __init__(self) -> None:
        self._made: Any = None
        self._lock = Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request on (ASGI)."""
        if self._made is None:
            await asyncio.to_thread(self._make)  # seconds of imports, while Airflow answers others
        await self._made(scope, receive, send)

    def _make(self) -> None:
        with self._lock:
            if self._made is None:
                from labeling_ui.application import create_application

                self._made = create_application()


_PREFIX = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/") + MOUNT


class RoundtruthPlugin(AirflowPlugin):
    """The pages and the deadline; operators, triggers and links Airflow 3 finds by import."""

    name = "roundtruth"
    deadline_references = [RunCreated]  # noqa: RUF012  # as AirflowPlugin has it
    fastapi_apps = [{"app": LazyApplication(), "url_prefix": MOUNT, "name": "Roundtruth"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Labeling",
            "href": f"{_PREFIX}/",
            "destination": "nav",
            "url_route": URL_ROUTE,
            "nav_top_level": True,
        },
        {
            "name": "Labeling",
            "href": f"{_PREFIX}/dags/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "labeling-rounds",
        },
        {
            "name": "Labeling",
            "href": f"{_PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "labeling-round",
        },
    ]
