"""Two real jobs with the same 18 labels, as they are and as they would be with other class ids and names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roundtruth.datasets.conversion_folder import ConversionReport
from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.formats.coco import decode_document
from roundtruth.errors import CategoryError
from roundtruth.storage import Storage
from tests.real_data import REAL, needs_real

pytestmark = [needs_real, pytest.mark.real]

JOBS = [REAL / "forms-two-jobs" / name / "output.manifest" for name in ("job-1", "job-2")]


def converted(out: Path, *manifests: Path, label_categories: tuple[str, ...] = ()) -> ConversionReport:
    settings = ConversionSettings(
        manifests=tuple(str(path) for path in manifests),
        formats=("yolo", "coco"),
        label_categories=label_categories,
        splits=(("train", 1.0),),
    )
    return convert_manifests(Storage(), settings, out)


def by_name(out: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Image -> its boxes, with the names of their classes."""
    names, boxes = decode_document((out / "annotations/train.json").read_bytes(), file="train.json")
    return {image: sorted((names[box[0]], *box[1:]) for box in found) for image, found in boxes.items()}


def rewritten(source: Path, target: Path, ids: dict[int, int], name: Any) -> Path:
    """The manifest of the same job, had its label file held these names in another order."""
    lines = []
    for line in source.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        (attribute,) = (key.removesuffix("-metadata") for key in row if key.endswith("-metadata"))
        for box in row[attribute]["annotations"]:
            box["class_id"] = ids[box["class_id"]]
        metadata = row[f"{attribute}-metadata"]
        metadata["job-name"] = "labeling-job/second"  # both files say labeling-job/DUMMY-JOB-NAME
        metadata["class-map"] = {
            str(ids[int(class_id)]): name(text) for class_id, text in metadata["class-map"].items()
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    target.write_text("".join(lines), encoding="utf-8")
    return target


def test_no_image_and_no_box_of_either_job_is_lost(tmp_path: Path) -> None:
    report = converted(tmp_path / "out", *JOBS)
    assert (report.images, report.boxes, sum(report.repairs.values())) == (100, 1108, 0)
    assert len([name for name in report.classes.values() if not name.startswith("class_")]) == 18


def test_the_same_names_at_other_ids_with_gaps_and_stray_spaces_give_the_same_boxes(tmp_path: Path) -> None:
    report = converted(tmp_path / "as-it-is", *JOBS)
    ids = {class_id: 3 * (20 - class_id) + 1 for class_id in range(20)}
    other = rewritten(JOBS[1], tmp_path / "other.manifest", ids, lambda name: f" {name}\u200b ")
    merged = converted(tmp_path / "merged", JOBS[0], other)
    assert by_name(tmp_path / "merged") == by_name(tmp_path / "as-it-is")
    # Ids that neither job's lines name had a made-up name in the first list; the jobs' ids disagree now.
    assert sorted(merged.classes.values()) == sorted(
        name for class_id, name in report.classes.items() if class_id not in report.unseen_classes
    )
    assert merged.normalised_names
    assert all(clean == raw.strip(" \u200b") for raw, clean in merged.normalised_names.items())


def test_a_label_category_file_decides_the_ids_whatever_the_jobs_have(tmp_path: Path) -> None:
    names = sorted(converted(tmp_path / "first", *JOBS).classes.values())
    config = tmp_path / "labels.json"
    config.write_text(json.dumps({"labels": [{"label": name} for name in reversed(names)]}))
    ids = {class_id: 19 - class_id for class_id in range(20)}
    other = rewritten(JOBS[1], tmp_path / "other.manifest", ids, lambda name: name)
    report = converted(tmp_path / "out", JOBS[0], other, label_categories=(str(config),))
    assert list(report.classes.values()) == names[::-1]
    assert by_name(tmp_path / "out") == by_name(tmp_path / "first")


def test_names_that_differ_by_case_between_the_jobs_are_a_conflict_that_names_both(tmp_path: Path) -> None:
    ids = {class_id: class_id for class_id in range(20)}
    other = rewritten(JOBS[1], tmp_path / "other.manifest", ids, str.upper)
    with pytest.raises(
        CategoryError, match=r"of job 'DUMMY-JOB-NAME' and .* of job 'second' differ only by case"
    ):
        converted(tmp_path / "out", JOBS[0], other)
