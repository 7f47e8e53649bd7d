"""What goes wrong, and how it is brought about: processes die, AWS refuses, jobs fail, disks fill."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

import psutil

from benchmarks.fault_rounds import Rounds
from demo.celery_stack import WORKERS
from demo.stack_client import StackClient
from roundtruth.project import Project

Json = dict[str, Any]
READ_TIMEOUT = 32.0  # seconds: obstore waits 30 for an answer
FULL_DISK_SECONDS = 8.0

THROTTLED: Json = {"service": "sagemaker", "code": "ThrottlingException", "status": 400}
SERVER_ERROR: Json = {"service": "sagemaker", "code": "InternalFailure", "status": 500}
S3_SLOW_DOWN: Json = {
    "service": "s3",
    "code": "SlowDown",
    "message": "Reduce your request rate",
    "status": 503,
}
S3_SERVER_ERROR: Json = {
    "service": "s3",
    "code": "InternalError",
    "message": "We have a problem",
    "status": 500,
}
S3_READ_TIMEOUT = S3_SLOW_DOWN | {"seconds": READ_TIMEOUT}

OF_ROUNDS = ["GET */rounds/*", "PUT */rounds/*"]
OF_JOBS = ["CreateLabelingJob", "DescribeLabelingJob"]


@dataclass
class Injections:
    """Brings faults about on one stack, and counts those that struck."""

    client: StackClient
    rounds: Rounds
    chance: random.Random
    say: Callable[[str], None]
    struck: Counter[str] = field(default_factory=Counter)
    revived: Counter[str] = field(default_factory=Counter)
    _job_faults: list[Json] = field(default_factory=list)
    _kinds_of_jobs: dict[str, str] = field(default_factory=dict)  # of planned faults not counted yet
    _stood_still: set[str] = field(default_factory=set)
    _call_kinds: list[str] = field(default_factory=list)  # of the call faults in force

    # --- AWS

    def refuse_calls(self, kind: str, fault: Json, operations: list[str], times: int) -> None:
        """Answer the next calls of some operations with an error; counted once a call meets it."""
        self.say(f"{kind}: the next {times} of {', '.join(operations)}")
        self._send("PATCH", {"calls": [fault | {"operations": operations, "next": times}]})
        self._call_kinds.append(kind)

    def plan_job_fault(self, kind: str, job: str, **fault: Any) -> None:
        """Let one labeling job fail, stop, stall or fail some objects; counted by ``count_job_faults``."""
        self.say(f"{kind}: {job}")
        self._job_faults.append({"job": job} | fault)
        self._kinds_of_jobs[job] = kind
        self._send("PATCH", {"jobs": [self._job_faults[-1]]})

    def job_stands_still(self) -> bool:
        """Whether a job that is to stall has been made and stands still, or is about to."""
        stalling = {fault["job"] for fault in self._job_faults if fault.get("stall")}
        self._stood_still |= {
            job["name"] for job in self._jobs() if job["name"] in stalling and job["status"] == "InProgress"
        }
        return bool(self._stood_still & stalling)

    def count_job_faults(self) -> None:
        """Count the jobs that went wrong as planned, once each."""
        for job in self._jobs():
            wrong = job["status"] in {"Failed", "Stopped"} or job["counters"]["FailedNonRetryableError"]
            if job["name"] in self._kinds_of_jobs and (wrong or job["name"] in self._stood_still):
                self.struck[self._kinds_of_jobs.pop(job["name"])] += 1

    def release_stalled_jobs(self) -> None:
        """People come back to the jobs that stalled."""
        self.say("stalled jobs go on")
        self._job_faults = [fault for fault in self._job_faults if not fault.get("stall")]
        self.harvest()
        self._restore_faults()

    def harvest(self) -> None:
        """Count the call faults that calls have met, once each."""
        with urlopen(self._address("faults/met"), timeout=30) as answer:
            met = json.load(answer)
        for place, kind in enumerate(self._call_kinds):
            if kind and met[place]:
                self.struck[kind] += 1
                self._call_kinds[place] = ""

    # --- processes

    def kill_worker(self) -> None:
        """End one worker with all its tasks, as when its machine loses power."""
        self._kill(self.chance.choice(WORKERS), "kill -9 of a worker with its tasks")

    def kill_worker_alone(self) -> None:
        """End one worker's main process; the tasks it runs live on without it."""
        self._kill(self.chance.choice(WORKERS), "kill -9 of a worker, its tasks live on", with_tasks=False)

    def kill_triggerer(self) -> None:
        """End the process that waits for people and jobs."""
        self._kill("triggerer", "kill -9 of the triggerer")

    def kill_scheduler(self) -> None:
        """End the scheduler."""
        self._kill("scheduler", "kill -9 of the scheduler")

    def restart_sandbox(self) -> None:
        """End S3 and Ground Truth, and start them over their state."""
        self.harvest()
        self._kill("sandbox", "sandbox restarted")
        self.client.stack.wait_for("sandbox", f"{self.client.stack.sandbox_url}/_sandbox/health")
        self._restore_faults()

    def kill_publishing(self, project: Project) -> bool:
        """End both workers while a version of the project is being published; tells whether one was."""
        if not self.rounds.is_running(project, "publish_version"):
            return False
        time.sleep(self.chance.uniform(0, 1.5))
        self.say("release killed mid-publish")
        for worker in WORKERS:
            self.client.stack.kill_process(worker)
        self.struck["release killed mid-publish"] += 1
        for worker in WORKERS:
            self.client.stack.start_process(worker)
        return True

    def fill_disk(self) -> None:
        """Let one worker write no byte to any file for some seconds: EFBIG where a full disk gives ENOSPC."""
        worker = self.chance.choice(WORKERS)
        self.say(f"full disk on {worker}")
        limited = self._limit_files(self.client.stack.processes[worker].pid, 0)
        time.sleep(FULL_DISK_SECONDS)
        for process in limited:
            _limit(process, psutil.RLIM_INFINITY)
        # What was started meanwhile has the limit too.
        self._limit_files(self.client.stack.processes[worker].pid, psutil.RLIM_INFINITY)
        self.struck["full disk on a worker"] += 1

    # --- people

    def trigger_again(self) -> None:
        """Start a round that was started before."""
        name = self.chance.choice(sorted(self.rounds.projects))
        # Of the newest rounds: one that is released long since would be made again from its answers.
        self.rounds.start(self.rounds.projects[name], self.chance.choice(self.rounds.keys[name][-2:]))
        self.struck["duplicate trigger of a round"] += 1

    def _kill(self, name: str, kind: str, *, with_tasks: bool = True) -> None:
        self.say(f"{kind} ({name})")
        self.client.stack.kill_process(name, with_tasks=with_tasks)
        self.struck[kind] += 1
        time.sleep(self.chance.uniform(0.5, 2))
        self.client.stack.start_process(name)

    def _limit_files(self, pid: int, size: int) -> list[psutil.Process]:
        worker = psutil.Process(pid)
        processes = [worker, *worker.children(recursive=True)]
        for process in processes:
            _limit(process, size)
        return processes

    def revive(self) -> None:
        """Start again what died by itself, as docker-compose.yaml does (`restart: unless-stopped`)."""
        for name, process in list(self.client.stack.processes.items()):
            if process.poll() is not None:
                self.say(f"{name} ended by itself with exit code {process.returncode}, and is started again")
                self.revived[name] += 1
                self.client.stack.kill_process(name)
                self.client.stack.start_process(name)

    def _jobs(self) -> list[Json]:
        with urlopen(self._address("jobs"), timeout=30) as answer:
            found: list[Json] = json.load(answer)
        return found

    def _restore_faults(self) -> None:
        self._call_kinds.clear()
        self._send("POST", {"jobs": self._job_faults})

    def _send(self, method: str, plan: Json) -> None:
        request = Request(self._address("faults"), json.dumps(plan).encode(), method=method)
        urlopen(request, timeout=30).close()

    def _address(self, name: str) -> str:
        return f"{self.client.stack.sandbox_url}/_sandbox/{name}"


def _limit(process: psutil.Process, size: int) -> None:
    try:
        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return


def at_any_moment(injections: Injections) -> dict[str, Callable[[], None]]:
    """The faults that may strike at any moment of a round, by name."""
    return {
        "throttling": lambda: injections.refuse_calls("throttling by Ground Truth", THROTTLED, OF_JOBS, 7),
        "server errors": lambda: injections.refuse_calls("500s of Ground Truth", SERVER_ERROR, ["*"], 7),
        "slow down": lambda: injections.refuse_calls("throttling by S3", S3_SLOW_DOWN, OF_ROUNDS, 12),
        "S3 errors": lambda: injections.refuse_calls("500s of S3", S3_SERVER_ERROR, OF_ROUNDS, 12),
        "S3 time-outs": lambda: injections.refuse_calls(
            "read time-outs of S3", S3_READ_TIMEOUT, OF_ROUNDS[:1], 2
        ),
        "worker": injections.kill_worker,
        "worker alone": injections.kill_worker_alone,
        "triggerer": injections.kill_triggerer,
        "scheduler": injections.kill_scheduler,
        "sandbox": injections.restart_sandbox,
        "full disk": injections.fill_disk,
        "again": injections.trigger_again,
    }
