"""`roundtruth project`: validate project files."""

from __future__ import annotations

from pathlib import Path

import click

from roundtruth.cli.console import UNUSABLE_INPUT, json_option, notes, print_json
from roundtruth.errors import ProjectError
from roundtruth.project_files import load_project


@click.group(name="project")
def command() -> None:
    """Validate project files."""


@command.command()
# No exists=True: click would stop at the first file that is not there, and the others stay unread.
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@json_option
def validate(files: tuple[Path, ...], as_json: bool) -> None:
    """Check project files; say which key breaks which rule.

    Exit codes: 0 all are valid; 2 one of them is not.
    """
    results = [_validate(file) for file in files]
    if as_json:
        print_json({"files": results})
    else:
        for result in results:
            if result["error"]:
                notes.print(str(result["error"]), style="red", markup=False, highlight=False, soft_wrap=True)
            else:
                click.echo(f"{result['file']}: project {result['project']} is valid")
    if any(result["error"] for result in results):
        raise SystemExit(UNUSABLE_INPUT)


def _validate(file: Path) -> dict[str, str | None]:
    try:
        return {"file": str(file), "project": load_project(file).project, "error": None}
    except ProjectError as error:
        return {"file": str(file), "project": None, "error": str(error)}
