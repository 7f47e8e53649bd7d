"""The application with all pages, which Airflow's API server mounts under /labeling."""

from __future__ import annotations

from fastapi import FastAPI

from labeling_ui import problems
from labeling_ui.routes import dataset, files, labeling, round, tabs


def create_application() -> FastAPI:
    """All routes; each asks the auth manager (access.py), which tests prove of whatever is added here."""
    # No docs and no schema: these routes of FastAPI would be open to everybody.
    app = FastAPI(title="Roundtruth", openapi_url=None, docs_url=None, redoc_url=None)
    for page in (labeling, round, dataset, tabs, files):
        app.include_router(page.router)
    problems.install(app)
    return app
