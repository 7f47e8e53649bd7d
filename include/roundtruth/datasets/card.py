"""The dataset card: README.md of a version and the plots beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roundtruth.charts import bar_chart
from roundtruth.datasets.diff import VersionDiff
from roundtruth.datasets.table_rows import floats_of, integers_of
from roundtruth.datasets.tree import SPLITS
from roundtruth.datasets.versions import SplitCounts, VersionRecord

if TYPE_CHECKING:
    from roundtruth.datasets.candidate import Candidate

BOXES_AN_IMAGE = ((0, 0), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, None))
BOX_AREA = (
    (0.0, 0.001),
    (0.001, 0.01),
    (0.01, 0.05),
    (0.05, 0.2),
    (0.2, 0.5),
    (0.5, 1.01),
)  # share of the image


def split_counts(candidate: Candidate) -> dict[str, SplitCounts]:
    """What each split that holds images holds."""
    split_of_image = candidate.images["split"].to_numpy(dtype=object)
    empty = candidate.images["boxes"].to_numpy() == 0
    split_of_box = split_of_image[candidate.image_of_box]
    class_ids = candidate.labels["class_id"].to_numpy(np.int64)
    counts = {}
    for split in SPLITS:
        of_split = split_of_image == split
        if not of_split.any():
            continue
        by_class = np.bincount(class_ids[split_of_box == split], minlength=len(candidate.classes))
        counts[split] = SplitCounts(
            images=int(of_split.sum()),
            negatives=int((of_split & empty).sum()),
            boxes=int(by_class.sum()),
            boxes_by_class=tuple(by_class.tolist()),
        )
    return counts


def card_files(candidate: Candidate, record: VersionRecord, changes: VersionDiff) -> dict[str, bytes]:
    """README.md and its plots, by path in the version's folder.

    ``record`` says what the version holds; its index is not known yet when the card is made.
    """
    plots = {f"plots/{name}.svg": plot for name, plot in card_plots(candidate, record).items()}
    return {"README.md": _text(record, changes, unknown_classes(candidate)).encode(), **plots}


def unknown_classes(candidate: Candidate) -> dict[str, int]:
    """Class -> images on which nobody was asked for it; classes that are known everywhere are missing."""
    return {candidate.classes[class_id]: count for class_id, count in sorted(candidate.unknown.items())}


def missing_classes(record: VersionRecord) -> dict[str, list[str]]:
    """Split -> classes with boxes elsewhere and none in it; splits that lack none are missing."""
    used = [
        class_id
        for class_id in range(len(record.classes))
        if any(counts.boxes_by_class[class_id] for counts in record.splits.values())
    ]
    found = {
        split: [record.classes[class_id] for class_id in used if not counts.boxes_by_class[class_id]]
        for split, counts in record.splits.items()
    }
    return {split: names for split, names in found.items() if names}


def warnings(record: VersionRecord) -> list[str]:
    """What people should know before they train on a version, a sentence each."""
    told = [
        f"No box of class {name} in split {split}."
        for split, names in missing_classes(record).items()
        for name in names
    ]
    if record.torn_groups:
        told.append(
            f"{record.torn_groups} groups lie in several splits; they were apart before group_by was set."
        )
    if record.partial:
        told.append(
            f"{record.partial} images are partially labeled: some class is unknown on them, not absent."
        )
    return told + [f"{count} labeled images wait: {reason}." for reason, count in record.left_out.items()]


def boxes_an_image(images: Any) -> dict[str, list[int]]:
    """Number of boxes, in words -> images; of VERSION_IMAGES, see table_rows."""
    counts = integers_of(images, "boxes")
    rows = {}
    for low, high in BOXES_AN_IMAGE:
        name = f"{low}" if low == high else f"{low}–{high}" if high is not None else f"{low} or more"
        rows[name] = [int(((counts >= low) & (counts <= (high if high is not None else counts.max()))).sum())]
    return rows


def box_areas(images: Any, labels: Any) -> dict[str, list[int]]:
    """Share of the image's area, in words -> boxes; ``labels`` are those of the images, in their order."""
    pixels = np.repeat(floats_of(images, "width") * floats_of(images, "height"), integers_of(images, "boxes"))
    share = floats_of(labels, "width") * floats_of(labels, "height") / pixels
    return {
        f"{low:.1%} – {min(high, 1):.1%}": [int(((share >= low) & (share < high)).sum())]
        for low, high in BOX_AREA
    }


