"""Hand a published version to a training command: pulled, verified, in a folder of its own."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.verify import verify_folder
from roundtruth.errors import DatasetError, ProjectError, TrainingError
from roundtruth.project import Project
from roundtruth.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roundtruth.operation_settings import Training

log = logging.getLogger(__name__)

_LAST_LINES = 20  # of the command's output, in the error when it fails
_STOP_SECONDS = 30.0  # what a command gets to save its work when it is ended
_LOOK_SECONDS = 0.05


def train(storage: Storage, project: Project, version: str = "latest") -> dict[str, Any]:
    """Pull and verify a version and run the project's command on it; without one, say what there is.

    :param version: such as v0003, or latest.
    :returns: ``version``, ``files``, ``images`` and ``boxes`` that were verified, and the ``command`` that
        ran, empty for a dry run.
    :raises DatasetError: when there is no such version, or it does not verify.
    :raises TrainingError: when the command cannot be started or fails.
    """
    settings = project.training
    if settings is None:
        raise ProjectError(f"Project {project.project!r} has no `training`; add it to the project file.")
    with _work_folder(settings, project) as folder:
        pulled = pull_version(storage, project.root_uri, project.dataset.name, version, folder)
        verified = verify_folder(folder)
        if verified.problems:
            raise DatasetError(
                f"{project.dataset.name}@{pulled.record.version} does not verify, {len(verified.problems)} "
                f"problems, such as {verified.problems[0].path}: {verified.problems[0].problem}."
            )
        record = pulled.record
        command = [
            argument.format(dataset=record.dataset, version=record.version, folder=folder)
            for argument in settings.command
        ]
        log.info(
            "%s@%s verified: %d files, %d images, %d boxes",
            record.dataset,
            record.version,
            verified.files,
            record.images,
            record.boxes,
        )
        if command:
            run_command(command, folder)
        else:
            log.info("dry run: training.command of the project file is empty, nothing is started")
        return {
            "version": record.version,
            "files": verified.files,
            "images": record.images,
            "boxes": record.boxes,
            "command": command,
        }


def run_command(command: list[str], folder: Path) -> None:
    """Run a command in a folder, its output in the log line by line; no shell, none of Airflow's variables.

    :raises TrainingError: when it cannot be started or ends with another code than 0.
    """
    shown = shlex.join(command)
    log.info("running %s", shown)
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise TrainingError(f"{shown} cannot be started: {error}.") from error
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        for line in process.stdout or ():
            log.info("%s", line.rstrip())
            last.append(line)
        code = process.wait()
    finally:
        # Whoever ends this task, or its time limit, ends the command and what it started too.
        _end(process)
    if code:
        raise TrainingError(f"{shown} ended with code {code}. Its last lines:\n{''.join(last)}")


def _end(process: subprocess.Popen[str]) -> None:
    """What the command started may outlive it, as what a shell leaves in the background."""
    deadline = time.monotonic() + _STOP_SECONDS
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()  # until somebody asked for its code it counts as there
            os.killpg(process.pid, 0)
            time.sleep(_LOOK_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def _work_folder(settings: Training, project: Project) -> Iterator[Path]:
    """The project's folder, where a later pull reads only what changed; else one for this run alone."""
    if settings.folder is not None:
        folder = Path(settings.folder).expanduser() / project.dataset.name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="roundtruth-training-") as made:
        yield Path(made)
