from __future__ import annotations

import csv
import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from roundtruth.datasets.conversion_folder import ConversionReport
from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.file_names import dataset_file_stem
from roundtruth.datasets.formats import yolo
from roundtruth.datasets.verify import verify_folder
from roundtruth.errors import CategoryError, DatasetError, StorageError
from roundtruth.storage import Storage
from tests.real_data import REAL, needs_real
from tests.roundtruth.datasets.recorded_rounds import jpeg

OLD, NEW = "2026-01-05T08:00:00.000000", "2026-02-05T08:00:00.000000"


def row(
    ref: str,
    boxes: list[tuple[int, float, float, float, float]] | None,
    class_map: dict[int, str] | None = None,
    *,
    job: str = "job-a",
    created: str = OLD,
    size: tuple[int, int] = (100, 80),
    attribute: str = "boxes",
    **extra: Any,
) -> dict[str, Any]:
    """A line of an output manifest; ``boxes`` None is a failed one."""
    metadata: dict[str, Any] = {
        "type": "groundtruth/object-detection",
        "job-name": f"labeling-job/{job}",
        "human-annotated": "yes",
        "creation-date": created,
    }
    line: dict[str, Any] = {"source-ref": ref, **extra}
    if boxes is None:
        return {**line, f"{attribute}-metadata": {**metadata, "failure-reason": "nobody answered"}}
    names = ("class_id", "left", "top", "width", "height")
    line[attribute] = {
        "image_size": [{"width": size[0], "height": size[1], "depth": 3}],
        "annotations": [dict(zip(names, box, strict=True)) for box in boxes],
    }
    used = {str(box[0]): (class_map or {})[box[0]] for box in boxes if box[0] in (class_map or {})}
    line[f"{attribute}-metadata"] = {
        **metadata,
        "objects": [{"confidence": 0} for _ in boxes],
        "class-map": used,
    }
    return line


