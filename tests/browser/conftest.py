"""A browser at a running Airflow: one stack for all tests, with a round that Airflow ran and two versions.

Debian's chromium, driven by Playwright for Python. `ROUNDTRUTH_SCREENSHOTS=docs/images` puts the pictures
of the README there; without it none is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.main_job import MainJob
from demo.processes import working_in
from demo.project_files import write_pens_project
from demo.stack import Stack, StackSettings
from demo.uploads import upload_samples
from tests.browser.pages import CHROMIUM, Labeling, Screen
from tests.browser.second_version import label_second_round

PHOTOS = 24
SHOWN = {("light", 1400), ("dark", 800)}
SANDBOX_OPTIONS = ("--speed", "2000", "--workers", "mixed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process: there is one stack."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def labeling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labeling]:
    """The stack of `make up` with a round and its release by Airflow, and a second round and version."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not here: apt-get install chromium")
    state = tmp_path_factory.mktemp("browser-stack")
    settings = StackSettings(
        state=state, projects=state / "projects", sandbox_options=SANDBOX_OPTIONS, environment=_quick()
    )
    project = write_pens_project(settings.projects)
    stack = Stack(settings=settings)
    try:
        with stack:
            stack.start(lambda _: None)
            job = MainJob(stack, project, lambda _: None)
            upload_samples(job.storage, project, PHOTOS)
            job.run()
            label_second_round(job)
            yield Labeling(job)
    finally:
        shutil.rmtree(state / "sandbox", ignore_errors=True)
    assert working_in(state) == [], "the stack has left processes running"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests; each screen has its own context."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where screenshots go, if somebody wants them: each takes a second of CPU."""
    wanted = os.environ.get("ROUNDTRUTH_SCREENSHOTS")
    if not wanted:
        return None
    folder = Path(wanted)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(
    params=[("light", 1400), ("dark", 800), ("light", 800), ("dark", 1400)],
    ids=["light-1400", "dark-800", "light-800", "dark-1400"],
)
def screen(
    request: pytest.FixtureRequest, labeling: Labeling, chromium: Any, pictures: Path | None
) -> Iterator[Screen]:
    """Somebody logged in, at a wide and a narrow screen, light and dark; the browser must not complain."""
    theme, width = request.param
    opened = Screen(
        labeling=labeling,
        browser=chromium,
        theme=theme,
        width=width,
        # The README shows one picture of each page in light and in dark.
        pictures=pictures if (theme, width) in SHOWN else None,
    )
    try:
        yield opened
        assert opened.complaints == []
    finally:
        opened.close()


def _quick() -> dict[str, str]:
    """Airflow waits less between its own looks: people who watch would not."""
    return {
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    }
