"""How fast the pages of the web UI answer over many rounds and large ones; writes benchmarks/UI.md.

Run: python -m benchmarks.bench_ui [--rounds 2000] [--images 10000]
Two processes: the sandbox's S3 with the files of all rounds, filled from within, and the pages behind
Airflow's own auth manager and its SQLite database with a run of each round. The second is asked over ASGI,
its S3 over HTTP.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from benchmarks.large_projects import BUCKET, PENS, RECENT, fill
from roundtruth.overviews.project_rounds import FIRST_READ
from tests.labeling_ui.conftest import ENVIRONMENT, connection

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).parent / "UI.md"
WARM, COLD = 9, 5
HEAVY = ("pandas", "great_expectations", "scipy")


def main() -> None:
    """Measure and write the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=2000)
    arguments.add_argument("--images", type=int, default=10_000)
    arguments.add_argument("--serve", action="store_true")
    arguments.add_argument("--measure", metavar="URL")
    chosen = arguments.parse_args()
    if chosen.serve:
        serve(chosen.rounds, chosen.images)
    elif chosen.measure:
        print("MEASURED" + json.dumps(measure(chosen.measure, chosen.rounds)))
    else:
        load = os.getloadavg()[0]
        measured, keys = run(chosen.rounds, chosen.images)
        text = report(measured, keys, chosen.rounds, chosen.images, load)
        TABLE.write_text(text, encoding="utf-8")
        print(text)


