"""Projects of a deployment: a notifier that cannot be made breaks its own project and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from labeling.projects import PROJECTS_VARIABLE, load_projects
from tests.project_samples import project_content

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


def test_a_wrong_notifier_shows_before_anything_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROJECTS_VARIABLE, str(tmp_path))
    for name, path in (("good", "labeling.s3_notifier.S3Notifier"), ("wrong", "labeling.s3_notifier.Slack")):
        notify = [{"notifier": path, "arguments": {"folder": "s3://some-bucket/notes"}}]
        content = project_content(project=name, notify=notify)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    loaded = load_projects()
    assert [project.project for project in loaded.projects] == ["good"]
    (error,) = loaded.errors
    assert str(error).startswith(
        f"{tmp_path / 'wrong.yaml'}: notify.0: labeling.s3_notifier.Slack cannot be made"
    )
