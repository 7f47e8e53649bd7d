"""The quality of output manifests: their lines as the tables of a round, and the lines that give no label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import pandas as pd

from roundtruth.annotations import FAILED, IMAGES, LABELED, LABELS, NEGATIVE, UNLABELED, table
from roundtruth.errors import ManifestError
from roundtruth.ground_truth.records import LabeledImage, LineProblem, ProblemKind
from roundtruth.quality.checks import Check
from roundtruth.quality.gate import check_round
from roundtruth.quality.rules import Between
from roundtruth.quality.seen_images import SeenImages, as_stored
from roundtruth.quality.suites import Suite
from roundtruth.quality.verdict import Verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage

LINE_CHECKS = (
    Check(
        name="manifest_line_usable",
        rule=Between(column="usable", at_least=1),
        description="Each line of the manifest gives a label",
        if_critical="block",
    ),
)
_STATUS = {ProblemKind.UNLABELED: UNLABELED, ProblemKind.FAILED: FAILED}


def check_manifest(
    records: Iterable[LabeledImage | LineProblem],
    *,
    file: str,
    settings: Quality,
    categories: Sequence[str] | None = None,
    seen: SeenImages | None = None,
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> Verdict:
    """Check what an output manifest holds (manifests.read_output_manifest); nothing is quarantined for good.

    Lines of image classification are counted and have no boxes to check.

    :param categories: the names that are allowed; without it those that the lines' class maps name.
    :param seen: what the images of the lines are (``see_images``); without it they are taken at their word.
    :raises ManifestError: when there is no line at all, or none that can be read as a line of a manifest.
    :raises QualityError: when a check cannot be evaluated.
    """
    lines = list(records)
    if not lines:
        raise ManifestError(f"{file} holds no line; an output manifest has one a labeled image.")
    _require_a_readable_line(lines, file)
    labeled = [line for line in lines if isinstance(line, LabeledImage)]
    with_boxes = [line for line in labeled if line.image_width is not None]
    names = {name for line in with_boxes for name in line.class_map.values()}
    images = _images(lines)
    drawn_sizes = images.dropna(subset=["width"])[["source_ref", "width", "height"]]
    if seen is not None:
        images = as_stored(images, seen)
    verdict = check_round(
        labels=_labels(with_boxes),
        images=images,
        planned=len(images),
        settings=settings,
        categories=sorted(names) if categories is None else categories,
        drawn_sizes=drawn_sizes if seen else None,
        facts=seen.facts if seen else None,
        also=[_line_suite(lines)],
        docs_uri=docs_uri,
        storage=storage,
    ).verdict
    kinds = Counter(line.kind.value for line in lines if isinstance(line, LineProblem))
    counts = {
        "lines": len(lines),
        "boxes": sum(len(image.boxes) for image in with_boxes),
        "classified": len(labeled) - len(with_boxes),
        **{f"lines_{kind}": count for kind, count in sorted(kinds.items())},
    }
    return msgspec.structs.replace(verdict, counts={**counts, **verdict.counts})


def _require_a_readable_line(lines: Sequence[LabeledImage | LineProblem], file: str) -> None:
    """A photo, or a file cut to pieces, is no manifest with a poor quality: there is nothing to judge."""
    first = lines[0]
    broken = (ProblemKind.BROKEN, ProblemKind.DUPLICATE)  # a duplicate of a broken line
    if isinstance(first, LineProblem) and all(
        isinstance(line, LineProblem) and line.kind in broken for line in lines
    ):
        raise ManifestError(
            f"{file} is no usable manifest: all lines of it are broken ({len(lines)}); the first, line "
            f"{first.line_number}, {first.reason}."
        )


def _labels(images: Sequence[LabeledImage]) -> pd.DataFrame:
    return table(
        [
            {
                "source_ref": image.source_ref,
                "category": image.class_map.get(box.class_id),
                "left": box.left,
                "top": box.top,
                "width": box.width,
                "height": box.height,
                "score": box.confidence,
                "job": image.job_name,
            }
            for image in images
            for box in image.boxes
        ],
        LABELS,
    )


def _images(lines: Sequence[LabeledImage | LineProblem]) -> pd.DataFrame:
    """Each image once; lines that name no image, or one that an earlier line has, are in the lines' table."""
    rows: list[dict[str, object]] = []
    for line in lines:
        if isinstance(line, LineProblem):
            if line.kind in _STATUS and line.source_ref is not None:
                rows.append(
                    {"source_ref": line.source_ref, "status": _STATUS[line.kind], "reason": line.reason}
                )
        elif line.image_width is not None:
            rows.append(
                {
                    "source_ref": line.source_ref,
                    "width": line.image_width,
                    "height": line.image_height,
                    "orientation": 1,
                    "status": LABELED if line.boxes else NEGATIVE,
                    "reason": "",
                }
            )
    return table(rows, IMAGES)


def _line_suite(lines: Sequence[LabeledImage | LineProblem]) -> Suite:
    rows = [
        (
            f"line {line.line_number}",
            _problem(line) if isinstance(line, LineProblem) else "",
            float(isinstance(line, LabeledImage)),
        )
        for line in lines
    ]
    return Suite(
        name="manifest_lines",
        frame=pd.DataFrame(rows, columns=["line", "problem", "usable"]),
        key=("line", "problem"),
        checks=LINE_CHECKS,
    )


def _problem(line: LineProblem) -> str:
    image = f"{line.source_ref}: " if line.source_ref else ""
    return f"{image}{line.kind}: {line.reason}"
