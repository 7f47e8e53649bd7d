"""Conversion of an output manifest to YOLO label files, ours and others', as ratios to a bare loop beside it.

Run: python -m benchmarks.bench_conversion --peers PYTHON [--images 100000] [--peer-images 2000] > page.md
Every run is a process of its own, on memory-backed files where there are any (/dev/shm). Each ratio divides
by a run of the reference (conversion_reference.py) right before it; the table has medians. CPU seconds,
because other programs share the machine; of two processes, the clock's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.manifest_samples import CATEGORIES, scenes, source_ref, write_manifest

HERE = Path(__file__).parent
SIZES = (10_000, 30_000, 100_000)
ARTICLE_IMAGES = 50  # a quarter of a second each, as all boxes are scanned for one; the rest is extrapolated
OURS = """
import json, resource, sys, time
from pathlib import Path
from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.storage import Storage
manifest, out, processes = sys.argv[1:]
settings = ConversionSettings(manifests=(manifest,), processes=int(processes))
wall, cpu = time.perf_counter(), time.process_time()
report = convert_manifests(Storage(), settings, Path(out))
spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
children = resource.getrusage(resource.RUSAGE_CHILDREN)
spent["cpu_children"] = children.ru_utime + children.ru_stime
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({**spent, "peak_mb": peak, "files": report.images, "boxes": report.boxes}))
"""
ARTICLE = """
import json, resource, sys
from pathlib import Path
from benchmarks.aws_article import convert_sample
found = convert_sample(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
cpu = found["parse"] + found["each"] * found["images"]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"cpu": cpu, "wall": cpu, "peak_mb": peak, "files": found["images"]}))
"""


class Bench:
    """Runs converters and the reference in turn."""

    def __init__(self, folder: Path, peers: str) -> None:
        self._folder = folder
        self._peers = peers

    def pairs(
        self, manifest: Path, command: list[str], runs: int
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(reference, other) of so many runs; ``{out}`` in the command becomes a new folder."""
        found = []
        for _ in range(runs):
            out = self._folder / "out"
            reference = self._run(
                [self._peers, str(HERE / "conversion_reference.py"), str(manifest), str(out)]
            )
            other = self._run([part.replace("{out}", str(out)) for part in command])
            found.append((reference, other))
        return found

    def _run(self, command: list[str]) -> dict[str, Any]:
        shutil.rmtree(self._folder / "out", ignore_errors=True)
        run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parent)
        if run.returncode:
            raise RuntimeError(f"{command[:4]} failed: {run.stderr.strip()[-600:]}")
        answer: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
        return answer


def main() -> None:
    """Measure, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peers", required=True, help="Python of the environment of conversion-peers.txt")
    arguments.add_argument("--images", type=int, default=max(SIZES))
    arguments.add_argument("--peer-images", type=int, default=2_000)
    arguments.add_argument("--runs", type=int, default=5)
    chosen = arguments.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        bench, folder = Bench(Path(name), chosen.peers), Path(name)
        sizes = [size for size in SIZES if size <= chosen.images] or [chosen.images]
        lines = [row for size in sizes for row in _ours(bench, folder, size, chosen.runs)]
        lines += _others(bench, folder, chosen.peer_images, chosen.runs)
    print("\n".join([HEADER, *lines]), flush=True)


HEADER = """\
| converter | images | ratio to the reference (from–to) | seconds | the reference's | peak, MB | files |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def _ours(bench: Bench, folder: Path, images: int, runs: int) -> list[str]:
    manifest = folder / "output.manifest"
    write_manifest(manifest, images)
    command = [sys.executable, "-c", OURS, str(manifest), "{out}"]
    one = bench.pairs(manifest, [*command, "1"], runs)
    two = bench.pairs(manifest, [*command, "2"], runs)
    rows = [
        _row("roundtruth convert, 1 process", images, one, lambda run: float(run["cpu"])),
        _row("the same, by the clock", images, one, lambda run: float(run["wall"])),
        _row("roundtruth convert, 2 processes, by the clock", images, two, lambda run: float(run["wall"])),
    ]
    print("\n".join(rows), file=sys.stderr, flush=True)
    return rows


