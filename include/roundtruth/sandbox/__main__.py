"""`python -m roundtruth.sandbox`: a Ground Truth on this machine."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from roundtruth.errors import SandboxError
from roundtruth.sandbox.constants import BUCKET
from roundtruth.sandbox.faults import FaultPlan, read_faults
from roundtruth.sandbox.server import run_sandbox
from roundtruth.sandbox.settings import DEFAULT_SPEED, SandboxSettings


def main() -> int:
    """Read the command line and serve until the process is asked to end."""
    parser = argparse.ArgumentParser(prog="python -m roundtruth.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which the first line tells")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--state", type=Path, help="folder that keeps S3 and jobs; without it memory only")
    parser.add_argument("--speed", type=float, default=DEFAULT_SPEED, help="simulated seconds a real second")
    parser.add_argument("--seed", type=int, default=0, help="same seed and job name, same answers")
    parser.add_argument("--workers", choices=("mixed", "good", "bad", "replay"), default="mixed")
    parser.add_argument("--replay", type=Path, help="output manifest whose boxes the pool `replay` draws")
    parser.add_argument("--faults", type=Path, help="JSON file of faults, see roundtruth/sandbox/faults.py")
    parser.add_argument("--bucket", action="append", help=f"bucket to create (default {BUCKET}); repeatable")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        run_sandbox(
            SandboxSettings(
                port=arguments.port,
                host=arguments.host,
                state=arguments.state,
                speed=arguments.speed,
                seed=arguments.seed,
                workers=arguments.workers,
                replay=arguments.replay,
                faults=read_faults(arguments.faults.read_bytes()) if arguments.faults else FaultPlan(),
                buckets=tuple(arguments.bucket or (BUCKET,)),
            )
        )
    except (SandboxError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
