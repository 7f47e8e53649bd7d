"""The command of the sandbox: `roundtruth sandbox` and `python -m roundtruth.sandbox` are both this one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import get_args

import click

from roundtruth.errors import SandboxError
from roundtruth.sandbox.constants import BUCKET
from roundtruth.sandbox.faults import FaultPlan, read_faults
from roundtruth.sandbox.settings import DEFAULT_SPEED, PoolName, SandboxSettings

_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(name="sandbox")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one, which the first line tells."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that keeps S3 and jobs; without it memory only.",
)
@click.option(
    "--speed",
    type=float,
    default=DEFAULT_SPEED,
    show_default=True,
    help="Simulated seconds a real second; 1 is the pace of people.",
)
@click.option("--seed", type=int, default=0, help="Same seed and job name, same answers.")
@click.option("--workers", type=click.Choice(get_args(PoolName)), default="mixed", show_default=True)
@click.option("--replay", type=_file, help="Output manifest whose boxes the pool `replay` draws.")
@click.option("--faults", type=_file, help="JSON file of faults, see roundtruth/sandbox/faults.py.")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    default=(BUCKET,),
    show_default=True,
    help="Bucket to create; repeatable.",
)
def command(
    port: int,
    host: str,
    state: Path | None,
    speed: float,
    seed: int,
    workers: PoolName,
    replay: Path | None,
    faults: Path | None,
    buckets: tuple[str, ...],
) -> None:
    """Run S3 and Ground Truth on this machine, with simulated workers, until Ctrl-C.

    The first line on stdout is `ready <endpoint URL>`.
    """
    # The server (moto, Flask) takes a second to load: `--help` does not wait for it.
    try:
        from roundtruth.sandbox.server import run_sandbox
    except ModuleNotFoundError as error:
        if (error.name or "roundtruth").partition(".")[0] == "roundtruth":
            raise  # a defect of ours, no missing package
        raise SandboxError(
            f"The sandbox needs moto; install it with pip install '.[sandbox]' in the folder of Roundtruth "
            f"({error.name} is missing)."
        ) from error

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    run_sandbox(
        SandboxSettings(
            port=port,
            host=host,
            state=state,
            speed=speed,
            seed=seed,
            workers=workers,
            replay=replay,
            faults=read_faults(faults.read_bytes()) if faults else FaultPlan(),
            buckets=buckets,
        )
    )
