"""The plugins folder as Airflow loads it: one plugin, and no package run under bare names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """As in docker-compose.yaml: the domain on PYTHONPATH, the plugins folder put on sys.path by Airflow."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(ROOT / "include"),
    }


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_airflow_lists_the_plugin(environment):
    said = run(environment, "-m", "airflow", "plugins", "--output", "json")
    listed = json.loads(said[said.index("[{") :])
    ours = [plugin for plugin in listed if "roundtruth_plugin.py" in plugin["source"]]
    assert [plugin["name"] for plugin in ours] == ["roundtruth"]
    assert "labeling" in str(ours[0]["fastapi_apps"])
    views = str(ours[0]["external_views"])
    assert [views.count(f"'destination': '{where}'") for where in ("nav", "dag", "dag_run")] == [1, 1, 1]
    assert not [p for p in listed if "PLUGINS_FOLDER" in str(p["source"]).upper() and p not in ours]


# What the pages need; scheduler, worker and triggerer load the plugin, too.
OF_THE_PAGES = (
    "fastapi",
    "labeling_ui.application",
    "airflow.api_fastapi.app",
    "roundtruth.project",
    "roundtruth.storage",
    "pyarrow",
    "pandas",
    "great_expectations",
)


PROBE = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
folder = sys.argv[1]
bare = {name: module.__file__ for name, module in sys.modules.items()
        if (getattr(module, "__file__", None) or "").startswith(folder)
        and module.__file__ != folder + "/" + name.replace(".", "/") + "/__init__.py"
        and ("." not in name or module.__file__ != folder + "/" + name.replace(".", "/") + ".py")}
from airflow._shared.module_loading import import_string
import ground_truth.triggers
named = import_string("ground_truth.triggers.LabelingJobCompleteTrigger")
same = named is ground_truth.triggers.LabelingJobCompleteTrigger
names = [plugin.name for plugin in plugins]
heavy = [name for name in sys.argv[2].split(",") if name in sys.modules]
print("PROBE" + json.dumps({"bare": bare, "errors": errors, "names": names, "same": same, "heavy": heavy}))
"""


def test_packages_are_not_run_under_bare_names(environment):
    said = run(environment, "-c", PROBE, str(ROOT / "plugins"), ",".join(OF_THE_PAGES))
    found = json.loads(said.split("PROBE", 1)[1])
    assert found["errors"] == {}
    assert "roundtruth" in found["names"]
    assert found["bare"] == {"roundtruth_plugin": str(ROOT / "plugins" / "roundtruth_plugin.py")}
    assert found["same"], "a trigger must be one class in worker and triggerer"
    assert found["heavy"] == [], "only the API server pays for what the pages import"
