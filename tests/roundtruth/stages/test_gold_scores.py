"""A round with gold images on the sandbox: they cost, they judge workers, and they are nobody's label."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, IMAGES, LABELS, from_parquet
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.worker_skills import decode_skills
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import require_plan
from roundtruth.rounds.record import read_record
from roundtruth.sandbox import SandboxSettings
from roundtruth.sandbox.workers import worker_pool
from roundtruth.stages import labeling_round
from roundtruth.stages.fused_answers import pseudonym_key
from roundtruth.stages.gold_scores import gold_answers
from roundtruth.stages.skill_history import skills_before
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.round_runs import etags, finish_without_checks, run_until_merged
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]

NONSENSE = 2


@pytest.fixture
def project(bucket: str) -> Project:
    return make_project(
        project=f"p{bucket[-10:]}",
        root=f"s3://{bucket}",
        labeling__workers_per_object=9,
        consensus={"relabel_passes": 0, "gold": {"truth": f"s3://{bucket}/gold/truth.jsonl", "share": 0.5}},
    )


def put_gold(storage: Storage, bucket: str, count: int) -> list[str]:
    """The images that ``put_images`` made once more under gold/, with a truth file for the pipeline."""
    lines, uris = [], []
    for number in range(count):
        uri = f"s3://{bucket}/gold/{number}.jpg"
        for suffix in ("", ".truth.json"):
            content = storage.read(ObjectUri(bucket, f"images/{number}.jpg{suffix}"))
            storage.write(ObjectUri.parse(uri + suffix), content)
        truth = json.loads(content)
        lines.append(json.dumps({"source-ref": uri, "boxes": truth["objects"]}) + "\n")
        uris.append(uri)
    storage.write(ObjectUri(bucket, "gold/truth.jsonl"), "".join(lines).encode())
    return uris


def put_faults(sandbox: Any, *jobs: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{sandbox.endpoint_url}/_sandbox/faults", data=json.dumps({"jobs": jobs}).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()


def refs(storage: Storage, uri: ObjectUri, schema: Any) -> set[str]:
    frame: pd.DataFrame = from_parquet(storage.read(uri), schema, name=str(uri))
    return set(frame["source_ref"])


def test_a_round_with_gold_images(
    storage: Storage, s3_client: Any, sagemaker_client: Any, sandbox: Any, bucket: str, project: Project
) -> None:
    images = put_images(s3_client, bucket, 24)
    gold = put_gold(storage, bucket, 16)
    put_faults(sandbox, {"job": f"{project.project}-r1-1", "nonsense_workers": NONSENSE})
    statuses = run_until_merged(storage, sagemaker_client, project, "r1")
    assert statuses is not None
    assert sum(statuses.values()) == 24, "gold images are none of the round's"
    folder = round_folder(project, "r1")
    plan = require_plan(storage, folder)
    assert (plan.images, plan.new, len(plan.gold)) == (24, 24, 12)
    assert set(plan.gold) < set(gold)
    assert plan.labeling_usd == pytest.approx(36 * 0.08)

    # They stand among the others in the manifest, and in no table of the round.
    lines = storage.read(folder.job(plan.jobs[0].name).manifest).splitlines()
    order = [json.loads(line)["source-ref"] for line in lines]
    assert [ref for ref in order if ref in set(images)] == sorted(images, key=lambda ref: order.index(ref))
    assert (len(order), set(order)) == (36, set(images) | set(plan.gold))
    assert len({ref in plan.gold for ref in order[:18]}) == len({ref in plan.gold for ref in order[18:]}) == 2
    stage = folder.stage
    for uri, schema in (
        (folder.answers, ANSWERS),
        (stage("merged-images.parquet"), IMAGES),
        (stage("merged-labels.parquet"), LABELS),
    ):
        assert refs(storage, uri, schema) <= set(images)
    assert not [ref for ref in gold if ref.encode() in storage.read(folder.consensus)]
    report = json.loads(storage.read(folder.consensus))

    figures = {found.uri.name: storage.read(found.uri) for found in storage.list_objects(folder.figures)}
    assert sorted(figures) == ["agreement.svg", "confusion.svg", "gold.svg", "seconds.svg", "workers.svg"]
    assert all(figure.startswith(b"<svg ") for figure in figures.values())

    # The two who answer nonsense are found out, and nobody else is.
    found = report["gold"]
    pool = worker_pool("good", SandboxSettings().seed, NONSENSE)
    key = pseudonym_key(storage, project)
    careless = sorted(pseudonym(w.worker_id(public=False), key) for w in pool[:NONSENSE])
    assert found["careless_workers"] == careless
    assert set(careless) <= set(report["careless_workers"])
    assert all(f"{name} (careless)".encode() in figures["gold.svg"] for name in careless)
    assert (found["images"], found["answers"]) == (12, 12 * 9)
    honest = [worker for worker in found["workers"] if not worker["careless"]]
    # Which images meet which worker hangs on the bucket's name, and some see a handful of objects only.
    shown = sum(worker["objects"] for worker in honest)
    assert sum(worker["recall"] * worker["objects"] for worker in honest if worker["objects"]) > 0.8 * shown
    assert all(worker["mean_iou"] > 0.8 for worker in honest if worker["objects"])
    # Their skills hold it: they count less from this round on.
    known = decode_skills(storage.read(folder.skills), name="skills.json").workers
    assert max(known[name].draws for name in careless) < min(known[one["worker"]].draws for one in honest)
    assert skills_before(storage, project, folder).workers == {}, "gold is in no round but its own"

    recorded = finish_without_checks(storage, project, "r1")
    record = read_record(storage, folder)
    assert record is not None
    assert (sum(recorded["counts"].values()), record.gold_answers) == (24, 108)
    assert record.answers == 24 * 9
    assert record.spent_usd == pytest.approx(36 * 0.08)

    # Once more, after the truth file has changed: the round is measured by what it was planned with.
    storage.write(ObjectUri(bucket, "gold/truth.jsonl"), b"")
    before = etags(storage, bucket)
    assert labeling_round.measure(storage, project, "r1", relabel_pass=0) == []
    assert etags(storage, bucket) == before


def test_a_round_without_gold_images(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    project = make_project(project=f"p{bucket[-10:]}", root=f"s3://{bucket}")
    put_images(s3_client, bucket, 3)
    run_until_merged(storage, sagemaker_client, project, "r1")
    folder = round_folder(project, "r1")
    assert "gold" not in json.loads(storage.read(folder.consensus))
    assert storage.head(folder.figures / "gold.svg") is None
    assert gold_answers(storage, folder, require_plan(storage, folder)) == 0
