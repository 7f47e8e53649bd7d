"""Truth files and replayed manifests, on real ones too."""

from __future__ import annotations

import json

import pytest

from roundtruth.errors import SandboxError
from roundtruth.sandbox import BUCKET
from roundtruth.sandbox.truth import ReplayedManifest, TrueBox, Truth, decode_truth, encode_truth, read_truths
from tests.real_data import REAL, needs_real
from tests.sandbox_job import job_request, put_labels, read_rows, wait_for_job
from tests.sandbox_process import sandbox_process

TRUTH = Truth(width=10, height=8, objects=(TrueBox(label="한", left=1.5, top=2, width=3, height=4),))


def row(source, name="job", left=1, date="2022-03-01T09:46:48", boxes=1):
    box = {"class_id": 3, "left": left, "top": 2, "width": 3, "height": 4}
    return {
        "source-ref": source,
        name: {"image_size": [{"width": 10, "height": 8, "depth": 3}], "annotations": [box] * boxes},
        f"{name}-metadata": {"class-map": {"3": "pen"} if boxes else {}, "creation-date": date},
    }


def replayed(tmp_path, *rows):
    path = tmp_path / "output.manifest"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return ReplayedManifest(path)


def test_truth_files_round_trip():
    assert decode_truth(encode_truth(TRUTH)) == TRUTH
    with pytest.raises(SandboxError, match="not valid"):
        decode_truth(b'{"width": 1}')


def test_truths_of_a_list_of_images():
    objects = {"s3://b/a.jpg.truth.json": encode_truth(TRUTH)}
    assert read_truths(["s3://b/a.jpg", "s3://b/c.jpg"], objects.get) == {"s3://b/a.jpg": TRUTH}


def test_the_newest_label_of_a_line_counts(tmp_path):
    old, new = row("s3://b/a.jpg", "old"), row("s3://b/a.jpg", "new", left=7, date="2023-01-01T00:00:00")
    assert replayed(tmp_path, new | old).find("s3://other/x/a.jpg").objects[0].left == 7


def test_the_longest_common_tail_decides(tmp_path):
    replay = replayed(tmp_path, row("s3://b/one/a.jpg", left=1), row("s3://b/two/a.jpg", left=2))
    assert replay.find("s3://mine/deep/two/a.jpg").objects[0].left == 2
    assert replay.find("s3://mine/one/a.jpg").objects[0].left == 1
    assert replay.find("s3://mine/three/a.jpg") is None  # either could be meant
    assert replay.find("s3://mine/b.jpg") is None


def test_rows_without_labels_are_unknown_and_zero_boxes_are_not(tmp_path):
    failed = {"source-ref": "s3://b/f.jpg", "job-metadata": {"failure-reason": "x"}}
    replay = replayed(tmp_path, {"source-ref": "s3://b/u.jpg"}, failed, row("s3://b/z.jpg", boxes=0))
    assert replay.find("s3://b/u.jpg") is None
    assert replay.find("s3://b/f.jpg") is None
    assert replay.find("s3://b/z.jpg") == Truth(width=10, height=8, objects=())


@pytest.mark.parametrize(
    "line", ["{", '{"a": 1}', '{"source-ref": "s3://b/a", "j": {"annotations": []}, "j-metadata": {}}']
)
def test_lines_that_cannot_be_replayed(tmp_path, line):
    path = tmp_path / "output.manifest"
    path.write_text(json.dumps(row("s3://b/a.jpg")) + "\n" + line)
    with pytest.raises(SandboxError, match=r"output\.manifest, line 2, cannot be replayed"):
        ReplayedManifest(path)


@needs_real
@pytest.mark.real
def test_a_real_job_is_replayed_box_by_box():
    manifest = REAL / "cigars" / "output.manifest"
    recorded = {
        one["source-ref"].rpartition("/")[2]: one
        for one in map(json.loads, manifest.read_text().splitlines())
    }
    names = sorted({box["class"] for one in recorded.values() for box in boxes(one, "zegar-labeling-test")})
    with sandbox_process("--workers", "replay", "--replay", str(manifest), "--speed", "20000") as sandbox:
        uris = []
        for path in sorted((REAL / "cigars" / "images").iterdir()):
            sandbox.s3.put_object(Bucket=BUCKET, Key=f"images/mine/{path.name}", Body=path.read_bytes())
            uris.append(f"s3://{BUCKET}/images/mine/{path.name}")
        request = job_request(sandbox.s3, BUCKET, "cigars", uris)
        put_labels(sandbox.s3, BUCKET, names)
        sandbox.sagemaker.create_labeling_job(**request)
        job = wait_for_job(sandbox.sagemaker, "cigars")
        rows = read_rows(sandbox.s3, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert job["LabelCounters"]["TotalLabeled"] == len(rows) == 32
    drawn = {one["source-ref"].rpartition("/")[2]: boxes(one, "pens") for one in rows}
    assert sum(map(len, drawn.values())) == 54
    assert sum(not some for some in drawn.values()) == 9
    for name, some in drawn.items():
        assert sorted(some, key=str) == sorted(boxes(recorded[name], "zegar-labeling-test"), key=str), name


def boxes(one, attribute):
    names = one[f"{attribute}-metadata"]["class-map"]
    return [
        {
            "class": names[str(box["class_id"])],
            **{side: box[side] for side in ("left", "top", "width", "height")},
        }
        for box in one[attribute]["annotations"]
    ]
