"""What all commands share: opening storage, progress bars, JSON output and how errors are shown."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import boto3
import click
from botocore.exceptions import ConnectionError as EndpointError
from botocore.exceptions import HTTPClientError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from roundtruth.errors import RoundtruthError, StorageError
from roundtruth.storage import Storage

FAILED_CHECK = 1
UNUSABLE_INPUT = 2

_PACKAGE = Path(__file__).resolve().parents[1]
_ADDRESS = "check --endpoint-url or AWS_ENDPOINT_URL, and the network."

# People read stderr, machines read stdout: progress and notes never mix with `--json`.
notes = Console(stderr=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for machines.")
endpoint_option = click.option(
    "--endpoint-url",
    envvar="AWS_ENDPOINT_URL",
    help="Another endpoint than AWS, such as the sandbox's address.",
)


def open_storage(endpoint_url: str | None = None) -> Storage:
    """Storage with this machine's AWS credentials, found as every AWS tool finds them.

    :raises StorageError: when the endpoint is no address.
    """
    if endpoint_url and not re.fullmatch(r"https?://[^/\s]+/?", endpoint_url):
        raise StorageError(f"{endpoint_url} is no endpoint; give one such as http://127.0.0.1:5000.")
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
    """Show our own errors, and those of disk and network, as one sentence and exit 2.

    Anything else keeps its traceback: it is a defect. A closed pipe is click's to handle.
    """
    try:
        yield
    except RoundtruthError as error:
        _end(type(error).__name__, _without_client_text(error))
    except (EndpointError, HTTPClientError) as error:
        _end("StorageError", f"{error.kwargs.get('endpoint_url') or 'AWS'} cannot be reached; {_ADDRESS}")
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.strerror is None or _is_ours(error.filename):
            raise
        if error.filename is None:
            _end("OSError", f"The system refuses: {error.strerror}.")
        place = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        _end("OSError", f"{place} cannot be used: {error.strerror}; check the path and what you may write.")


def _end(kind: str, sentence: str) -> NoReturn:
    notes.print(f"[red]Error:[/red] {kind}:", end=" ")
    notes.print(sentence, markup=False, highlight=False, soft_wrap=True)
    sys.exit(UNUSABLE_INPUT)


def _without_client_text(error: RoundtruthError) -> str:
    """The sentence; of a request that reached nobody, without the client's account of its retries."""
    sentence = str(error)
    unreached = re.search(r": Generic S3 error: .*?(https?://[^/\s]+).*error sending request", sentence)
    if unreached is None:
        return sentence
    return f"{sentence[: unreached.start()]}: {unreached[1]} cannot be reached; {_ADDRESS}"


def _is_ours(place: object) -> bool:
    """Whether it is a file of this package: one that is not there is a defect, no wrong input."""
    return isinstance(place, str) and Path(place).resolve().is_relative_to(_PACKAGE)
