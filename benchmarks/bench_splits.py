"""Do images stay in their split, groups whole and classes even, when a dataset grows: ours and four others.

Run: make bench-splits, or python benchmarks/bench_splits.py --peers PYTHON [--scenes 5].
The others run in an environment of their own (split_peers.py), over the same scenes, in the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from least_deviation import least_deviation
from split_speed import speed_page

from roundtruth.datasets.splits import assign_splits

RATIOS = {"train": 0.8, "val": 0.2}
GROUPS, FRAMES, CLASSES = 400, 5, 6
PREFIX = "s3://bucket/"
OURS = "**roundtruth**"
VERSIONS = 10
LEAST = "*least that is possible*"

Splits = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Frames of clips: 2,000 images in version 1, 200 more in each later one, half of them in old clips."""

    versions: list[list[str]]
    groups: dict[str, str]
    class_ids: dict[str, list[int]]

    @property
    def first(self) -> list[str]:
        """The images of version 1."""
        return self.versions[0]

    @property
    def second(self) -> list[str]:
        """The images of version 2."""
        return self.versions[1]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """In per cent; deviations in points: the class whose share in val is furthest from 20 %."""

    moved: float  # of version 1's images, those in another split in version 2
    leaked: float  # of version 1's val images, those that version 2 trains on
    torn: float  # groups in both splits
    val: float  # of the images of version 2
    deviation_1: float
    deviation_2: float


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="a Python with split-peers.txt installed")
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--page", type=Path, default=Path(__file__).with_name("SPLITS.md"))
    arguments = parser.parse_args()
    scenes = [make_scene(seed) for seed in range(arguments.scenes)]
    alone = [replace(scene, groups={name: name for name in scene.second}) for scene in scenes]
    versions, found = by_peers(arguments.peers, scenes)
    found |= {"keyed hash of the group": [both(scene, by_hash) for scene in scenes]}
    grouped = {OURS: [both(scene, ours) for scene in scenes]} | found
    # Those that know no groups do the same again when each image is a group of its own.
    free = {OURS: [both(scene, ours) for scene in alone]} | {
        name: pairs for name, pairs in found.items() if "Group" not in name and "hash" not in name
    }
    tables = [table_of(grouped, scenes), table_of(free, alone)]
    arguments.page.write_text(page(tables, len(scenes), versions), encoding="utf-8")


def make_scene(seed: int, versions: int = 2) -> Scene:
    """Classes are as uneven as in real sets: the rarest has about 3 % of the boxes of the commonest."""
    random = np.random.default_rng(seed)
    shares = np.array([0.5, 0.25, 0.12, 0.08, 0.035, 0.015])
    groups: dict[str, str] = {}
    class_ids: dict[str, list[int]] = {}
    on_clips = random.choice(CLASSES, size=(GROUPS + 20 * (versions - 1), 3), p=shares)

    def frames(clip: int, count: int) -> list[str]:
        shown = on_clips[clip]
        names = [f"s3://bucket/images/clip{clip:04d}/{len(groups) + one:05d}.jpg" for one in range(count)]
        for name in names:
            groups[name] = f"clip{clip:04d}"
            class_ids[name] = [int(one) for one in shown for _ in range(int(random.integers(0, 3)))]
        return names

    found = [[name for clip in range(GROUPS) for name in frames(clip, FRAMES)]]
    for clips in range(GROUPS, GROUPS + 20 * (versions - 1), 20):
        new = [name for clip in range(clips, clips + 20) for name in frames(clip, FRAMES)]
        old = random.choice(GROUPS, size=20, replace=False)
        new += [name for clip in old for name in frames(int(clip), FRAMES)]
        found.append(found[-1] + new)
    return Scene(versions=found, groups=groups, class_ids=class_ids)


def both(scene: Scene, split: Callable[[Scene, list[str], Splits], Splits]) -> tuple[Splits, Splits]:
    """The splits of version 1, and of version 2 after it."""
    first = split(scene, scene.first, {})
    return first, split(scene, scene.second, first)


