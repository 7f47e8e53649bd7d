"""What all commands share: opening storage, progress bars, JSON output and how errors are shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from roundtruth.errors import RoundtruthError
from roundtruth.storage import Storage

FAILED_CHECK = 1
UNUSABLE_INPUT = 2

# People read stderr, machines read stdout: progress and notes never mix with `--json`.
notes = Console(stderr=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
endpoint_option = click.option(
    "--endpoint-url",
    envvar="AWS_ENDPOINT_URL",
    help="Another endpoint than AWS, such as the sandbox's address.",
)


def open_storage(endpoint_url: str | None = None) -> Storage:
    """Storage with this machine's AWS credentials, found as every AWS tool finds them."""
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"))
    if session.get_credentials() is None:
        return Storage()  # local paths need none; an s3:// URI gets an error that says what is missing
    return Storage.from_session(session, endpoint_url=endpoint_url)


def print_json(content: object) -> None:
    """Print one JSON object on stdout, keys in the order given."""
    click.echo(json.dumps(content, ensure_ascii=False, indent=2, default=str))


def progress_bar(**options: Any) -> Progress:
    """A progress bar on stderr that shows itself only to people (not in a pipe or a log)."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
        **options,
    )


@contextmanager
def report_errors() -> Iterator[None]:
    """Show our own errors as one sentence and exit 2; anything else keeps its traceback."""
    try:
        yield
    except RoundtruthError as error:
        notes.print(f"[red]Error:[/red] {type(error).__name__}:", end=" ")
        notes.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(UNUSABLE_INPUT)
