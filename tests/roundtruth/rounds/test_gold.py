"""Gold images: which a round takes, where they stand in its manifests, and how their truth is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.gold import TruthBox, choose_gold, decode_truth, encode_truth, mixed, read_truth
from roundtruth.rounds.plan import draft_plan, plan_round
from roundtruth.rounds.relabel import job_images, plan_relabel
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]

BOX = {"label": "pen", "left": 1, "top": 2.5, "width": 30, "height": 4}


def gold_project(bucket: str = "some-bucket", **changes: Any) -> Project:
    settings = {"truth": f"s3://{bucket}/gold/truth.jsonl", **changes.pop("gold", {})}
    return make_project(root=f"s3://{bucket}", consensus={"gold": settings}, **changes)


def put_gold(storage: Storage, bucket: str, count: int, *, images: bool = True) -> list[str]:
    uris = [f"s3://{bucket}/gold/{number}.jpg" for number in range(count)]
    for uri in uris if images else ():
        storage.write(ObjectUri.parse(uri), b"an image")
    lines = "".join(json.dumps({"source-ref": uri, "boxes": [BOX]}) + "\n" for uri in uris)
    storage.write(ObjectUri(bucket, "gold/truth.jsonl"), lines.encode())
    return uris


def test_every_part_gets_its_share(storage: Storage, s3_client: Any, bucket: str) -> None:
    put_images(s3_client, bucket, 10)
    gold = put_gold(storage, bucket, 9)
    project = gold_project(
        bucket,
        gold={"share": 0.3},
        labeling__max_objects_per_job=6,
        labeling__max_categories_per_job=1,
    )
    plan = plan_round(storage, project, "r1")
    assert plan is not None
    # 4 images and round(1.2) gold ones keep within 6; the jobs over other categories have the same.
    assert [(job.part, job.images, len(job.gold)) for job in plan.jobs] == [
        (0, 4, 1),
        (0, 4, 1),
        (1, 4, 1),
        (1, 4, 1),
        (2, 2, 1),
        (2, 2, 1),
    ]
    assert len(plan.gold) == 3, "parts take different ones while there are enough"
    assert plan.labeling_usd == pytest.approx(2 * 13 * 0.08)
    assert plan.relabel_usd == pytest.approx(2 * 10 * 0.08), "relabel jobs have none"
    folder = round_folder(project, "r1")
    for job in plan.jobs:
        images = job_images(storage, folder, plan, job)
        assert set(images) & set(gold) == set(job.gold)
        assert len(images) == job.images + 1
    assert plan.gold_truth is not None
    truth = decode_truth(storage.read(folder.uri / plan.gold_truth.file))
    assert [image.source_ref for image in truth] == list(plan.gold)
    assert draft_plan(storage, project, "r1").plan == plan
    again = plan_relabel(
        storage, project, folder, plan, relabel_pass=1, disputed=[f"s3://{bucket}/images/0.jpg"]
    )
    assert {job.gold for job in again.jobs} == {()}


def test_images_of_the_round_and_missing_ones_are_no_gold(
    storage: Storage, s3_client: Any, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    planned = put_images(s3_client, bucket, 4)
    refs = [*planned[:2], f"s3://{bucket}/gold/a.jpg", f"s3://{bucket}/gold/gone.jpg"]
    storage.write(ObjectUri.parse(refs[2]), b"an image")
    lines = "".join(json.dumps({"source-ref": ref, "boxes": []}) + "\n" for ref in refs)
    storage.write(ObjectUri(bucket, "gold/truth.jsonl"), lines.encode())
    plan = draft_plan(storage, gold_project(bucket, gold={"share": 0.5}), "r1").plan
    assert plan.gold == (refs[2],)
    assert "1 gold images of the truth file are no longer in S3" in caplog.text
    assert "2 gold images are wanted, the truth file has 1 to give" in caplog.text


@pytest.mark.parametrize("gold", [None, {"share": 0.01}], ids=["no gold images", "share of less than one"])
def test_no_gold(storage: Storage, gold: dict[str, float] | None) -> None:
    project = gold_project(gold=gold) if gold else make_project()
    # Nothing is read: there is no such bucket.
    assert choose_gold(storage, project, "r1", {0: 10}, []) == ({0: ()}, b"")


@given(
    st.lists(st.integers(), unique=True, max_size=30),
    st.lists(st.integers(), unique=True, max_size=10),
    st.text(max_size=5),
)
def test_mixed_in_without_changing_the_others(images: list[int], gold: list[int], job: str) -> None:
    others, known = [f"i{n}" for n in images], [f"g{n}" for n in gold]
    result = mixed(others, known, job=job)
    assert [ref for ref in result if ref.startswith("i")] == others
    assert sorted(result) == sorted(others + known)
    assert mixed(others, known[::-1], job=job) == result


def test_they_do_not_stand_out() -> None:
    others, gold = [f"s3://b/{n}.jpg" for n in range(1000)], [f"s3://b/gold/{n}.jpg" for n in range(200)]
    order = mixed(others, gold, job="pens-r1-1")
    tenths = [sum(ref in set(gold) for ref in order[start : start + 120]) for start in range(0, 1200, 120)]
    assert min(tenths) >= 8
    assert max(tenths) <= 35


def manifest_line(**metadata: Any) -> dict[str, Any]:
    box = {"class_id": 1, "left": 1, "top": 2.5, "width": 30, "height": 4}
    return {
        "source-ref": "s3://b/job.jpg",
        "boxes": {"image_size": [{"width": 640, "height": 480, "depth": 3}], "annotations": [box]},
        "boxes-metadata": {
            "type": "groundtruth/object-detection",
            "class-map": {"1": "pen"},
            "objects": [{"confidence": 0}],
            **metadata,
        },
    }


def truth_file(folder: Path, *lines: dict[str, Any] | bytes) -> ObjectUri:
    path = folder / "truth.jsonl"
    content = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(content) + b"\n")
    return ObjectUri.parse(str(path))


def test_both_forms_in_one_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failed = manifest_line(**{"failure-reason": "ClientError"}) | {"source-ref": "s3://b/failed.jpg"}
    uri = truth_file(
        tmp_path,
        {"source-ref": "s3://b/사진.jpg", "boxes": [BOX | {"label": " pen​cil "}, BOX | {"label": "biro"}]},
        b"",
        manifest_line(),
        {"source-ref": "s3://b/empty.jpg", "boxes": []},
        failed,
    )
    truth = read_truth(Storage(), uri, make_project(aliases={"biro": "pen"}))
    box = TruthBox(label="pen", left=1, top=2.5, width=30, height=4)
    assert {ref: [one.label for one in image.boxes] for ref, image in truth.items()} == {
        "s3://b/사진.jpg": ["pencil", "pen"],
        "s3://b/empty.jpg": [],
        "s3://b/job.jpg": ["pen"],
    }
    assert truth["s3://b/job.jpg"].boxes == (box,)
    assert "1 lines without a label" in caplog.text
    images = list(truth.values())
    assert list(decode_truth(encode_truth(images))) == images


GOOD = {"source-ref": "s3://b/a.jpg", "boxes": []}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param([], "holds no image with its truth", id="empty"),
        pytest.param([GOOD, b"{"], ":2 is no truth of an image: is not a JSON object", id="broken"),
        pytest.param([GOOD, GOOD], ":2 is no truth of an image: s3://b/a.jpg is there before", id="twice"),
        pytest.param([{"boxes": []}], ":1 .* missing required field `source-ref`", id="no image"),
        pytest.param([GOOD | {"boxes": [{"label": "pen"}]}], ":1 .* missing required", id="no place"),
        pytest.param([GOOD | {"boxes": [BOX | {"width": 0}]}], ":1 .* a box has no area", id="no area"),
        pytest.param(
            [GOOD | {"boxes": [BOX | {"label": "ruler"}]}], ":1: .*'ruler' is none of", id="unknown"
        ),
    ],
)
def test_unusable_truth(tmp_path: Path, lines: list[Any], message: str) -> None:
    with pytest.raises(RoundError, match=message):
        read_truth(Storage(), truth_file(tmp_path, *lines), make_project())