def run(rounds: int, images: int) -> tuple[dict[str, Any], int]:
    """Start S3, then the pages; returns what these measured, and how many objects the bucket held."""
    this = [sys.executable, "-m", "benchmarks.bench_ui", "--rounds", str(rounds), "--images", str(images)]
    path = os.pathsep.join(str(ROOT / name) for name in ("include", "plugins", "."))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PYTHONPATH": path,
    }
    home = tempfile.mkdtemp(prefix="bench-ui-")
    served = subprocess.Popen(
        [*this, "--serve"], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    try:
        assert served.stdout is not None
        said, url, keys = served.stdout.readline().split()
        assert said == "ready", said
        environment |= {
            **ENVIRONMENT,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "AIRFLOW_CONN_AWS_DEFAULT": connection(url),
            "ROUNDTRUTH_PROJECTS": f"{home}/projects",
        }
        done = subprocess.run(
            [*this, "--measure", url],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        served.terminate()
        served.wait()
        shutil.rmtree(home, ignore_errors=True)
    return json.loads(done.stdout.split("MEASURED", 1)[1]), int(keys)


def serve(rounds: int, images: int) -> None:
    """S3 with everything in it, until the process is ended."""
    from roundtruth.sandbox.server import Sandbox
    from roundtruth.sandbox.settings import SandboxSettings

    with Sandbox(SandboxSettings(workers="good", buckets=(BUCKET,))) as sandbox:
        keys = fill(sandbox._s3, rounds, images)
        print("ready", sandbox.endpoint_url, keys, flush=True)
        while True:
            time.sleep(3600)


def measure(url: str, rounds: int) -> dict[str, Any]:
    """Ask each page cold and warm; seconds by the clock, CPU seconds of the pages' process, memory in MB."""
    folder = Path(os.environ["ROUNDTRUTH_PROJECTS"])
    folder.mkdir(parents=True)
    (folder / "pens.yaml").write_text(yaml.safe_dump(PENS))
    client, forget = _client(rounds)
    found: dict[str, Any] = {"pages": {}, "memory": {"with Airflow's part loaded": _memory()}}
    begun = time.perf_counter()
    _ask(client, "/labeling/")
    found["first"] = time.perf_counter() - begun
    asked = pages()
    shown = _ask(client, asked["round's gallery, lowest agreement first"]).text
    asked["thumbnail"] = html.unescape(re.search(r'src="([^"]+/thumbnail[^"]*)"', shown)[1])
    for title, address in asked.items():
        cold = []
        for _ in range(COLD):
            forget()
            cold.append(_timed(client, address))
            _settle()
        _timed(client, address)
        warm = [_timed(client, address) for _ in range(WARM)]
        answer = _ask(client, address)
        found["pages"][title] = {
            "cold": statistics.median(one[0] for one in cold),
            "cold_cpu": statistics.median(one[1] for one in cold),
            "warm": statistics.median(one[0] for one in warm),
            "warm_cpu": statistics.median(one[1] for one in warm),
            "kilobytes": len(answer.content) / 1000,
        }
        found["memory"][f"after {title}"] = _memory()
        print(title, found["pages"][title], file=sys.stderr, flush=True)
    found["unsummarized"], found["all_read"] = _without_summary(client, forget)
    found["heavy"] = [name for name in HEAVY if name in sys.modules]
    return found


def pages() -> dict[str, str]:
    """What is asked for, by the name in the table."""
    list_ = "/labeling/"
    round_ = f"/labeling/projects/pens/rounds/{RECENT}"
    dataset = "/labeling/projects/pens/dataset"
    return {
        "list of rounds": list_,
        "list, by agreement, page 7": f"{list_}?sort=agreement&page=7",
        "list, 200 recorded rounds on a page": f"{list_}?state=recorded&per=200",
        "round": round_,
        "round's gallery, lowest agreement first": f"{round_}/images",
        "gallery of disputed images, page 2": f"{round_}/images?status=disputed&page=2",
        "gallery of one category, page 3": f"{round_}/images?category=pen&page=3",
        "image with everybody's boxes": f"{round_}/images/7",
        "dataset's time line": dataset,
        "version": f"{dataset}/versions/v0002",
        "difference of two versions": f"{dataset}/changes?old=v0001&new=v0002",
    }


def report(measured: dict[str, Any], keys: int, rounds: int, images: int, load: float) -> str:
    """The page for people."""
    lines = [
        "# How fast the pages answer",
        "",
        f"{rounds:,} rounds with a Dag run each, one of them with {images:,} images and 3 answers an image, "
        f"{keys:,} objects in the bucket; S3 is the sandbox's (one Python process, 200 requests a second, "
        f"where AWS answers more, each later). On {os.cpu_count()} cores shared with whatever else ran "
        f"(load average {load:.1f} at the start): seconds by the clock grow with that, CPU seconds little. "
        "`make bench-ui` writes this.",
        "",
        f"*Cold*: the pages have forgotten all they read (median of {COLD}). *Warm*: "
        f"somebody looked before (median of {WARM}). CPU seconds are those of the pages' process alone.",
        "",
        "| page | warm, s (CPU s) | cold, s (CPU s) | kB |",
        "| --- | --- | --- | --- |",
        *(
            f"| {title} | {one['warm']:.3f} ({one['warm_cpu']:.3f}) | {one['cold']:.3f} "
            f"({one['cold_cpu']:.3f}) | {one['kilobytes']:.0f} |"
            for title, one in measured["pages"].items()
        ),
        "",
        f"The very first request of a process also imports the amazon provider and makes boto3's clients: "
        f"{measured['first']:.1f} s. Without `rounds/summary.json`, as after an earlier roundtruth, the "
        f"first list reads the files of the newest {FIRST_READ} rounds: {measured['unsummarized']:.1f} s; "
        f"all of them are read {measured['all_read']:.0f} s later, in the background, and the next round or "
        "version writes it.",
        "",
        "| memory of the pages' process | MB |",
        "| --- | --- |",
        *(f"| {title} | {megabytes:.0f} |" for title, megabytes in measured["memory"].items()),
        "",
        "Loaded of pandas, SciPy and Great Expectations: " + (", ".join(measured["heavy"]) or "none") + ".",
        "",
    ]
    return "\n".join(lines)


def _client(rounds: int) -> tuple[Any, Callable[[], None]]:
    """A client that is logged in, and what makes the pages forget everything."""
    import logging

    from airflow import models, settings
    from airflow.api_fastapi.app import init_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.base import Base
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from benchmarks.large_projects import round_keys
    from labeling_ui import deployment, live_jobs, project_lists
    from labeling_ui.addresses import MOUNT
    from labeling_ui.application import create_application

    logging.getLogger("httpx2").setLevel(logging.WARNING)
    models.import_all_models()
    Base.metadata.create_all(settings.engine)
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    with create_session() as session:
        session.add_all(
            DagRun(
                dag_id="pens_labeling_round",
                run_id=f"scheduled__{key}",
                run_type="scheduled",
                state="success",
                run_after=begin + timedelta(days=number),
                partition_key=key,
            )
            for number, key in enumerate(round_keys(rounds))
        )
    app = FastAPI()
    app.mount(MOUNT, create_application())
    manager = init_auth_manager(app)
    token = manager.generate_jwt(SimpleAuthManagerUser(username="vic", role="viewer"))

    def forget() -> None:
        live_jobs._kept.clear()
        project_lists.forget()
        for cache in deployment._caches.values():
            cache.clear()

    client = TestClient(app, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)
    return client, forget


def _without_summary(client: Any, forget: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the first list when no step has written the summaries yet, and until all rounds are read."""
    from labeling_ui import deployment
    from roundtruth.overviews.round_summaries import summary_uri

    [project] = deployment.deployed_projects().projects
    deployment.connected(project).storage.delete(summary_uri(project))
    forget()
    begun = time.perf_counter()
    first = _timed(client, "/labeling/")[0]
    _settle()
    return first, time.perf_counter() - begun


def _ask(client: Any, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code in (200, 307), (address, answer.status_code, answer.text[:500])
    return answer


def _settle() -> None:
    """Let the pages list the folders of rounds, which they do in the background, as between two looks."""
    from roundtruth.overviews.background import BACKGROUND_THREAD

    for thread in threading.enumerate():
        if thread.name == BACKGROUND_THREAD:
            thread.join()


def _timed(client: Any, address: str) -> tuple[float, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    _ask(client, address)
    return time.perf_counter() - begun, time.process_time() - cpu


def _memory() -> float:
    """The most that the process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
