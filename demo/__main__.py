"""`python -m demo`: run the main job once (`run`), or keep its stack running (`up`, `down`)."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from demo.airflow_api import AirflowApi
from demo.main_job import MainJob
from demo.project_files import replay_name, write_pens_project, write_replay_project
from demo.running_stack import forget, read_running, remember
from demo.stack import ROOT, Stack, StackError, StackSettings, stop_groups
from demo.uploads import upload_folder, upload_samples
from demo.watch import RunFailedError
from roundtruth.errors import RoundtruthError

console = Console(highlight=False, soft_wrap=True)
STATE = ROOT / ".demo"
FIRST_SAMPLES = 60

_port = click.option("--api-port", default=0, help="Port of Airflow's web UI; 0 takes a free one.")
_sandbox_port = click.option("--sandbox-port", default=0, help="Port of the sandbox; 0 takes a free one.")


@click.group()
def main() -> None:
    """The main job on this machine, on loopback alone."""
    # Whoever ends this process by SIGTERM wants its children gone too, as with Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@main.command()
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--new", "new_samples", default=0, help="Generated photos to add to an earlier demo's.")
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
@click.option(
    "--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON of faults."
)
@click.option("--dataset", default=ROOT / "demo" / "dataset", type=click.Path(path_type=Path))
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
    """Run one round and its release, and pull the version that it published."""
    if (images is None) != (manifest is None):
        raise click.UsageError("IMAGES and MANIFEST go together: photos, and the labels that workers replay.")
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {text}", markup=True)

    name = replay_name(images) if images else "pens"
    projects = state / name / "projects"
    options: tuple[str, ...] = ("--faults", str(faults.resolve())) if faults else ()
    if images and manifest:
        project = write_replay_project(projects, images, manifest)
        options += ("--workers", "replay", "--replay", str(manifest.resolve()))
    else:
        project = write_pens_project(projects, scheduled=False)
    settings = StackSettings(
        state=state / name,
        projects=projects,
        api_port=api_port,
        sandbox_port=sandbox_port,
        sandbox_options=options,
    )
    try:
        with Stack(settings=settings) as stack:
            stack.start(say)
            job = MainJob(stack, project, say)
            if images:
                uploaded = upload_folder(job.storage, project, images)
            else:
                uploaded = upload_samples(job.storage, project, first=FIRST_SAMPLES, more=new_samples)
            say(f"uploaded {uploaded} photos to {project.images_uri}")
            made = job.run()
            if made is None:
                console.print("Nothing new: no labeling job was created, no version published.")
                console.print("Add generated photos with: make demo NEW=12")
                return
            job.pull(made, dataset)
            job.print_summary(console, made, dataset, manifest)
    except (StackError, RunFailedError, RoundtruthError, TimeoutError) as error:
        console.print("The demo failed.", style="red")
        console.print(str(error), markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Stopped.", style="red")
        sys.exit(130)


@main.command()
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
@_port
@_sandbox_port
def up(state: Path, api_port: int, sandbox_port: int) -> None:
    """Start the stack and leave it running, with the demo's project scheduled."""
    if read_running(state):
        raise click.ClickException("The stack runs already; `make down` stops it.")
    project = write_pens_project(state / "pens" / "projects", scheduled=True)
    stack = Stack(
        settings=StackSettings(
            state=state / "pens",
            projects=state / "pens" / "projects",
            api_port=api_port,
            sandbox_port=sandbox_port,
        )
    )
    try:
        stack.start(console.print)
        job = MainJob(stack, project, console.print)
        upload_samples(job.storage, project, first=FIRST_SAMPLES, more=0)
        job.unpause()
    except BaseException as error:
        stack.stop()
        if isinstance(error, StackError | TimeoutError):
            console.print(str(error), style="red", markup=False)
            sys.exit(1)
        raise
    remember(state, stack)
    password = AirflowApi(stack.api_url, stack.airflow_home).password()
    console.print(f"Airflow's web UI: {stack.api_url}  (user admin, password {password})", markup=False)
    console.print(f"Sandbox, S3 and Ground Truth: {stack.sandbox_url}", markup=False)
    console.print("Stop it with: make down")


@main.command()
@click.option("--state", default=STATE, type=click.Path(path_type=Path), help="Folder of S3 and Airflow.")
def down(state: Path) -> None:
    """Stop the stack that `up` left running."""
    groups = read_running(state)
    stop_groups(groups)
    forget(state)
    console.print(f"Stopped {len(groups)} processes." if groups else "Nothing was running.")


if __name__ == "__main__":
    main()
