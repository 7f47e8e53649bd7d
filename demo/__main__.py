"""`python -m demo`: run the main job once (`run`), or keep its stack running (`up`, `down`)."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import httpx
from rich.console import Console

from demo.airflow_api import AirflowApi, AirflowRefusedError
from demo.celery_stack import CeleryStack
from demo.main_job import MainJob, NothingPublishedError
from demo.processes import stop_groups
from demo.project_files import PENS, replay_name, write_pens_project, write_replay_project
from demo.running_stack import forget, read_running
from demo.stack import ROOT, Stack, StackError, StackSettings
from demo.uploads import samples_there, upload_folder, upload_samples
from demo.watch import RunFailedError
from roundtruth.errors import RoundtruthError
from roundtruth.project_files import load_project

console = Console(highlight=False, soft_wrap=True)
STATE = ROOT / ".demo"
FIRST_SAMPLES = 60
NEXT_SAMPLES = 12

FAILURES = (
    StackError,
    RunFailedError,
    NothingPublishedError,
    AirflowRefusedError,
    RoundtruthError,
    TimeoutError,
    httpx.HTTPError,
)
PORT = click.IntRange(0, 65_535)

_port = click.option("--api-port", default=0, type=PORT, help="Port of Airflow's web UI; 0: a free one.")
_sandbox_port = click.option(
    "--sandbox-port", default=0, type=PORT, help="Port of the sandbox; 0: a free one."
)


@click.group()
def main() -> None:
    """The main job on this machine, on loopback alone."""
    # Whoever ends this process, or closes its terminal, wants its children gone too, as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))


@main.command()
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of your own photos.",
)
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Output manifest of a real job, whose boxes the workers draw on them.",
)
@click.option(
    "--new", "new_samples", default=0, type=click.IntRange(0), help="Generated photos to add to earlier ones."
)
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
@click.option(
    "--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON of faults."
)
@click.option(
    "--dataset",
    default=ROOT / "demo" / "dataset",
    type=click.Path(path_type=Path),
    help="Where the version is pulled to.",
)
@_port
@_sandbox_port
def run(
    images: Path | None,
    manifest: Path | None,
    new_samples: int,
    state: Path,
    faults: Path | None,
    dataset: Path,
    api_port: int,
    sandbox_port: int,
) -> None:
    """Run two rounds and their releases, pull what they published, and print what the second changed.

    With photos of your own, or when both were there: one round with what is new.
    """
    if (images is None) != (manifest is None):
        raise click.UsageError("IMAGES and MANIFEST go together: photos, and the labels that workers replay.")
    if images and new_samples:
        raise click.UsageError("NEW adds generated photos; put photos of your own into the IMAGES folder.")
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {text}", markup=True)

    name = replay_name(images) if images else "pens"
    options: tuple[str, ...] = ("--faults", str(faults.resolve())) if faults else ()
    if manifest:
        options += ("--workers", "replay", "--replay", str(manifest.resolve()))
    settings = StackSettings(
        state=state / name,
        projects=state / name / "projects",
        api_port=api_port,
        sandbox_port=sandbox_port,
        sandbox_options=options,
    )
    try:
        with Stack(settings=settings) as stack:
            stack.refuse_if_running()
            if images and manifest:
                project = write_replay_project(settings.projects, images, manifest)
            else:
                project = write_pens_project(settings.projects)
            stack.start(say)
            job = MainJob(stack, project, say)
            if images:
                uploads = [lambda: upload_folder(job.storage, project, images)]
            else:
                totals = sample_totals(samples_there(job.storage, project), new_samples)
                uploads = [partial(upload_samples, job.storage, project, total) for total in totals]
            made = [_one_round(job, upload, dataset, manifest) for upload in uploads]
            if not any(made):
                _say_nothing_new(images is not None)
    except FAILURES as error:
        console.print("The demo failed.", style="red")
        console.print(str(error), markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Stopped.", style="red")
        sys.exit(130)


def sample_totals(there: int, new: int) -> list[int]:
    """How many generated photos there are to be at each round of a demo: a first week and the one after it.

    Later demos add what is asked for. One that was stopped between its rounds does the second.
    """
    return [FIRST_SAMPLES, FIRST_SAMPLES + (new or NEXT_SAMPLES)] if there <= FIRST_SAMPLES else [there + new]


def _one_round(job: MainJob, upload: Callable[[], int], dataset: Path, manifest: Path | None) -> bool:
    """Upload photos, label and release them, and pull and print what came of it; whether anything did."""
    job.say(f"uploaded {upload()} photos to {job.project.images_uri}")
    round_key = job.run()
    pulled = job.pull(dataset)
    if not round_key and not pulled:
        return False
    job.print_summary(console, round_key, dataset, manifest)
    return True


def _say_nothing_new(own_photos: bool) -> None:
    console.print("Nothing new: no labeling job was created, no version published.")
    hint = "Put new photos into the folder" if own_photos else "Add generated photos with make demo NEW=12"
    console.print(f"{hint} for another round.")


@main.command()
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
@click.option(
    "--celery", is_flag=True, help="With PostgreSQL, Redis and two Celery workers, as a team has it."
)
@_port
@_sandbox_port
def up(state: Path, celery: bool, api_port: int, sandbox_port: int) -> None:
    """Start the stack and leave it running, with the projects of include/projects scheduled."""
    stack = (CeleryStack if celery else Stack)(
        settings=StackSettings(
            state=state / ("celery" if celery else "pens"),
            projects=PENS.parent,
            api_port=api_port,
            sandbox_port=sandbox_port,
        )
    )
    try:
        stack.start(console.print)
        job = MainJob(stack, load_project(PENS), console.print)
        upload_samples(job.storage, job.project, FIRST_SAMPLES)
        job.unpause()
    except BaseException as error:
        stack.stop()
        if isinstance(error, FAILURES):
            console.print(str(error), style="red", markup=False)
            sys.exit(1)
        raise
    password = AirflowApi(stack.api_url, stack.airflow_home).password()
    console.print(f"Airflow's web UI: {stack.api_url}  (user admin, password {password})", markup=False)
    console.print(f"Sandbox, S3 and Ground Truth: {stack.sandbox_url}  (any credentials)", markup=False)
    console.print("Stop it with: make down")


@main.command()
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
def down(state: Path) -> None:
    """Stop every stack that still runs: that of `up`, and what a killed demo left behind."""
    folders = [folder for folder in sorted(state.glob("*")) if folder.is_dir()]
    groups = [group for folder in folders for group in read_running(folder)]
    stop_groups(groups)
    for folder in folders:
        forget(folder)
    console.print(f"Stopped {len(groups)} processes." if groups else "Nothing was running.")


if __name__ == "__main__":
    main()
