"""How the AWS article's scripts convert a manifest (one DataFrame row a box, one `.loc` scan an image).

Rewritten from "Streamlining data labeling for YOLO object detection in Amazon SageMaker Ground Truth" and
aws-samples/groundtruth-object-detection: parse_annots.py makes a DataFrame an image and writes annot.csv;
create_annot.py selects each image's rows, computes the shares and writes them with to_csv. Here S3 is a
local folder. Images without a box get no file, as there.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd


def convert_sample(manifest: Path, out: Path, sample: int) -> dict[str, float]:
    """Convert the first images with boxes; returns seconds (CPU) for reading all, and for each image."""
    out.mkdir(parents=True)
    started = time.process_time()
    boxes = _annotations(manifest)
    parsed = time.process_time()
    images = boxes["img_file"].unique()
    for name in images[:sample]:
        _write_image(boxes, name, out)
    each = (time.process_time() - parsed) / min(sample, len(images))
    return {"parse": parsed - started, "each": each, "images": float(len(images))}


def _annotations(manifest: Path) -> pd.DataFrame:
    rows = []
    with manifest.open(encoding="utf-8") as file:
        for line in file:
            content = json.loads(line)
            job = next(
                key for key, value in content.items() if isinstance(value, dict) and "annotations" in value
            )
            names = content[f"{job}-metadata"]["class-map"]
            size = content[job]["image_size"][0]
            frame = pd.DataFrame(content[job]["annotations"])
            if frame.empty:
                continue
            frame["img_file"] = content["source-ref"]
            frame["category"] = frame["class_id"].astype(str).map(names)
            frame["img_width"], frame["img_height"] = size["width"], size["height"]
            rows.append(frame)
    return pd.concat(rows, ignore_index=True)


def _write_image(boxes: pd.DataFrame, name: str, out: Path) -> None:
    own = boxes.loc[boxes["img_file"] == name].copy()
    own["x"] = (own["left"] + own["width"] / 2) / own["img_width"]
    own["y"] = (own["top"] + own["height"] / 2) / own["img_height"]
    own["w"] = own["width"] / own["img_width"]
    own["h"] = own["height"] / own["img_height"]
    file = out / (name.split("/")[-1].split(".")[0] + ".txt")
    own[["class_id", "x", "y", "w", "h"]].to_csv(
        file, index=False, header=False, sep=" ", float_format="%.4f"
    )
