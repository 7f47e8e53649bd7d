"""How errors are shown: those of people, disk and network in one sentence, defects with their traceback."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from roundtruth import cli
from roundtruth.cli.console import report_errors
from roundtruth.errors import StorageError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        pytest.param(StorageError("s3://b/k is gone."), "StorageError: s3://b/k is gone.", id="ours"),
        pytest.param(
            PermissionError(errno.EACCES, "Permission denied", "/sys/x"),
            "OSError: /sys/x cannot be used: Permission denied; check the path and what you may write.",
            id="a place",
        ),
        pytest.param(
            OSError(errno.ENOSPC, "No space left on device"),
            "OSError: The system refuses: No space left on device.",
            id="no place named",
        ),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://127.0.0.1:9/b"),
            "StorageError: http://127.0.0.1:9/b cannot be reached; "
            "check --endpoint-url or AWS_ENDPOINT_URL, and the network.",
            id="boto3 reaches nobody",
        ),
        pytest.param(
            StorageError(
                "Cannot read s3://b/k: Generic S3 error: Error performing GET http://127.0.0.1:9/b/k "
                "in 3.3s, after 10 retries - HTTP error: error sending request."
            ),
            "StorageError: Cannot read s3://b/k: http://127.0.0.1:9 cannot be reached; "
            "check --endpoint-url or AWS_ENDPOINT_URL, and the network.",
            id="obstore reaches nobody",
        ),
    ],
)
def test_one_sentence_and_exit_2(error: Exception, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, report_errors():
        raise error
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: {sentence}\n"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyError("name"), id="a key"),
        pytest.param(ValueError("no"), id="a value"),
        pytest.param(OSError("made up"), id="no error of the system"),
        pytest.param(BrokenPipeError(errno.EPIPE, "Broken pipe"), id="a closed pipe is click's"),
        pytest.param(
            FileNotFoundError(errno.ENOENT, "No such file", str(Path(cli.__file__).parent / "x.json")),
            id="a file of the package",
        ),
    ],
)
def test_defects_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), report_errors():
        raise error
