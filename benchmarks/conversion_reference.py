"""The bare loop that conversions are compared with: decode a line, format its boxes, write its file; no more.

Run: python conversion_reference.py output.manifest folder; prints its seconds and memory as JSON.

One process, one line at a time. Nothing is checked: no second label on a line, no failed row, no class map,
no box outside its image, no two images of one name; files are numbered. Needs orjson (conversion-peers.txt).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

import orjson


def main() -> None:
    """Convert, and print what it took."""
    manifest, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True)
    wall, cpu = time.perf_counter(), time.process_time()
    images, boxes = convert(manifest, folder)
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**spent, "peak_mb": peak, "images": images, "boxes": boxes}))


def convert(manifest: Path, folder: Path) -> tuple[int, int]:
    """Write a label file for each line; returns images and boxes."""
    directory = os.open(folder, os.O_RDONLY)
    images = boxes = 0
    with manifest.open("rb") as file:
        for line in file:
            content = orjson.loads(line)
            label = next(
                value for value in content.values() if isinstance(value, dict) and "annotations" in value
            )
            size = label["image_size"][0]
            width, height = size["width"], size["height"]
            rows = []
            for box in label["annotations"]:
                w, h = box["width"], box["height"]
                x, y = (box["left"] + w / 2) / width, (box["top"] + h / 2) / height
                rows.append(b"%d %.6f %.6f %.6f %.6f\n" % (box["class_id"], x, y, w / width, h / height))
            handle = os.open(
                b"%07d.txt" % images, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666, dir_fd=directory
            )
            os.write(handle, b"".join(rows))
            os.close(handle)
            images += 1
            boxes += len(rows)
    os.close(directory)
    return images, boxes


if __name__ == "__main__":
    main()