def ours(scene: Scene, names: list[str], before: Splits) -> Splits:
    """What a release does."""
    groups = {name: scene.groups[name] for name in names}
    class_ids = {name: scene.class_ids[name] for name in names}
    return assign_splits(names, RATIOS, before, groups=groups, class_ids=class_ids)


def by_hash(scene: Scene, names: list[str], before: Splits) -> Splits:
    """The share of a digest of the group's name: stable and whole, blind to classes."""
    shares = {
        name: int(hashlib.sha256(scene.groups[name].encode()).hexdigest()[:8], 16) / 2**32 for name in names
    }
    return {name: "train" if share < 0.8 else "val" for name, share in shares.items()}


def by_peers(
    python: Path, scenes: Sequence[Scene]
) -> tuple[dict[str, str], dict[str, list[tuple[Splits, Splits]]]]:
    """The libraries' versions, and what each makes of both versions of each scene, in names sorted."""
    cases = [(scene, sorted(names)) for scene in scenes for names in (scene.first, scene.second)]
    content = [
        {
            "names": [name.removeprefix(PREFIX) for name in names],
            "class_ids": {name.removeprefix(PREFIX): scene.class_ids[name] for name in names},
            "groups": {name.removeprefix(PREFIX): scene.groups[name] for name in names},
        }
        for scene, names in cases
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "scenes.json", Path(folder) / "splits.json"
        source.write_text(json.dumps(content), encoding="utf-8")
        script = Path(__file__).with_name("split_peers.py")
        # Ultralytics writes settings, and asks the network for its version, if it may.
        environment = os.environ | {"YOLO_CONFIG_DIR": folder, "YOLO_OFFLINE": "true"}
        subprocess.run([python, script, source, target], check=True, env=environment, stdout=sys.stderr)
        answer = json.loads(target.read_text(encoding="utf-8"))
    found = {}
    for name, in_val in answer["splits"].items():
        splits = [
            {one: "val" if one.removeprefix(PREFIX) in set(val) else "train" for one in names}
            for (_, names), val in zip(cases, map(frozenset, in_val), strict=True)
        ]
        found[name] = list(zip(splits[::2], splits[1::2], strict=True))
    return answer["versions"], found


def table_of(found: dict[str, list[tuple[Splits, Splits]]], scenes: Sequence[Scene]) -> str:
    """A row each: means over the scenes, of deviations the worst; and the least deviations possible."""
    lines = [
        "| | images that moved, % | val images that became train, % | torn groups, % | val, % | "
        "worst class off in version 1, points | in version 2 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, pairs in found.items():
        each = [measure(scene, *pair) for scene, pair in zip(scenes, pairs, strict=True)]
        columns = {field.name: [getattr(one, field.name) for one in each] for field in fields(Measured)}
        shown = [max(values) if "deviation" in key else np.mean(values) for key, values in columns.items()]
        lines.append(f"| {name} | {' | '.join(f'{value:.1f}' for value in shown)} |")
    return "\n".join([lines[0], lines[1], lines[2], least_row(found[OURS], scenes), *lines[3:]])


def growth(scenes: int) -> str:
    """Ours over ten versions: the worst class, of the worst scene and in the mean of the scenes."""
    lines = [
        "| version | images | worst class off, points | least possible | mean of scenes | least possible |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    grown = [make_scene(seed, VERSIONS) for seed in range(scenes)]
    splits: list[Splits] = [{} for _ in grown]
    for number in range(VERSIONS):
        off, bounds = [], []
        for place, scene in enumerate(grown):
            before, splits[place] = splits[place], ours(scene, scene.versions[number], splits[place])
            off.append(deviation(scene, splits[place]))
            bounds.append(least(scene, before, splits[place]))
        lines.append(
            f"| {number + 1} | {len(splits[0]):,} | {max(off):.1f} | {max(bounds):.1f} "
            f"| {np.mean(off):.1f} | {np.mean(bounds):.1f} |"
        )
    return "\n".join(lines)


def least_row(pairs: Sequence[tuple[Splits, Splits]], scenes: Sequence[Scene]) -> str:
    """What no splitter could do better: groups whole; in version 2 images where ours has them."""
    found = [
        (least(scene, {}, one), least(scene, one, two))
        for scene, (one, two) in zip(scenes, pairs, strict=True)
    ]
    first, second = map(max, zip(*found, strict=True))
    return f"| {LEAST} | 0.0 | 0.0 | 0.0 | | {first:.1f} | {second:.1f} |"


def least(scene: Scene, before: Splits, here: Splits) -> float:
    """Points that the worst class is off at least, with groups whole and images where they were before."""
    members: dict[str, list[str]] = defaultdict(list)
    for name in here:
        members[scene.groups[name]].append(name)
    held = [{before[name] for name in images if name in before} for images in members.values()]
    boxes = [Counter(one for name in images for one in scene.class_ids[name]) for images in members.values()]
    return 100 * least_deviation(
        np.array([len(images) for images in members.values()]),
        np.array([[of_group[number] for number in range(CLASSES)] for of_group in boxes]),
        [("val" in splits) if splits else None for splits in held],
        val_images=sum(split == "val" for split in here.values()),
    )


def measure(scene: Scene, one: Splits, two: Splits) -> Measured:
    """Compare the splits of version 1 and version 2."""
    val = [name for name in one if one[name] == "val"]
    of_group: dict[str, set[str]] = defaultdict(set)
    for name, split in two.items():
        of_group[scene.groups[name]].add(split)
    return Measured(
        moved=100 * sum(two[name] != split for name, split in one.items()) / len(one),
        leaked=100 * sum(two[name] == "train" for name in val) / max(len(val), 1),
        torn=100 * sum(len(splits) > 1 for splits in of_group.values()) / len(of_group),
        val=100 * sum(split == "val" for split in two.values()) / len(two),
        deviation_1=deviation(scene, one),
        deviation_2=deviation(scene, two),
    )


def deviation(scene: Scene, splits: Splits) -> float:
    """Points between 20 % and the share of its boxes in val, of the class where they are most."""
    boxes: dict[int, Counter[str]] = defaultdict(Counter)
    for name, split in splits.items():
        for class_id in scene.class_ids[name]:
            boxes[class_id][split] += 1
    return max(abs(100 * counts["val"] / counts.total() - 20) for counts in boxes.values())


def page(tables: Sequence[str], scenes: int, versions: dict[str, str]) -> str:
    """SPLITS.md."""
    libraries = ", ".join(f"{library} {version}" for library, version in versions.items())
    return f"""\
# Splits of a dataset that grows

Made by `make bench-splits`: one run, everybody over the same {scenes} scenes. Version 1 holds 2,000 images,
{GROUPS} clips of {FRAMES} frames; version 2 holds 10 % more, half of them in clips that were there.
Split 80/20, {CLASSES} uneven classes (the rarest has some dozens of boxes, on some twenty clips).
The others are called with the same seed for both versions:
{libraries}.
Means over the scenes; deviations are the worst class of the worst scene: its boxes in val against 20 %.

## Clips are groups

{tables[0]}

"Least that is possible" is the bound of a mixed-integer program (SciPy's HiGHS) over all groups, with as
many images in val as ours has: in version 1 for any splitter that keeps clips whole, in version 2 for any
that also leaves every image in the split that ours gave it. New frames of old clips follow their clip
whatever they show, and 20 new clips cannot make up for all of it; who comes nearer in version 2 moves images
or tears clips.

Ours, version by version, each with 200 images more, half of them in old clips:

{growth(scenes)}

## Each image is a group of its own

Like with like: splitters that know no groups, and ours without any (so that none can be torn).

{tables[1]}

{speed_page()}"""


if __name__ == "__main__":
    main()
