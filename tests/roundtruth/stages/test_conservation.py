"""Nothing is lost: whatever becomes of the images of a round, all of them are accounted for, and come back.

The steps from the collected answers to round.json and the next round's plan, on an S3 in memory; what people
and Ground Truth did is drawn at random.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore
from PIL import Image

from roundtruth.annotations import AGREEMENT, ANSWERS, IMAGES, LABELS, from_parquet, table, to_parquet
from roundtruth.project import Project
from roundtruth.quality import judging
from roundtruth.quality.suites import Outcome
from roundtruth.quality.verdict import Verdict
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.stages import labeling_round
from roundtruth.stages.image_inspection import inspect
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project

BUCKET = "some-bucket"
SIZE = (96, 64)

# What may become of an image, and the status that its round must record.
FATES = {
    "labeled": "labeled",
    "negative": "negative",
    "failed": "failed",
    "nobody answered": "unlabeled",
    "not in the output": "unlabeled",
    "disputed": "disputed",
    "box outside": "quarantined",
    "box without width": "quarantined",
    "drawn on another size": "quarantined",
    "disputed, box outside": "disputed",
    "no image": "unreadable",
    "empty": "unreadable",
    "cut off": "unreadable",
    "cut off, nobody answered": "unreadable",
    "deleted meanwhile": "labeled",
    "copy of another": "labeled",
}
COMES_BACK = {"failed", "unlabeled", "disputed", "quarantined"}


class AnyBucket:
    """The one call of boto3 that Storage needs here: is the bucket there?"""

    def head_bucket(self, **_: Any) -> dict[str, Any]:
        return {}


def memory_storage() -> Storage:
    buckets: dict[str, MemoryStore] = {}
    return Storage(lambda bucket: buckets.setdefault(bucket, MemoryStore()), AnyBucket())  # type: ignore[arg-type, return-value]  # the same calls


def photo(number: int) -> bytes:
    content = io.BytesIO()
    Image.effect_mandelbrot(SIZE, (-2 + number / 60, -1.5, 1, 1.5), 60).save(content, "JPEG")
    return content.getvalue()


def content(fate: str, number: int) -> bytes:
    data = photo(0 if fate == "copy of another" else number)
    if fate.startswith("cut off"):
        return data[: len(data) * 3 // 4]
    return {"no image": b"hello", "empty": b""}.get(fate, data)


def box_of(fate: str) -> dict[str, Any]:
    left, width = {"box outside": (90, 30), "disputed, box outside": (90, 30)}.get(fate, (10, 20))
    return {"left": left, "top": 5, "width": 0 if fate == "box without width" else width, "height": 20}


def collect(storage: Storage, project: Project, key: str, fates: dict[str, str]) -> None:
    """What collect and measure leave behind, for images with these fates."""
    folder = round_folder(project, key)
    (job,) = require_plan(storage, folder).jobs or (None,)
    planned = read_planned_images(storage, folder, require_plan(storage, folder))
    refs = [ref for ref in planned.loc[planned["unreadable"] == "", "source_ref"] if ref in fates]
    told = {
        "failed": "failed",
        "nobody answered": "unlabeled",
        "cut off, nobody answered": "unlabeled",
        "negative": "negative",
    }
    objects, answers, labels, agreement = [], [], [], []
    for ref in refs:
        fate = fates[ref]
        if fate == "not in the output":
            continue
        status = told.get(fate, "labeled")
        answered = status in ("labeled", "negative")
        width = SIZE[1] if fate == "drawn on another size" else SIZE[0]
        objects.append(
            {"source_ref": ref, "status": status, "reason": "", "answers": 3 * answered}
            | ({"width": width, "height": SIZE[1]} if answered else {})
        )
        if not answered:
            continue
        box = {"category": "pen", **box_of(fate)} if status == "labeled" else {}
        answers += [
            {"source_ref": ref, "job": job.name, "worker": name, "box": 0 if box else -1, "seconds": 9, **box}
            for name in "abc"
        ]
        disputed = fate.startswith("disputed")
        agreement.append(
            {"source_ref": ref, "answers": 3, "agreement": 0.9, "disputed": disputed, "reason": "1 extra"}
        )
        if box:
            labels.append({"source_ref": ref, "job": job.name, "score": 1.0, "votes": 3, "answers": 3, **box})
    if job is not None:
        inputs = folder.job(job.name)
        storage.write(inputs.answers, to_parquet(table(answers, ANSWERS), ANSWERS))
        storage.write(inputs.objects, to_parquet(table(objects, OBJECTS), OBJECTS))
        storage.write(inputs.consolidated, to_parquet(table([], LABELS), LABELS))
    storage.write(folder.answers, to_parquet(table(answers, ANSWERS), ANSWERS))
    storage.write(folder.stage("consensus-labels.parquet"), to_parquet(table(labels, LABELS), LABELS))
    storage.write(folder.stage("agreement.parquet"), to_parquet(table(agreement, AGREEMENT), AGREEMENT))
    storage.write(folder.skills, b"{}\n")
    storage.write(folder.consensus, b'{"workers": [], "agreement": {"mean": 0.9}}')


def by_our_rules(suites: Any, *_: Any, **__: Any) -> tuple[Outcome, ...]:
    """Judged as Great Expectations does, which takes seconds a round; test_gate.py compares the two."""
    outcomes = []
    for suite in suites:
        for check in suite.checks:
            failing = check.rule.failing(suite.frame)
            rows = int(failing.sum())
            success = rows <= getattr(check.rule, "allowed_share", 0) * len(failing)
            outcomes.append(
                Outcome(suite=suite, check=check, success=success, failed_rows=rows, failing=failing)
            )
    return tuple(outcomes)


def run_round(storage: Storage, project: Project, key: str, fates: dict[str, str]) -> dict[str, int]:
    """From the collected answers to round.json; returns its counts."""
    inspect(storage, project, key)
    for ref, fate in fates.items():
        if fate == "deleted meanwhile":
            storage.delete(ObjectUri.parse(ref))
    collect(storage, project, key, fates)
    labeling_round.merge(storage, project, key)
    labeling_round.check(storage, project, key)
    counts: dict[str, int] = labeling_round.record(storage, project, key)["counts"]
    return counts


def statuses(storage: Storage, project: Project, key: str) -> dict[str, str]:
    images = from_parquet(storage.read(round_folder(project, key).images), IMAGES, name="images")
    return dict(zip(images["source_ref"], images["status"], strict=True))


def judge_a_round(chosen: list[str]) -> None:
    storage = memory_storage()
    project = make_project(
        root=f"s3://{BUCKET}",
        images__minimum=1,
        quality={"max_quarantine_share": 1},
        consensus={"relabel_passes": 0},
    )
    fates = {f"s3://{BUCKET}/images/{number}.jpg": fate for number, fate in enumerate(chosen)}
    for number, (ref, fate) in enumerate(fates.items()):
        storage.write(ObjectUri.parse(ref), content(fate, number))
    assert labeling_round.plan_jobs(storage, project, "r1") is not None
    counts = run_round(storage, project, "r1", fates)

    # Every planned image has one status, the one that its fate calls for.
    assert statuses(storage, project, "r1") == {ref: FATES[fate] for ref, fate in fates.items()}
    assert sum(counts.values()) == len(fates)
    verdict = Verdict.from_json(storage.read(round_folder(project, "r1").quality)).counts
    accounted = ("published", "quarantined", "carried_over", "unreadable")
    assert verdict["planned"] == len(fates) == sum(verdict[name] for name in accounted)
    labels = from_parquet(storage.read(round_folder(project, "r1").labels), LABELS, name="labels")
    assert set(labels["source_ref"]) == {ref for ref, fate in fates.items() if FATES[fate] == "labeled"}

    # What got no label comes back with the next round, and nothing else does.
    waiting = {ref for ref, fate in fates.items() if FATES[fate] in COMES_BACK}
    history = read_history(storage, project)
    assert {ref for ref, _ in history.carried_over} == waiting
    assert {ref for ref, _ in history.settled} == set(fates) - waiting
    new = f"s3://{BUCKET}/images/new.jpg"
    storage.write(ObjectUri.parse(new), photo(50))
    assert labeling_round.plan_jobs(storage, project, "r2") is not None
    folder = round_folder(project, "r2")
    planned = read_planned_images(storage, folder, require_plan(storage, folder))
    assert set(planned["source_ref"]) == waiting | {new}
    assert set(planned.loc[planned["carried_over"], "source_ref"]) == waiting

    # With good answers this time, everything is settled.
    again = run_round(storage, project, "r2", dict.fromkeys([*waiting, new], "labeled"))
    assert again == {"labeled": len(waiting) + 1}
    assert not read_history(storage, project).carried_over


@settings(max_examples=8, deadline=None)
@given(chosen=st.lists(st.sampled_from(sorted(FATES)), min_size=1, max_size=9))
def test_planned_is_published_and_quarantined_and_carried_over_and_unreadable(chosen: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "run_suites", by_our_rules)
        patch.setattr(judging, "publish_site", lambda *_: None)
        judge_a_round(chosen)


def test_the_same_with_great_expectations() -> None:
    judge_a_round(sorted(FATES))
