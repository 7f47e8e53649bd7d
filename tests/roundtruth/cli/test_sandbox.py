from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from roundtruth.cli import main
from roundtruth.cli.sandbox import command
from roundtruth.sandbox import command as sandbox_command


def test_both_ways_are_one_command() -> None:
    assert command is sandbox_command.command


def test_runs_until_it_is_interrupted() -> None:
    include = str(Path(__file__).parents[3] / "include")
    process = subprocess.Popen(
        [sys.executable, "-c", "from roundtruth.cli import main; main()", "sandbox", "--bucket", "mine"],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": include, "PATH": "/usr/bin"},
    )
    try:
        assert process.stdout is not None
        ready, url = process.stdout.readline().split()
        assert ready == "ready"
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/_sandbox/health", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def test_a_taken_port_is_told() -> None:
    # In a process of its own: the tests' sandbox may run in this one.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-c", "from roundtruth.cli import main; main()", "sandbox", "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PYTHONPATH": str(Path(__file__).parents[3] / "include"), "PATH": "/usr/bin"},
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr == (
        f"Error: SandboxError: The sandbox cannot listen on 127.0.0.1:{port}: the port is taken; "
        "choose another one by --port.\n"
    )


def test_without_moto_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "roundtruth.sandbox.server", raising=False)
    monkeypatch.setitem(sys.modules, "moto.moto_server.werkzeug_app", None)
    result = CliRunner().invoke(main, ["sandbox"])
    assert result.exit_code == 2
    assert "The sandbox needs moto; install it with pip install '.[sandbox]'" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "replay"], "give both or neither"),
        (["--speed", "0"], "speed must be above 0"),
        (["--workers", "tired"], "'tired' is not one of"),
        (["--faults", "no-such-file.json"], "does not exist"),
        (["--port", "http"], "'http' is not a valid integer"),
    ],
)
def test_wrong_options_exit_2(options: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["sandbox", *options])
    assert result.exit_code == 2
    assert words in result.stderr
