from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from roundtruth.cli import main
from tests.project_samples import project_content


def test_validate(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(yaml.safe_dump(project_content()))
    bad.write_text(yaml.safe_dump(project_content(labeling__workers=3)))
    result = CliRunner().invoke(main, ["project", "validate", str(good)])
    assert (result.exit_code, result.stdout) == (0, f"{good}: project pens is valid\n")
    result = CliRunner().invoke(main, ["project", "validate", str(bad), str(good)])
    assert result.exit_code == 2
    assert f"{bad}: labeling.workers: there is no such key" in result.stderr
    assert result.stdout == f"{good}: project pens is valid\n"
    result = CliRunner().invoke(main, ["project", "validate", "--json", str(bad), str(good)])
    assert result.exit_code == 2
    found = json.loads(result.stdout)["files"]
    assert [entry["project"] for entry in found] == [None, "pens"]
    assert "there is no such key" in found[0]["error"]
    assert found[1]["error"] is None


def test_every_file_is_reported(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text(yaml.safe_dump(project_content()))
    result = CliRunner().invoke(main, ["project", "validate", str(tmp_path), "no-such-file.yaml", str(good)])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"{tmp_path}: cannot be read: Is a directory.",
        "no-such-file.yaml: cannot be read: No such file or directory.",
    ]
    assert result.stdout == f"{good}: project pens is valid\n"


@pytest.mark.parametrize("name", ["dataset", "project", "round"])
def test_the_list_of_commands_shows_whole_sentences(name: str) -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(main, [name, "--help"]).stdout
    listed = shown.partition("Commands:\n")[2].splitlines()
    assert listed
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


def test_usage() -> None:
    assert CliRunner().invoke(main, ["project", "validate", "no-such-file.yaml"]).exit_code == 2
    assert CliRunner().invoke(main, ["no-such-command"]).exit_code == 2
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    assert "round" in shown.stdout
    assert "sandbox" in shown.stdout