def manifest(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return str(path)


def convert(out: Path, *manifests: str, **settings: Any) -> ConversionReport:
    return convert_manifests(Storage(), ConversionSettings(manifests=manifests, **settings), out)


def labels(out: Path, ref: str, size: tuple[int, int] = (100, 80)) -> list[tuple[float, ...]]:
    (file,) = out.glob(f"labels/*/{dataset_file_stem(ref)}.txt")
    return [
        (box.class_id, *(round(value, 2) for value in box[1:]))
        for box in yolo.decode_labels(file.read_bytes(), *size, file=str(file))
    ]


def problems(out: Path) -> list[tuple[str, str]]:
    with (out / "problems.csv").open(encoding="utf-8", newline="") as file:
        return [(one["kind"], one["line"]) for one in csv.DictReader(file)]


def test_lines_without_a_label_are_listed_and_never_written_as_empty(tmp_path: Path) -> None:
    path = manifest(
        tmp_path / "m",
        row("s3://b/1.jpg", [(0, 1, 2, 30, 40)], {0: "pen"}),
        row("s3://b/2.jpg", []),
        row("s3://b/3.jpg", None),
        {"source-ref": "s3://b/4.jpg"},
    )
    with Path(path).open("a") as file:
        file.write("{broken\n")
    report = convert(tmp_path / "out", path)
    assert (report.images, report.negatives, report.boxes) == (2, 1, 1)
    assert labels(tmp_path / "out", "s3://b/1.jpg") == [(0, 1, 2, 30, 40)]
    assert labels(tmp_path / "out", "s3://b/2.jpg") == []
    assert len(list((tmp_path / "out").glob("labels/*/*.txt"))) == 2
    assert problems(tmp_path / "out") == [("failed", "3"), ("unlabeled", "4"), ("broken", "5")]
    assert report.problems == {"broken": 1, "failed": 1, "unlabeled": 1}
    assert verify_folder(tmp_path / "out").problems == ()


def test_the_newest_attribute_counts_unless_one_is_named(tmp_path: Path) -> None:
    line = row("s3://b/1.jpg", [(0, 1, 1, 9, 9)], {0: "pen"}, attribute="base")
    line |= row("s3://b/1.jpg", [(0, 2, 2, 9, 9)], {0: "pen"}, attribute="adjusted", created=NEW, job="job-b")
    path = manifest(tmp_path / "m", line)
    convert(tmp_path / "newest", path)
    convert(tmp_path / "named", path, label_attribute="base")
    assert labels(tmp_path / "newest", "s3://b/1.jpg") == [(0, 2, 2, 9, 9)]
    assert labels(tmp_path / "named", "s3://b/1.jpg") == [(0, 1, 1, 9, 9)]


@pytest.mark.parametrize(
    ("maps", "files", "classes", "unseen"),
    [
        pytest.param(
            [{0: "a", 3: "d"}], [], ["a", "class_1", "class_2", "d"], (1, 2), id="ids are kept, gaps filled"
        ),
        pytest.param([{0: "a"}, {1: "b"}], [], ["a", "b"], (), id="jobs agree"),
        pytest.param([{0: "a", 1: "b"}, {0: "b"}], [], ["a", "b"], (), id="jobs disagree: by id, then name"),
        pytest.param([{0: "b"}, {0: "a", 7: "c"}], [], ["a", "b", "c"], (), id="one id, two names"),
        pytest.param([{40000: "x", 2: "y"}], [], ["y", "x"], (), id="ids too large to keep"),
        pytest.param([{0: "b "}], [["a", "b ", "c"]], ["a", "b", "c"], (), id="file gives the order"),
        pytest.param([{0: "c"}], [["a", "b"], ["c", "a"]], ["a", "b", "c"], (), id="files append"),
    ],
)
def test_class_lists(
    tmp_path: Path,
    maps: list[dict[int, str]],
    files: list[list[str]],
    classes: list[str],
    unseen: tuple[int, ...],
) -> None:
    paths = [
        manifest(
            tmp_path / f"m{place}",
            row(f"s3://b/{place}.jpg", [(one, 1, 1, 9, 9) for one in ids], ids, job=f"job-{place}"),
        )
        for place, ids in enumerate(maps)
    ]
    configs = []
    for place, names in enumerate(files):
        config = tmp_path / f"labels-{place}.json"
        config.write_text(json.dumps({"labels": [{"label": name} for name in names]}))
        configs.append(str(config))
    report = convert(tmp_path / "out", *paths, label_categories=tuple(configs))
    assert list(report.classes.values()) == classes
    assert report.unseen_classes == unseen
    names, _ = yolo.decode_data_yaml((tmp_path / "out/data.yaml").read_bytes(), file="data.yaml")
    assert list(names) == classes
    for place, ids in enumerate(maps):
        found = {classes[int(box[0])] for box in labels(tmp_path / "out", f"s3://b/{place}.jpg")}
        assert found == {name.strip() for name in ids.values()}


def test_a_category_in_no_file_and_names_that_differ_by_case_are_errors(tmp_path: Path) -> None:
    one = manifest(tmp_path / "1", row("s3://b/1.jpg", [(0, 1, 1, 9, 9)], {0: "pen"}))
    two = manifest(tmp_path / "2", row("s3://b/2.jpg", [(0, 1, 1, 9, 9)], {0: "Pen"}, job="job-b"))
    (tmp_path / "labels.json").write_text('{"labels": [{"label": "crayon"}]}')
    with pytest.raises(CategoryError, match="'pen'"):
        convert(tmp_path / "out", one, label_categories=(str(tmp_path / "labels.json"),))
    with pytest.raises(CategoryError, match=r"'pen' of job 'job-a' and 'Pen' of job 'job-b'"):
        convert(tmp_path / "out", one, two)
    assert not (tmp_path / "out").exists()


def test_a_class_without_a_name_needs_the_label_category_file(tmp_path: Path) -> None:
    path = manifest(
        tmp_path / "m",
        row("s3://b/1.jpg", [(1, 1, 1, 9, 9)]),
        row("s3://b/2.jpg", [(0, 1, 1, 9, 9)], {0: "pencil"}),
    )
    report = convert(tmp_path / "without", path)
    assert (report.images, report.problems) == (1, {"unknown-class": 1})
    (tmp_path / "labels.json").write_text('{"labels": [{"label": "pencil"}, {"label": "pen"}]}')
    report = convert(tmp_path / "with", path, label_categories=(str(tmp_path / "labels.json"),))
    assert labels(tmp_path / "with", "s3://b/1.jpg") == [(1, 1, 1, 9, 9)]


@pytest.mark.parametrize(
    "newer", ["Fri Feb 06 2026 10:11:12 GMT+0100 (Central European Standard Time)", "2026-02-05T08:00:00Z"]
)
def test_the_newer_label_counts_in_every_form_of_date_that_real_files_have(
    tmp_path: Path, newer: str
) -> None:
    old, new = (
        manifest(
            tmp_path / name, row("s3://b/1.jpg", [(0, left, 1, 9, 9)], {0: "pen"}, job=name, created=date)
        )
        for name, left, date in (("old", 1, OLD), ("new", 2, newer))
    )
    report = convert(tmp_path / "out", new, old)
    assert [box[1] for box in labels(tmp_path / "out", "s3://b/1.jpg")] == [2]
    assert report.problems == {"superseded": 1}


def test_jobs_over_the_same_image(tmp_path: Path) -> None:
    pens, pencils, pens_again, newer = (
        manifest(
            tmp_path / name,
            row("s3://b/1.jpg", [(0, left, 1, 9, 9)], {0: category}, job=job, created=created),
        )
        for name, left, category, job, created in (
            ("1", 1, "pen", "pens", OLD),
            ("2", 2, "pencil", "pencils", OLD),
            ("3", 3, "pen", "pens", NEW),
            ("4", 4, "pen", "relabel", NEW),
        )
    )
    convert(tmp_path / "union", pens, pencils)
    assert sorted(box[1] for box in labels(tmp_path / "union", "s3://b/1.jpg")) == [1, 2]
    report = convert(tmp_path / "same", pens_again, pencils, pens)
    assert sorted(box[1] for box in labels(tmp_path / "same", "s3://b/1.jpg")) == [2, 3]
    assert report.problems == {"duplicate": 1}
    report = convert(tmp_path / "newer", newer, pens)
    assert [box[1] for box in labels(tmp_path / "newer", "s3://b/1.jpg")] == [4]
    assert report.problems == {"superseded": 1}


def test_images_of_one_name_in_two_folders_and_a_rotated_photo(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name, orientation in {"a/one.jpg": 1, "b/one.jpg": 6, "big.jpg": 1}.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(jpeg(100, 80, orientation=orientation))
    (photos / "broken.jpg").write_bytes(b"no image")
    path = manifest(
        tmp_path / "m",
        row("s3://b/x/a/one.jpg", [(0, 10, 5, 40, 20)], {0: "pen"}),
        row("s3://b/x/b/one.jpg", [(0, 10, 5, 40, 20)], {0: "pen"}),
        row("s3://b/x/c/one.jpg", []),
        row("s3://b/big.jpg", [], size=(4000, 3000)),
        row("s3://b/broken.jpg", []),
        row("s3://b/missing.jpg", []),
    )
    report = convert(tmp_path / "out", path, images=photos)
    placed = {
        file.stem: Image.open(BytesIO(file.read_bytes())) for file in (tmp_path / "out").glob("images/*/*")
    }
    assert set(placed) == {dataset_file_stem(f"s3://b/x/{folder}/one.jpg") for folder in "ab"}
    assert placed[dataset_file_stem("s3://b/x/b/one.jpg")].getexif()[0x0112] == 6
    assert labels(tmp_path / "out", "s3://b/x/a/one.jpg") == [(0, 10, 5, 40, 20)]
    assert labels(tmp_path / "out", "s3://b/x/b/one.jpg", (80, 100)) == [(0, 55, 10, 20, 40)]
    assert report.problems == {"image-missing": 2, "image-size": 1, "image-unreadable": 1}
    assert report.images == 6


@pytest.mark.parametrize("link", [False, True], ids=["copied", "--link"])
def test_what_a_trainer_rewrites_are_not_the_photos_unless_linked(tmp_path: Path, link: bool) -> None:
    photo = tmp_path / "photos" / "one.jpg"
    photo.parent.mkdir()
    photo.write_bytes(jpeg(100, 80))
    path = manifest(tmp_path / "m", row("s3://b/x/one.jpg", [(0, 10, 5, 40, 20)], {0: "pen"}))
    convert(tmp_path / "out", path, images=photo.parent, link=link)
    (placed,) = (tmp_path / "out").glob("images/*/*")
    assert placed.samefile(photo) is link
    with placed.open("r+b") as file:  # in its place, as Ultralytics mends a JPEG without an end marker
        file.write(b"mended")
    assert photo.read_bytes().startswith(b"mended") is link
    convert(tmp_path / "out", path, images=photo.parent, link=link)  # takes the old output away first
    assert photo.is_file()


def test_converting_again_gives_the_same_bytes_and_nothing_of_before(tmp_path: Path) -> None:
    one = manifest(
        tmp_path / "1", row("s3://b/1.jpg", []), row("s3://b/2.jpg", [(0, 1, 1, 9, 9)], {0: "pen"})
    )
    two = manifest(tmp_path / "2", row("s3://b/3.jpg", [(0, 1, 1, 9, 9)], {0: "pen"}))
    everything = {"formats": ("yolo", "voc", "coco", "csv")}

    def content(out: Path) -> dict[str, bytes]:
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    convert(tmp_path / "out", one, **everything)
    first = content(tmp_path / "out")
    convert(tmp_path / "out", two, **everything)
    assert not set(content(tmp_path / "out")) & {name for name in first if name.startswith("labels/")}
    convert(tmp_path / "out", one, **everything)
    assert content(tmp_path / "out") == first


def test_parts_and_processes_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = manifest(
        tmp_path / "1",
        *(row(f"s3://b/{i}.jpg", [(0, i % 50, 1, 9, 9)] * (i % 3), {0: "pen"}) for i in range(200)),
        row("s3://b/7.jpg", [(0, 1, 1, 9, 9)], {0: "pen"}),
    )
    two = manifest(
        tmp_path / "2",
        *(row(f"s3://b/{i}.jpg", [(0, 1, 1, 9, 9)], {0: "ink"}, job="job-b") for i in range(250, 90, -1)),
    )

    def content(out: Path) -> dict[str, bytes]:
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    report = convert(tmp_path / "whole", one, two, formats=("yolo", "voc"))
    assert (report.images, report.problems) == (251, {"duplicate": 1})
    monkeypatch.setattr("roundtruth.datasets.manifest_parts.PART_BYTES", 2000)
    convert(tmp_path / "parts", one, two, formats=("yolo", "voc"))
    convert(tmp_path / "processes", one, two, formats=("yolo", "voc"), processes=2)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")
    assert content(tmp_path / "processes") == content(tmp_path / "whole")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = manifest(tmp_path / "m", row("s3://b/1.jpg", []))
    with pytest.raises(DatasetError, match="is not empty"):
        convert(tmp_path, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_unusable_manifests_are_errors(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.manifest does not exist"):
        convert(tmp_path / "out", str(tmp_path / "nowhere.manifest"))
    with pytest.raises(DatasetError, match="no usable box label: 1 failed"):
        convert(tmp_path / "out", manifest(tmp_path / "m", row("s3://b/1.jpg", None)))


@needs_real
@pytest.mark.real
@pytest.mark.parametrize(
    ("manifests", "images", "boxes", "negatives"),
    [
        pytest.param(["cigars/output.manifest"], 32, 54, 9, id="cigars"),
        pytest.param(["birds-5-workers/output.manifest"], 100, 192, 0, id="birds"),
        pytest.param(
            ["forms-two-jobs/job-1/output.manifest", "forms-two-jobs/job-2/output.manifest"],
            100,
            1108,
            None,
            id="two jobs",
        ),
    ],
)
def test_real_manifests_lose_nothing(
    tmp_path: Path, manifests: list[str], images: int, boxes: int, negatives: int | None
) -> None:
    paths = [str(REAL / name) for name in manifests]
    report = convert(tmp_path / "out", *paths, formats=("yolo", "csv"))
    assert (report.images, report.boxes, report.problems) == (images, boxes, {})
    assert negatives is None or report.negatives == negatives
    assert not any(report.repairs.values())
    assert len(list((tmp_path / "out").glob("labels/*/*.txt"))) == images
    expected: Counter[str] = Counter()
    for path in paths:
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            content = json.loads(line)
            for key, value in content.items():
                if key.endswith("-metadata"):
                    names = value["class-map"]
                    label = content[key.removesuffix("-metadata")]
                    expected.update(names[str(box["class_id"])] for box in label["annotations"])
    assert {name: count for name, count in report.boxes_by_class.items() if count} == expected
    assert verify_folder(tmp_path / "out").problems == ()
    written = sum(len(file.read_text().splitlines()) for file in (tmp_path / "out").glob("labels/*/*.txt"))
    assert written == boxes