def _others(bench: Bench, folder: Path, images: int, runs: int) -> list[str]:
    manifest = folder / "output.manifest"
    write_manifest(manifest, images)
    coco = folder / "coco/annotations/instances_val.json"
    _write_coco(coco, range(images))
    # Datumaro's YOLO export refuses a dataset without both.
    both = folder / "both/annotations"
    _write_coco(both / "instances_train.json", range(images * 4 // 5))
    _write_coco(both / "instances_val.json", range(images * 4 // 5, images))
    peers = [bench._peers, str(HERE / "conversion_peers.py")]
    rows = []
    for library in ("ultralytics", "datumaro", "globox", "supervision-without-pixels"):
        place = both / "instances_val.json" if library == "datumaro" else coco
        command = [*peers, library, str(place), str(folder / "coco/images"), "{out}"]
        rows.append(_try(bench, library, manifest, images, command, runs))
    few = min(images, 500)  # it decodes every image, 7–9 ms each
    write_manifest(manifest, few)
    _write_coco(coco, range(few))
    _write_images(folder / "coco/images", few)
    command = [*peers, "supervision", str(coco), str(folder / "coco/images"), "{out}"]
    rows.append(_try(bench, "supervision", manifest, few, command, runs))
    write_manifest(manifest, images)
    command = [sys.executable, "-c", ARTICLE, str(manifest), "{out}", str(ARTICLE_IMAGES)]
    article = f"AWS article's scripts, pandas 3 ({ARTICLE_IMAGES} images timed)"
    rows.append(_try(bench, article, manifest, images, command, runs))
    return rows


def _try(bench: Bench, name: str, manifest: Path, images: int, command: list[str], runs: int) -> str:
    try:
        row = _row(name, images, bench.pairs(manifest, command, runs), lambda run: float(run["cpu"]))
    except RuntimeError as error:
        row = f"| {name} | {images:,} | did not run: {str(error).splitlines()[-1][:120]} | | | | |"
    print(row, file=sys.stderr, flush=True)
    return row


def _row(
    name: str,
    images: int,
    pairs: list[tuple[dict[str, Any], dict[str, Any]]],
    seconds: Callable[[dict[str, Any]], float],
) -> str:
    ratios = sorted(seconds(other) / seconds(reference) for reference, other in pairs)
    other = statistics.median(seconds(one) for _, one in pairs)
    reference = statistics.median(seconds(one) for one, _ in pairs)
    peak = max(one["peak_mb"] for _, one in pairs)
    version = pairs[0][1].get("version", "")
    return (
        f"| {name} {version} | {images:,} | **{statistics.median(ratios):.2f}** "
        f"({ratios[0]:.2f}–{ratios[-1]:.2f}) "
        f"| {other:.2f} | {reference:.2f} | {peak:.0f} | {int(pairs[0][1]['files']):,} |"
    )


def _write_coco(path: Path, images: range) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": place, "name": name} for place, name in enumerate(CATEGORIES, start=1)],
    }
    for scene in scenes(images.stop):
        if scene.number not in images:
            continue
        name = source_ref(scene.number).rpartition("/")[2]
        document["images"].append(
            {"id": scene.number + 1, "file_name": name, "width": scene.width, "height": scene.height}
        )
        for class_id, left, top, width, height in scene.boxes.tolist():
            document["annotations"].append(
                {
                    "id": len(document["annotations"]) + 1,
                    "image_id": scene.number + 1,
                    "category_id": class_id + 1,
                    "bbox": [left, top, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )
    path.write_text(json.dumps(document), encoding="utf-8")
    (path.parents[1] / "images").mkdir(exist_ok=True)


def _write_images(folder: Path, images: int) -> None:
    from PIL import Image

    for scene in scenes(images):
        name = source_ref(scene.number).rpartition("/")[2]
        Image.new("RGB", (scene.width, scene.height), (90, 120, 60)).save(folder / name, "JPEG")


if __name__ == "__main__":
    main()
