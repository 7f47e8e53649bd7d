"""Projects of a deployment: a notifier that cannot be made breaks its own project and no other."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"root": "s3://other-bucket/x", "dataset__name": "other"},
            "project: another file already names 'pens'",
        ),
        ({"project": "second", "dataset__name": "other"}, "root: .* is the root of project 'pens' already"),
        (
            {"project": "second", "root": "s3://other-bucket/x"},
            "dataset.name: 'pens' is that of project 'pens' already",
        ),
    ],
    ids=["project", "root", "dataset"],
)
def test_a_copied_file_that_still_uses_what_is_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], message: str
) -> None:
    """Two URIs for one asset name fail a task after people were paid; two projects in one root mix."""
    monkeypatch.setenv(PROJECTS_VARIABLE, str(tmp_path))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(project_content()))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(project_content(**changes)))
    loaded = load_projects()
    assert [project.project for project in loaded.projects] == ["pens"]
    (error,) = loaded.errors
    assert re.search(rf"b\.yaml: {message}", str(error))
