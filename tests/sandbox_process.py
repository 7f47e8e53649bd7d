"""A sandbox in a process of its own, which a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sandbox_fixture import client


@dataclass(frozen=True, kw_only=True)
class SandboxProcess:
    """A running sandbox; its clients speak to it over HTTP."""

    process: subprocess.Popen[str]
    endpoint_url: str

    @property
    def s3(self) -> Any:
        """A boto3 client of its S3."""
        return client("s3", self.endpoint_url)

    @property
    def sagemaker(self) -> Any:
        """A boto3 client of its Ground Truth."""
        return client("sagemaker", self.endpoint_url)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def sandbox_process(*arguments: str) -> Iterator[SandboxProcess]:
    """Run `python -m roundtruth.sandbox` with these arguments; at the end it must stop cleanly."""
    include = str(Path(__file__).parents[1] / "include")
    process = subprocess.Popen(
        [sys.executable, "-m", "roundtruth.sandbox", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": include},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        assert said[:1] == ["ready"], f"the sandbox did not start: {said}"
        yield SandboxProcess(process=process, endpoint_url=said[1])
        if process.poll() is None:
            process.terminate()
            assert process.wait(20) == 0, "the sandbox did not end cleanly on SIGTERM"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
