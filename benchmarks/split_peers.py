"""Splits scenes with other libraries; runs in an environment of its own (split-peers.txt).

Run: python split_peers.py scenes.json splits.json

scenes.json is a list of {"names": [...], "class_ids": {name: [...]}, "groups": {name: group}}; splits.json
gets {"versions": {library: version}, "splits": {what was called: [[names in val], a list a scene]}}. Each is
called as its documentation says, 80/20, with a fixed seed where it takes one.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datumaro
import numpy as np
import supervision
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from ultralytics.data.split import autosplit

SEED = 7
RATIOS = [("train", 0.8), ("val", 0.2)]
LIBRARIES = ("ultralytics", "supervision", "datumaro", "scikit-learn")

Scene = dict[str, Any]


def main() -> None:
    """Split each scene with each of them."""
    scenes, target = map(Path, sys.argv[1:])
    found = {
        name: [sorted(split(scene)) for scene in json.loads(scenes.read_text(encoding="utf-8"))]
        for name, split in PEERS.items()
    }
    versions = {library: version(library) for library in LIBRARIES}
    target.write_text(json.dumps({"versions": versions, "splits": found}), encoding="utf-8")


def by_ultralytics(scene: Scene) -> list[str]:
    """It looks at the names in a folder only, so the images may be empty files."""
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        for name in scene["names"]:
            path = images / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        autosplit(images, weights=(0.8, 0.2, 0.0))
        lines = (Path(folder) / "autosplit_val.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("./images/") for line in lines]


def by_supervision(scene: Scene) -> list[str]:
    """DetectionDataset.split."""
    nothing = {name: supervision.Detections.empty() for name in scene["names"]}
    dataset = supervision.DetectionDataset(classes=["x"], images=list(scene["names"]), annotations=nothing)
    _, val = dataset.split(split_ratio=0.8, random_state=SEED, shuffle=True)
    return list(val.image_paths)


def by_datumaro(transform: str, **options: object) -> Callable[[Scene], list[str]]:
    """Dataset.transform with one of its splitters."""

    def split(scene: Scene) -> list[str]:
        random.seed(SEED)
        np.random.seed(SEED)
        items = [
            datumaro.DatasetItem(
                id=name,
                annotations=[
                    datumaro.Bbox(0, 0, 10, 10, label=class_id, id=place, group=place + 1)
                    for place, class_id in enumerate(scene["class_ids"][name])
                ],
            )
            for name in scene["names"]
        ]
        classes = max(class_id for ids in scene["class_ids"].values() for class_id in ids) + 1
        dataset = datumaro.Dataset.from_iterable(
            items, categories=[f"c{number}" for number in range(classes)]
        )
        dataset.transform(transform, splits=RATIOS, seed=SEED, **options)
        return [item.id for item in dataset if item.subset == "val"]

    return split


def by_train_test_split(scene: Scene) -> list[str]:
    """scikit-learn's, which can stratify by one label an image only, not by boxes."""
    _, val = train_test_split(scene["names"], test_size=0.2, random_state=SEED)
    return list(val)


def by_group_k_fold(scene: Scene) -> list[str]:
    """The first of five folds; stratified by the rarest class on each image, the nearest to one label."""
    boxes = Counter(class_id for name in scene["names"] for class_id in scene["class_ids"][name])
    labels = [
        min(scene["class_ids"][name], key=lambda class_id: boxes[class_id], default=-1)
        for name in scene["names"]
    ]
    groups = [scene["groups"][name] for name in scene["names"]]
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=SEED)
    _, val = next(folds.split(scene["names"], labels, groups))
    return [scene["names"][place] for place in val]


PEERS: dict[str, Callable[[Scene], list[str]]] = {
    "ultralytics `autosplit`": by_ultralytics,
    "supervision `DetectionDataset.split`": by_supervision,
    "datumaro `random_split`": by_datumaro("random_split"),
    "datumaro `split -t detection` (stratified)": by_datumaro("split", task="detection"),
    "scikit-learn `train_test_split`": by_train_test_split,
    "scikit-learn `StratifiedGroupKFold`": by_group_k_fold,
}


if __name__ == "__main__":
    main()
