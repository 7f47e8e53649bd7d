from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from roundtruth.errors import ProjectError
from roundtruth.project_files import load_project, project_files
from tests.project_samples import load_text, project_content

VALID = yaml.safe_dump(project_content())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "must hold keys and values", id="empty"),
        pytest.param("# nothing\n", "must hold keys and values", id="comment"),
        pytest.param("- pens\n", "must hold keys and values", id="list"),
        pytest.param("pens", "must hold keys and values", id="text"),
        pytest.param("project: [pens\n", "is not YAML: while parsing a flow sequence", id="broken"),
        pytest.param("a: b: c", "is not YAML: mapping values are not allowed here", id="two colons"),
        pytest.param("project:\n\tx", "is not YAML", id="tab"),
        pytest.param(
            "!!python/object:os.system {}", "is not YAML: could not determine", id="a Python object"
        ),
        pytest.param(b"project: \xff\xfe", "is not YAML: 'utf-8' codec", id="not UTF-8"),
        pytest.param(f"{VALID}1: x\n", "1: ", id="a key that is a number"),
        pytest.param(f"{VALID}start_date: 2026-13-45\n", "month must be in 1..12", id="no such day"),
        pytest.param(f"{VALID}quality: strict\n", "quality: must hold keys and values", id="a part as text"),
    ],
)
def test_file_that_is_no_project(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ProjectError) as error:
        load_text(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'pens.yaml'}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_every_broken_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as error:
        load_text(tmp_path, "project: Pens\nlabelling: {}\nbudget_usd: -1\n")
    for words in (
        "project: must be 1 to 24",
        "labelling: there is no such key; did you mean labeling?",
        "budget_usd: must be greater than 0, got -1",
        "root: is required",
        "dataset: is required",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        pytest.param(f"{VALID}categoris: [pen]\n", "did you mean categories?", id="a question"),
        pytest.param(f"{VALID}budget_usd: -1\n", "got -1.", id="a statement"),
        pytest.param(
            VALID.replace("- pencil", "- ''").replace("- pen\n", ""),
            "pens.yaml: categories.0: must have 1 or more characters, got ''.",
            id="the only item is broken",
        ),
    ],
)
def test_the_sentence_ends_once(tmp_path: Path, text: str, end: str) -> None:
    with pytest.raises(ProjectError) as error:
        load_text(tmp_path, text)
    assert str(error.value).endswith(end)


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="cannot be read"):
        load_project(tmp_path / name)


def test_valid_file(tmp_path: Path) -> None:
    assert load_text(tmp_path, f"{VALID}start_date: '2026-02-01'\n").start_date.isoformat() == "2026-02-01"


def test_project_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "notes.txt", "c.yaml.bak"):
        (tmp_path / name).write_text("")
    assert [path.name for path in project_files(tmp_path)] == ["a.yml", "b.yaml"]