def card_plots(candidate: Candidate, record: VersionRecord) -> dict[str, bytes]:
    """The charts that README.md and report.html show, as SVG, by name."""
    images, labels = candidate.images, candidate.labels
    splits = list(record.splits)
    classes = {
        name: [record.splits[split].boxes_by_class[class_id] for split in splits]
        for class_id, name in enumerate(record.classes)
    }
    sizes = {
        split: [counts.images - counts.negatives, counts.negatives] for split, counts in record.splits.items()
    }
    return {
        "classes": bar_chart("Boxes by class", classes, splits),
        "splits": bar_chart("Images by split", sizes, ["with boxes", "negatives"]),
        "boxes_per_image": bar_chart("Images by number of boxes", boxes_an_image(images), ["images"]),
        "box_sizes": bar_chart("Boxes by share of the image's area", box_areas(images, labels), ["boxes"]),
    }


def _text(record: VersionRecord, changes: VersionDiff, unknown: dict[str, int]) -> str:
    sections = (_summary(record), _classes(record), _usage(record), _origin(record, changes))
    return "\n".join((*sections, _known_gaps(record, unknown)))


def _summary(record: VersionRecord) -> str:
    return f"""\
# {record.dataset} {record.version}

{record.images} images, {record.boxes} boxes, {record.negatives} images without an object, \
{len(record.classes)} classes. Object detection; boxes drawn by people in SageMaker Ground Truth.

| split | images | negatives | boxes |
| --- | ---: | ---: | ---: |
{_table([[name, one.images, one.negatives, one.boxes] for name, one in record.splits.items()])}

![Images by split](plots/splits.svg)
"""


def _classes(record: VersionRecord) -> str:
    splits = list(record.splits)
    return f"""\
## Classes

Ids never change and are never used again in later versions.

| id | class | {" | ".join(splits)} |
| ---: | --- | {" | ".join("---:" for _ in splits)} |
{_class_table(record)}

![Boxes by class](plots/classes.svg)
![Images by number of boxes](plots/boxes_per_image.svg)
![Boxes by share of the image's area](plots/box_sizes.svg)
"""


def _usage(record: VersionRecord) -> str:
    return f"""\
## Use it

```
roundtruth dataset pull {record.dataset}@{record.version} --project <project file> --out {record.dataset}
yolo train data={record.dataset}/data.yaml
```

Formats: {", ".join(record.formats)}. Layout: {record.layout}. Labels for trainers fit the image after
its EXIF orientation; annot.csv and labels.parquet hold pixels of the stored image. An empty label file is a
negative: people looked and drew nothing.
"""


def _origin(record: VersionRecord, changes: VersionDiff) -> str:
    return f"""\
## Where it comes from

Project {record.project}, rounds {", ".join(record.rounds)}. Made by roundtruth {record.roundtruth}.
Parent: {record.parent or "none"}. Images added {len(changes.added)}, removed {len(changes.removed)}, \
replaced {len(changes.replaced)}, relabeled {len(changes.relabeled)}; boxes added {changes.boxes_added}, \
removed {changes.boxes_removed} (changes.json). report.html shows charts and some of the images.
"""


def _known_gaps(record: VersionRecord, unknown: dict[str, int]) -> str:
    repairs = ", ".join(f"{count} {what}" for what, count in record.repairs.items() if count)
    lines = [
        f"- {record.partial} images are partially labeled: some class is unknown on them, not absent "
        "(`unknown` in\n  images.parquet).",
        *(
            f"  - {_cell(name)} is unknown on {count} images: nobody was asked for it there."
            for name, count in unknown.items()
        ),
        f"- Boxes repaired: {repairs or 'none'}.",
        *(
            f"- Split {split} has no box of {', '.join(names)}."
            for split, names in missing_classes(record).items()
        ),
    ]
    if record.torn_groups:
        lines.append(
            f"- {record.torn_groups} groups lie in several splits: their images were apart before group_by."
        )
    lines += [f"- {count} labeled images wait: {why}." for why, count in record.left_out.items()]
    return "".join(f"{line}\n" for line in lines)


def _class_table(record: VersionRecord) -> str:
    counts = record.splits.values()
    return _table(
        [
            [class_id, _cell(name), *(of_split.boxes_by_class[class_id] for of_split in counts)]
            for class_id, name in enumerate(record.classes)
        ]
    )


def _table(rows: list[list[object]]) -> str:
    return "\n".join(f"| {' | '.join(str(value) for value in row)} |" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
