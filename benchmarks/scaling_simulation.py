"""A week of many projects on several workers, simulated from what the benches measured; prints Markdown.

Run: python -m benchmarks.scaling_simulation [--images 10000000] [--projects 100] [--workers 10] > page.md

Every project has one round a week and as many images as the others. A task needs one core for its CPU
seconds; tasks wait in the order in which they become ready for a free core (Celery slots or pods: the same
here). A job waits for people in the triggerer, without a core. The figures of Costs are of this machine's
cores; Prices are assumptions to be replaced by one's own: list prices change, and were not looked up.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from dataclasses import dataclass, replace

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Costs:
    """CPU seconds by stage; each figure's bench is named beside it."""

    task: float = 1.0  # a task beside its work (bench_airflow.py)
    listed_key: float = 14.5e-6  # planning, an image in the bucket (bench_planning.py)
    header: float = 0.49e-3  # size and orientation of a new image (bench_transfers.py)
    manifest_image: float = 11e-6  # job inputs and manifest (bench_planning.py)
    response: float = 0.22e-3  # read and decode a worker-response file (bench_transfers.py)
    consensus: float = 0.54e-3  # an image of three workers, seven boxes (bench_round.py)
    pixels: float = 62e-3  # digest and perceptual hash of a photo of 4.3 MB (bench_pixels.py)
    checks: float = 0.27e-3  # all checks of a round and its version, an image of seven boxes (bench_round.py)
    checks_start: float = 5.0  # loading Great Expectations (QUALITY.md)
    merged: float = 0.1e-3  # merging and recording an image
    version_new: float = 155e-6  # publishing packed, an image that is new (bench_round.py)
    version_kept: float = 71e-6  # and one that stays (bench_round.py)


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars; assumptions."""

    put_1000: float = 0.005  # PUT, COPY, LIST
    get_1000: float = 0.0004
    core_hour: float = 0.048  # a quarter of a machine of four cores at 0.192
    first_objects: float = 0.08  # Ground Truth's own fee an object, steps of a month
    more_objects: float = 0.04  # over 50,000
    most_objects: float = 0.02  # over 1,000,000


@dataclass(frozen=True, kw_only=True)
class Week:
    """What is asked for."""

    images: int = 10_000_000
    projects: int = 100
    workers: int = 10
    cores: int = 4  # of a worker
    weeks: int = 26  # the projects have run for so long
    spread: bool = False  # rounds begin all over the week, or all on Monday morning
    pixel_shards: int = 1  # tasks that share a round's look at pixels

    @property
    def each(self) -> int:
        """Images of a project's round."""
        return self.images // self.projects


def before_people(week: Week, costs: Costs) -> list[list[tuple[str, float]]]:
    """Stages up to the labeling job; a stage is a list of tasks that run side by side."""
    known = week.each * week.weeks
    plan = costs.task + known * costs.listed_key + week.each * costs.header
    return [
        [("open_round", costs.task)],
        [("plan_round", plan)],
        [("build_manifest", costs.task + week.each * costs.manifest_image)],
        [("run_labeling_job", costs.task)],
    ]


def after_people(week: Week, costs: Costs) -> list[list[tuple[str, float]]]:
    """Stages from the last answer to the published version."""
    n, known = week.each, week.each * week.weeks
    shard = costs.task + n * costs.pixels / week.pixel_shards
    version = known * costs.version_kept + n * costs.version_new
    return [
        [("collect_answers", costs.task + n * costs.response)],
        [("measure_consensus", costs.task + n * costs.consensus)],
        [("inspect_images", shard)] * week.pixel_shards,
        [("merge_categories", costs.task + n * costs.merged)],
        [("check_quality", costs.task + costs.checks_start + n * costs.checks)],
        [("record_round", costs.task + n * costs.merged)],
        [("assemble_version", costs.task + version / 2)],
        [("check_dataset", costs.task + costs.checks_start + known * costs.checks / 10)],
        [("publish_version", costs.task + version / 2)],
    ]


