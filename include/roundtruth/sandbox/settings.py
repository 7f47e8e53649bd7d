"""How a sandbox runs: port, state folder, pace, seed, workers, faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from roundtruth.errors import SandboxError
from roundtruth.sandbox.constants import BUCKET
from roundtruth.sandbox.faults import FaultPlan

PoolName = Literal["good", "mixed", "bad", "replay"]

# 60 objects with 3 workers each take about 20 real seconds at this pace (see scheduling.py).
DEFAULT_SPEED = 20.0


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """What `run_sandbox` and `Sandbox` are told.

    `speed` is simulated seconds per real second: 1 is the pace of people. Without `state` everything is in
    memory only. `replay` is an output manifest, needed by (and only by) the pool `replay`: its workers draw
    exactly the boxes recorded there. `port` 0 takes a free one.
    """

    port: int = 0
    host: str = "127.0.0.1"
    state: Path | None = None
    speed: float = DEFAULT_SPEED
    seed: int = 0
    workers: PoolName = "mixed"
    replay: Path | None = None
    faults: FaultPlan = field(default_factory=FaultPlan)
    buckets: tuple[str, ...] = (BUCKET,)

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise SandboxError(f"The sandbox's speed must be above 0, not {self.speed}.")
        if (self.workers == "replay") != (self.replay is not None):
            raise SandboxError(
                "The pool 'replay' and a manifest to replay go together: give both or neither."
            )
        if self.replay is not None and not self.replay.is_file():
            raise SandboxError(f"The manifest to replay, {self.replay}, is not a file.")
