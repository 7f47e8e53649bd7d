"""The gate with Great Expectations itself: what it judges, quarantines, blocks on and writes."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roundtruth.annotations import table
from roundtruth.errors import QualityError
from roundtruth.quality import checks
from roundtruth.quality.gate import check_round
from roundtruth.quality.image_facts import IMAGE_FACTS
from roundtruth.quality.verdict import Verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.quality.rounds import fact, image, label, tables

CATEGORIES = ("pencil", "pen")
EVERYTHING = Quality(max_quarantine_share=1)
ODD_NAME = "a $b {c} %d #1 <img src=x onerror=alert(1)>'&\"<script>alert(2)</script>한글\u200b.jpg"


def checked(images, labels, settings=EVERYTHING, *, planned=None, **options):
    label_table, image_table = tables(images, labels)
    return check_round(
        labels=label_table,
        images=image_table,
        planned=len(images) if planned is None else planned,
        settings=settings,
        categories=CATEGORIES,
        **options,
    )


def names(failed):
    return [check.check for check in failed]


def good_round(count=10):
    images = [image(f"{number}.jpg") for number in range(count)]
    labels = [label(f"{number}.jpg", category=CATEGORIES[number % 2]) for number in range(count)]
    return images, labels


def test_a_good_round_passes_unchanged():
    images, labels = good_round()
    result = checked(images, labels, Quality())
    assert result.verdict.passed
    assert result.verdict.failed == ()
    pd.testing.assert_frame_equal(result.labels, tables(images, labels)[0])
    assert result.verdict.checked_rows["labels"] == 10


def test_an_empty_round_passes():
    result = checked([], [], Quality(min_boxes_per_category=0, min_images_per_category=0))
    assert result.verdict.passed
    assert result.verdict.failed == ()


@pytest.mark.parametrize(
    ("box", "check"),
    [
        pytest.param((90, 10, 20, 20), "box_inside_image", id="outside"),
        pytest.param((np.nan, 10, 20, 20), "box_inside_image", id="no number"),
        pytest.param((10, 10, 0, 20), "positive_size", id="no width"),
        pytest.param((10, 10, 20, -4), "positive_size", id="negative height"),
    ],
)
def test_a_bad_box_quarantines_its_image_and_the_round_goes_on(box, check):
    images, labels = good_round()
    labels[3] = label("3.jpg", box)
    result = checked(images, labels, Quality())
    assert result.verdict.passed
    assert check in names(result.verdict.critical)
    failed = next(one for one in result.verdict.critical if one.check == check)
    assert failed.consequence == "quarantined"
    assert failed.images == ("s3://bucket/images/3.jpg",)
    quarantined = result.images[result.images["status"] == "quarantined"]
    assert quarantined["source_ref"].tolist() == ["s3://bucket/images/3.jpg"]
    assert check in quarantined["reason"].iloc[0]
    assert "s3://bucket/images/3.jpg" not in set(result.labels["source_ref"])
    assert result.verdict.counts["published"] == 9


@pytest.mark.parametrize(
    ("images", "labels", "check"),
    [
        pytest.param([], [label("0.jpg", (10, 10, 1, 20))], "box_side", id="tiny"),
        pytest.param([], [label("0.jpg", (10, 10, 3, 5))], "box_area", id="small area"),
        pytest.param([], [label("0.jpg", (0, 10, 99, 1.5))], "aspect_ratio", id="absurd shape"),
        pytest.param([], [label("0.jpg", (0, 0, 100, 80))], "box_fills_image", id="whole image"),
        pytest.param([], [label("0.jpg", (10, 10, 20, 20.5), "pencil")], "duplicate_box", id="twice"),
        pytest.param([], [label("0.jpg")], "two_classes_on_one_object", id="two classes"),
        pytest.param([image("x", "unreadable", width=None)], [], "image_readable", id="unreadable"),
        pytest.param([image("x", "negative", etag="etag of 0.jpg")], [], "content_unique", id="copy"),
        pytest.param([image("x", "negative", orientation=6)], [], "upright", id="rotated"),
        pytest.param(
            [], [label("0.jpg", (n % 80, n // 80, 5, 5)) for n in range(301)], "boxes_per_image", id="many"
        ),
        pytest.param(
            [image(f"x{n}", "negative") for n in range(95)], [], "negative_share", id="too many negatives"
        ),
    ],
)
def test_what_is_reported_only(images, labels, check):
    good_images, good_labels = good_round()
    result = checked([*good_images, *images], [*good_labels, *labels], Quality(max_aspect_ratio=65))
    assert result.verdict.passed
    assert check in names(result.verdict.warnings + result.verdict.info)
    assert len(result.labels) == len(good_labels) + len(labels)


@pytest.mark.parametrize(
    ("images", "labels", "planned", "check"),
    [
        pytest.param([], [label("0.jpg", category="ruler")], 10, "category_known", id="unknown category"),
        pytest.param([], [label("0.jpg", category=None)], 10, "category_known", id="no category"),
        pytest.param([], [label("nowhere.jpg")], 10, "label_image_known", id="label of no image"),
        pytest.param([], [], 11, "images_accounted_for", id="an image is lost"),
        pytest.param([image("0.jpg")], [], 11, "image_listed_once", id="an image twice"),
        pytest.param([image("x", "lost")], [], 11, "status_known", id="unknown status"),
    ],
)
def test_what_blocks(images, labels, planned, check):
    good_images, good_labels = good_round()
    result = checked([*good_images, *images], [*good_labels, *labels], planned=planned)
    assert not result.verdict.passed
    assert check in names(result.verdict.blocking)
    with pytest.raises(QualityError, match=rf"Round 7 is blocked by \d critical checks?: .*{check}"):
        result.verdict.require_passed("Round 7")


def test_a_table_without_a_column_blocks_and_comes_back_as_it_was():
    label_table, image_table = tables(*good_round())
    result = check_round(
        labels=label_table.drop(columns="left"),
        images=image_table,
        planned=10,
        settings=Quality(),
        categories=CATEGORIES,
    )
    assert names(result.verdict.blocking) == ["columns_and_types"]
    assert result.verdict.blocking[0].values == ("labels: left: is missing",)


def test_sizes_are_compared_with_those_that_were_drawn_on():
    images, labels = good_round()
    drawn = pd.DataFrame({"source_ref": ["s3://bucket/images/0.jpg"], "width": [80], "height": [100]})
    result = checked(images, labels, drawn_sizes=drawn)
    assert names(result.verdict.critical) == ["size_as_drawn"]
    assert result.verdict.counts["quarantined"] == 1


def test_too_many_quarantined_images_block():
    images, labels = good_round()
    for number in range(3):
        labels[number] = label(f"{number}.jpg", (95, 10, 20, 20), CATEGORIES[number % 2])
    assert checked(images, labels, Quality(max_quarantine_share=0.3)).verdict.passed
    blocked = checked(images, labels, Quality(max_quarantine_share=0.2)).verdict
    assert names(blocked.blocking) == ["quarantined_share"]


def test_slivers_are_clipped_and_counted():
    images, labels = good_round()
    labels[0] = label("0.jpg", (90, 10, 10.5, 20), "pencil")
    result = checked(images, labels)
    assert result.labels["width"].iloc[0] == 10
    assert result.verdict.counts["clipped_boxes"] == 1
    assert names(result.verdict.info) == ["sliver_clipped"]


def test_images_that_cannot_be_decoded_are_unreadable():
    images, labels = good_round()
    facts = table(
        [fact("3.jpg", None, unreadable="is truncated"), *(fact(f"{n}.jpg", f"{n:016x}") for n in range(2))],
        IMAGE_FACTS,
    )
    result = checked(images, labels, facts=facts)
    row = result.images.iloc[3]
    assert (row["status"], row["reason"]) == ("unreadable", "is truncated")
    assert len(result.labels) == 9
    assert (result.verdict.counts["unreadable"], result.verdict.counts["carried_over"]) == (1, 0)
    assert "image_readable" in names(result.verdict.warnings)


def test_look_alikes_are_named_in_verdict_and_docs_and_can_be_quarantined(tmp_path):
    images, labels = good_round()
    facts = table([fact("0.jpg", "0" * 16), fact("1.jpg", "0" * 15 + "1")], IMAGE_FACTS)
    folder = ObjectUri.parse(str(tmp_path))
    verdict = checked(images, labels, facts=facts, docs_uri=folder, storage=Storage()).verdict
    (failed,) = verdict.warnings
    assert (failed.check, failed.images) == ("near_duplicate", ("s3://bucket/images/1.jpg",))
    assert failed.values == ("s3://bucket/images/0.jpg",)
    assert "near_duplicate" in (tmp_path / "index.html").read_text()
    strict = Quality(max_quarantine_share=1, severities={"near_duplicate": "critical"})
    assert checked(images, labels, strict, facts=facts).images["status"].tolist().count("quarantined") == 1
    known = table([fact("earlier.jpg", "f" * 16, sha256="bytes of 0.jpg")], IMAGE_FACTS)
    copies = checked(images, labels, facts=facts, known=known).verdict
    assert names(copies.warnings) == ["content_unique", "near_duplicate"]


def test_disputed_images_are_neither_judged_nor_lost():
    images, labels = good_round()
    images[0] = image("0.jpg", "disputed")
    labels[0] = label("0.jpg", (90, 10, 50, 20))
    result = checked(images, labels)
    assert result.verdict.failed == ()
    assert len(result.labels) == 10
    assert result.verdict.counts["carried_over"] == 1


def test_the_project_sets_severities():
    images, labels = good_round()
    labels[0] = label("0.jpg", (90, 10, 20, 20), "pencil")
    labels[2] = label("2.jpg", (10, 10, 1, 20), "pencil")
    settings = Quality(severities={"box_inside_image": "warning", "box_side": "critical"})
    result = checked(images, labels, settings)
    assert names(result.verdict.critical) == ["box_side"]
    assert names(result.verdict.warnings) == ["box_inside_image"]
    assert result.images["status"].tolist().count("quarantined") == 1
    assert result.verdict.parameters["severities"]["box_side"] == "critical"


def test_a_verdict_survives_quality_json_and_is_the_same_each_time():
    images, labels = good_round()
    labels[0] = label("0.jpg", (90, 10, 20, 20), "pencil")
    verdict = checked(images, labels).verdict
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert checked(images, labels).verdict.to_json() == verdict.to_json()
    with pytest.raises(QualityError, match="not a quality verdict"):
        Verdict.from_json(b"{}")


def test_data_docs_name_failing_images_load_nothing_and_are_the_same_each_time(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    images, labels = good_round()
    images.append(image(ODD_NAME))
    labels.append(label(ODD_NAME, (95, 10, 20, 20)))
    sites = []
    for name in ("first", "second"):
        folder = ObjectUri.parse(str(tmp_path / name))
        checked(images, labels, docs_uri=folder, storage=Storage())
        sites.append(
            {
                path.relative_to(tmp_path / name).as_posix(): path.read_text(encoding="utf-8")
                for path in sorted((tmp_path / name).rglob("*"))
                if path.is_file()
            }
        )
    assert sites[0] == sites[1]
    assert list(temporary.iterdir()) == []
    linked = [part.split('"')[0] for part in sites[0]["index.html"].split('href="')[1:]]
    assert len(linked) > 1
    assert set(linked) <= set(sites[0])
    assert pd.read_csv(io.StringIO(sites[0].pop("failing_images.csv"))).to_dict("records") == [
        {
            "check": "box_inside_image",
            "severity": "critical",
            "source_ref": f"s3://bucket/images/{ODD_NAME}",
            "failed_rows": 1,
        }
    ]
    index = sites[0].pop("index.html")
    assert "box_inside_image" in index
    assert "onerror=alert(1)&gt;" in index
    pages = "".join([index, *sites[0].values()])
    for forbidden in ("<script", "<img", "http://", "https://", "<link"):
        assert forbidden not in pages
    labels_page = next(page for path, page in sites[0].items() if path.startswith("validations/labels/"))
    assert "한글" in labels_page
    assert "&lt;img src=x onerror=alert(1)&gt;" in labels_page


def test_data_docs_need_a_storage(tmp_path):
    with pytest.raises(QualityError, match="storage"):
        checked(*good_round(), docs_uri=ObjectUri.parse(str(tmp_path / "docs")))


def test_every_check_has_a_default_severity():
    settings = Quality()
    known = [
        *checks.COLUMN_CHECKS,
        *checks.FILE_CHECKS,
        *checks.label_checks(settings, CATEGORIES),
        *checks.image_checks(settings, planned=1),
        *checks.content_checks(settings),
        *checks.published_checks(settings),
        *checks.category_checks(settings),
    ]
    assert {check.name for check in known} <= set(Quality.default_severities)


def test_a_misspelled_check_in_the_project_file_is_an_error():
    with pytest.raises(
        ValueError, match=r"there is no check 'box_insid_image'; did you mean box_inside_image"
    ):
        Quality(severities={"box_insid_image": "warning"})


def test_pages_are_left_out_when_no_docs_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checked(*good_round())
    assert list(Path(tmp_path).iterdir()) == []


def test_beyond_a_hundred_images_of_a_check_all_are_handed_on():
    """The verdict names its first hundred; who looks at the images wants each of them."""
    images, labels = good_round(130)
    narrow = [label(f"{number}.jpg", box=(10, 10, 1, 20)) for number in range(120) for _ in range(2)]
    quarter = [label(f"{number}.jpg", box=(10, 10, 1, 20)) for number in range(40)]
    result = checked(images, [*labels, *narrow])
    [check] = [one for one in result.verdict.warnings if one.check == "box_side"]
    assert (check.failed_rows, check.image_count, len(check.images)) == (240, 120, 100)
    every = result.unnamed["labels", "box_side"]
    assert sorted(every) == sorted(f"s3://bucket/images/{number}.jpg" for number in range(120))
    assert tuple(every[:100]) == check.images
    assert ("labels", "box_side") not in checked(images, [*labels, *quarter]).unnamed