def simulate(week: Week, costs: Costs) -> dict[str, object]:
    """Run the week; when people are done differs by project, from one day to four."""
    cores = [0.0] * (week.workers * week.cores)
    heapq.heapify(cores)
    spent: Counter[str] = Counter()
    stages = [before_people(week, costs), after_people(week, costs)]
    ready: list[tuple[float, int, int, int]] = []  # moment, project, phase, stage
    for project in range(week.projects):
        start = 168 * HOUR * project / week.projects if week.spread else 0.0
        heapq.heappush(ready, (start, project, 0, 0))
    answered: dict[int, float] = {}
    published: dict[int, float] = {}
    longest = 0.0
    while ready:
        moment, project, phase, number = heapq.heappop(ready)
        end = moment
        for name, seconds in stages[phase][number]:
            core = heapq.heappop(cores)
            begin = max(core, moment)
            longest = max(longest, begin - moment)
            heapq.heappush(cores, begin + seconds)
            end = max(end, begin + seconds)
            spent[name] += seconds  # type: ignore[assignment]  # a Counter of floats
        if number + 1 < len(stages[phase]):
            heapq.heappush(ready, (end, project, phase, number + 1))
        elif phase == 0:
            answered[project] = end + (24 + 72 * (project * 37 % week.projects) / week.projects) * HOUR
            heapq.heappush(ready, (answered[project], project, 1, 0))
        else:
            published[project] = end
    waits = sorted(published[one] - answered[one] for one in published)
    return {
        "spent": spent,
        "cpu": sum(spent.values()) / HOUR,
        "use": sum(spent.values()) / (len(cores) * 168 * HOUR),
        "median": waits[len(waits) // 2] / HOUR,
        "worst": waits[-1] / HOUR,
        "queued": longest / HOUR,
    }


def requests(week: Week) -> dict[str, tuple[int, str]]:
    """S3 requests of a week, by what they are for, and their price class."""
    n = week.images
    known = week.images * week.weeks
    return {
        "listing all images to plan (a thousand a request)": (known // 1000, "put"),
        "image headers by range": (n, "get"),
        "pixels": (n, "get"),
        "worker responses, written by Ground Truth": (n, "put"),
        "worker responses, read": (n, "get"),
        "packed version, tables of rounds": (week.projects * 100, "put"),
        "with the layout tree instead: an image copied, a label file written": (2 * known, "put"),
    }


def fee(objects: int, prices: Prices) -> float:
    """Ground Truth's fee of a month with so many objects."""
    first, second = min(objects, 50_000), min(max(objects - 50_000, 0), 950_000)
    rest = objects - first - second
    return first * prices.first_objects + second * prices.more_objects + rest * prices.most_objects


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=Week.images)
    arguments.add_argument("--projects", type=int, default=Week.projects)
    arguments.add_argument("--workers", type=int, default=Week.workers)
    chosen = arguments.parse_args()
    week = Week(images=chosen.images, projects=chosen.projects, workers=chosen.workers)
    costs, prices = Costs(), Prices()
    cases = {
        "as it is, all rounds on Monday at 6": week,
        "rounds spread over the week": replace(week, spread=True),
        "the look at pixels in 8 tasks a round": replace(week, pixel_shards=8),
        "both": replace(week, spread=True, pixel_shards=8),
        "both, 2 workers": replace(week, spread=True, pixel_shards=8, workers=2),
        "both, 1 worker": replace(week, spread=True, pixel_shards=8, workers=1),
    }
    print("| case | CPU hours | cores busy | answers to version, median h | worst h | longest queue, h |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, one in cases.items():
        found = simulate(one, costs)
        print(
            f"| {name} | {found['cpu']:.0f} | {found['use']:.1%} | {found['median']:.2f} "
            f"| {found['worst']:.2f} | {found['queued']:.2f} |"
        )
    spent = simulate(week, costs)["spent"]
    assert isinstance(spent, Counter)
    print("\n| task | CPU hours a week | share |\n| --- | ---: | ---: |")
    for name, seconds in spent.most_common():
        print(f"| `{name}` | {seconds / HOUR:.2f} | {seconds / sum(spent.values()):.1%} |")
    print("\n| S3 requests a week | count | US dollars |\n| --- | ---: | ---: |")
    for name, (count, kind) in requests(week).items():
        price = prices.put_1000 if kind == "put" else prices.get_1000
        print(f"| {name} | {count:,} | {count / 1000 * price:,.2f} |")
    compute = sum(spent.values()) / HOUR * prices.core_hour
    idle = week.workers * week.cores * 168 * prices.core_hour
    month = fee(week.images * 52 // 12, prices) * 12 / 52
    print("\n| a week | US dollars |\n| --- | ---: |")
    print(f"| cores that are used ({sum(spent.values()) / HOUR:.0f} hours) | {compute:,.0f} |")
    print(f"| {week.workers} workers of {week.cores} cores, always on | {idle:,.0f} |")
    print(f"| Ground Truth's fee, private workforce | {month:,.0f} |")


if __name__ == "__main__":
    main()
