"""Looking at all bytes and pixels of photos: digest, perceptual hash, damage (the task `inspect_images`).

Run: python -m benchmarks.bench_pixels [--photos 12] [--runs 5] > page.md
The photos are noise of a camera's size and weight, on this machine: what S3 takes is in bench_transfers.py.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from io import BytesIO
from pathlib import Path
from statistics import median

import pandas as pd
from PIL import Image

from benchmarks.bench_transfers import measured
from roundtruth.quality.image_facts import inspect_images
from roundtruth.storage import Storage

SIZES = ((1280, 960), (4000, 3000))  # pixels
NOISE, QUALITY = 22, 82  # of the JPEG: some 4 MB for 12 million pixels, as cameras write them


def main() -> None:
    """Measure each size several times, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--photos", type=int, default=12)
    arguments.add_argument("--runs", type=int, default=5)
    chosen = arguments.parse_args()
    print("| photo | MB | CPU, ms a photo (lowest–highest) | peak, MB |")
    print("| --- | ---: | ---: | ---: |")
    for size in SIZES:
        data = _photo(size)
        each = sorted(_inspected(data, chosen.photos) for _ in range(chosen.runs))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {size[0]} × {size[1]} | {len(data) / 1e6:.1f} "
            f"| **{median(each):.1f}** ({each[0]:.1f}–{each[-1]:.1f}) | {peak:.0f} |",
            flush=True,
        )
    print(f"\nMedians of {chosen.runs} runs of {chosen.photos} photos.")


def _photo(size: tuple[int, int]) -> bytes:
    content = BytesIO()
    bands = [Image.effect_noise(size, NOISE) for _ in "RGB"]
    Image.merge("RGB", bands).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def _inspected(data: bytes, photos: int) -> float:
    """Milliseconds of CPU a photo."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / f"{number:02d}.jpg" for number in range(photos)]
        for place in places:
            place.write_bytes(data)
        images = pd.DataFrame({"source_ref": map(str, places), "etag": ""})
        _, cpu = measured(lambda: inspect_images(Storage(), images))
    return cpu / photos * 1e3


if __name__ == "__main__":
    main()
