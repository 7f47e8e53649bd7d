from __future__ import annotations

import pytest

from roundtruth.datasets.yolo_rules import (
    data_yaml_problems,
    label_path,
    label_problems,
    pairing_problems,
    size_problem,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="negative"),
        pytest.param(b"0 0.5 0.5 1.000000 1.000000\n1 0.1 0.1 0.1 0.1\n", [], id="good"),
        pytest.param(b"0 0.5 0.5 1\n", ["row 1 has 4 columns; a box has five"], id="columns"),
        pytest.param(
            b"0 0.5 0.5 0.2 0.2\nx 0.5 0.5 1 1\n", ["row 2 has a column that is no number"], id="text"
        ),
        pytest.param(b"2 0.5 0.5 1 1\n", ["row 1 has class 2; there are 2 classes"], id="class too high"),
        pytest.param(b"-1 0.5 0.5 1 1\n", ["row 1 has class -1"], id="class below 0"),
        pytest.param(b"0 1.2 0.5 1 1\n", ["row 1 has a coordinate outside 0–1"], id="outside"),
        pytest.param(b"0 nan 0.5 1 1\n", ["row 1 has a coordinate outside 0–1"], id="not a number"),
        pytest.param(b"0 0.5 0.5 0 1\n", ["row 1 has a box without an area"], id="no area"),
        pytest.param(b"0 0.5 0.5 1 1\n" * 2, ["row 2 repeats row 1"], id="duplicate"),
        pytest.param(b"\xff\xfe", ["is not UTF-8 text"], id="bytes"),
    ],
)
def test_label_problems(data: bytes, expected: list[str]) -> None:
    found = list(label_problems(data, 2))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_pairs() -> None:
    paths = [
        "images/train/a.jpg",
        "labels/train/a.txt",
        "images/val/b.v2.png",
        "labels/val/b.txt",
        "data.yaml",
    ]
    assert dict(pairing_problems(paths)) == {
        "images/val/b.v2.png": "has no label file labels/val/b.v2.txt; it would be trained on as a negative",
        "labels/val/b.txt": "has no image; it would never be read",
    }


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/x.jpg", "labels/train/x.txt"),
        ("train/images/x.v2.png", "train/labels/x.v2.txt"),
        pytest.param("images/train/images/x.JPG", "images/train/labels/x.txt", id="the last images counts"),
        ("images/images.jpg", "labels/images.txt"),
    ],
)
def test_the_label_path_comes_from_the_image_path(image: str, label: str) -> None:
    assert label_path(image) == label
    assert list(pairing_problems([image, label])) == []
    assert [path for path, _ in pairing_problems([image, f"labels/other/{label}"])] == [
        image,
        f"labels/other/{label}",
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"train: a\nval: b\nnames: [x]\n", [], id="good"),
        pytest.param(b"train: a\nval: b\nnc: 2\nnames: [x]\n", ["says nc: 2 and has 1 names"], id="nc"),
        pytest.param(b"train: a\nnc: 1\nnames: {0: x}\n", ["names no val images"], id="no val"),
    ],
)
def test_data_yaml_problems(data: bytes, expected: list[str]) -> None:
    assert list(data_yaml_problems(data)) == expected


@pytest.mark.parametrize(
    ("size", "fine"), [((10, 10), True), ((9, 4000), False), ((1, 1), False), ((20000, 20000), True)]
)
def test_sizes(size: tuple[int, int], fine: bool) -> None:
    assert (size_problem(*size) is None) == fine
