"""Brings faults of AWS and of people about: refused calls, jobs that go wrong, rounds started twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.fault_kinds import CALL_FAULTS, DUPLICATE, JOB_FAULTS, OF_S3
from benchmarks.fault_rounds import Rounds
from benchmarks.fault_strikes import Strikes
from demo.stack_client import StackClient
from roundtruth.project import Project

Json = dict[str, Any]
_ENDED_BADLY = {"Failed", "Stopped"}


@dataclass
class _CallFault:
    """A call fault in force: its place in the sandbox's plan is its place in the list."""

    kind: str
    call: str
    injection: int
    fault: Json
    times: int
    counts: bool = True  # whether meeting it is a fault; a slow call alone is none
    met: int = 0


@dataclass
class Injections:
    """What goes wrong on one stack's side of AWS, and what of it has struck."""

    client: StackClient
    rounds: Rounds
    chance: random.Random
    say: Callable[[str], None]
    strikes: Strikes = field(default_factory=Strikes)
    _calls: list[_CallFault] = field(default_factory=list)
    _struck: set[int] = field(default_factory=set)  # injections that are counted
    _injections: int = 0
    _jobs: dict[str, tuple[str, Json]] = field(default_factory=dict)  # job -> kind and fault, in force
    _waiting: dict[str, str] = field(default_factory=dict)  # job -> kind, not struck yet

    # --- calls

    def refuse_calls(self, kind: str) -> None:
        """Strike the next few calls of some operations; it counts once a call has met it."""
        fault, calls, number, (least, most) = CALL_FAULTS[kind]
        # Those that were struck least so far first: every operation gets its turn.
        order = sorted(calls, key=lambda call: (self.strikes.calls[call], self.chance.random()))[:number]
        self._injections += 1
        self.say(f"{kind}: {', '.join(order)}")
        for call in order:
            times = self.chance.randint(least, most)
            self._refuse(_CallFault(kind, call, self._injections, fault, times))

    def slow_call(self, call: str, seconds: float) -> Callable[[], bool]:
        """Let the next call of an S3 operation take its time; returns what tells whether one is under way."""
        self._injections += 1
        fault = OF_S3 | {"effect": "slow", "seconds": seconds}
        slow = _CallFault("slow", call, self._injections, fault, times=1, counts=False)
        self._refuse(slow)

        def is_met() -> bool:
            self.harvest()
            return slow.met > 0

        return is_met

    def harvest(self) -> None:
        """Count the call faults that calls have met, once an injection."""
        for fault, met in zip(self._calls, self._get("faults/met"), strict=True):
            new, fault.met = met - fault.met, met
            if not fault.counts or not new:
                continue
            self.strikes.calls[fault.call] += new
            if fault.injection not in self._struck:
                self._struck.add(fault.injection)
                self.strikes.count(fault.kind)
                self.say(f"struck: {fault.kind}, by {fault.call}")

    def take_back(self) -> None:
        """End all faults of calls and jobs, after counting what they struck."""
        self.harvest()
        self.count_job_faults()
        self._jobs.clear()
        self._waiting.clear()
        self._calls.clear()
        self.restore()

    def restore(self) -> None:
        """Put the faults in force again that have not struck yet: a restarted sandbox knows none."""
        self._send("POST", {"jobs": [{"job": job} | fault for job, (_, fault) in self._jobs.items()]})
        waiting = [entry for entry in self._calls if not entry.met]
        self._calls.clear()
        for entry in waiting:
            self._refuse(entry)

    def _refuse(self, entry: _CallFault) -> None:
        plan = entry.fault | {"operations": [entry.call], "next": entry.times}
        self._send("PATCH", {"calls": [plan]})
        self._calls.append(entry)

    # --- labeling jobs

    def plan_job_fault(self, kind: str, job: str) -> None:
        """Let one labeling job go wrong; it counts once Ground Truth shows that it did."""
        self.say(f"{kind}: {job}")
        fault = JOB_FAULTS[kind]
        self._jobs[job] = (kind, fault)
        self._waiting[job] = kind
        self._send("PATCH", {"jobs": [{"job": job} | fault]})

    def count_job_faults(self) -> None:
        """Count the jobs that went wrong as planned, once each."""
        for job in self.created():
            name, counters = job["name"], job["counters"]
            if name not in self._waiting:
                continue
            _, fault = self._jobs[name]
            labeled = counters["TotalLabeled"] / max(1, counters["TotalLabeled"] + counters["Unlabeled"])
            stands = fault.get("stall") and job["status"] == "InProgress" and labeled >= fault["after"]
            if job["status"] in _ENDED_BADLY or counters["FailedNonRetryableError"] or stands:
                self.strikes.count(self._waiting.pop(name))
                self.say(f"struck: {name} is {job['status']}, {counters}")

    @property
    def stalled(self) -> list[str]:
        """The jobs that stand still now."""
        return [
            job for job, (_, fault) in self._jobs.items() if fault.get("stall") and job not in self._waiting
        ]

    def release_stalled(self) -> None:
        """People come back to the jobs that stand still."""
        self.say(f"people go on with {', '.join(self.stalled)}")
        for job in self.stalled:
            del self._jobs[job]
        self.harvest()
        self.restore()

    def created(self) -> list[Json]:
        """All labeling jobs of the sandbox, in short."""
        found: list[Json] = self._get("jobs")
        return found

    # --- people

    def trigger_again(self, projects: Sequence[Project]) -> bool:
        """Start a round once more while it runs; tells whether one did."""
        running = [(project, key) for project in projects for key in self.rounds.running(project)]
        if not running:
            return False
        project, key = self.chance.choice(running)
        self.rounds.start(project, key)
        self.strikes.count(DUPLICATE)
        return True

    def _get(self, name: str) -> Any:
        with urlopen(self._address(name), timeout=30) as answer:
            return json.load(answer)

    def _send(self, method: str, plan: Json) -> None:
        request = Request(self._address("faults"), json.dumps(plan).encode(), method=method)
        urlopen(request, timeout=30).close()

    def _address(self, name: str) -> str:
        return f"{self.client.stack.sandbox_url}/_sandbox/{name}"


def wait_for(happens: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Look again and again until something happens; tells whether it did in time."""
    deadline = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
