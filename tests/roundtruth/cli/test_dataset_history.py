"""show, diff, rollback, export, explain over real HTTP, as a training team uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from roundtruth.annotations import ANSWERS, table, to_parquet
from roundtruth.cli import main
from roundtruth.consensus.pseudonyms import KEY_FILE, project_key, pseudonym
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.verify import verify_folder
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import listing, project_in, put_round, storage_of

PEN = ("pen", 10.0, 10.0, 20.0, 30.0)
PENCIL = ("pencil", 50.0, 5.0, 40.0, 12.0)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


@pytest.fixture
def project(bucket: str) -> Project:
    return project_in(bucket, dataset={"name": "pens", "formats": ["yolo"]})


@pytest.fixture
def run(sandbox: Any, project: Project, tmp_path: Path) -> Any:
    environment = {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
    }
    path = tmp_path / "pens.yaml"
    path.write_text(yaml.safe_dump(project.model_dump(mode="json", exclude_defaults=True)))

    def invoke(*arguments: object) -> Result:
        words = ["dataset", *map(str, arguments), "--project", str(path)]
        return CliRunner().invoke(main, words, env=environment)

    return invoke


def release(storage: Storage, project: Project) -> str | None:
    candidate = assemble_candidate(storage, project)
    return publish_version(storage, project, candidate).version if candidate else None


def two_versions(storage: Storage, project: Project) -> dict[str, str]:
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": [PEN, PENCIL], "b.jpg": [PEN], "c.jpg": []})
    assert release(storage, project) == "v0001"
    boxes = {
        "a.jpg": [("pen", 11.0, 10.0, 20.0, 30.0), ("pen", 50.0, 5.0, 40.0, 12.0)],
        "b.jpg": [("pencil", 70.0, 50.0, 9.0, 9.0)],
        "d.jpg": [PEN],
    }
    refs |= put_round(storage, project, "2026-01-12", boxes)
    storage.delete(ObjectUri.parse(refs["c.jpg"]))
    packed = project.model_copy(update={"dataset": project.dataset.model_copy(update={"layout": "packed"})})
    assert release(storage, packed) == "v0002"
    return refs


def test_diff_names_every_box(run: Any, storage: Storage, project: Project) -> None:
    refs = two_versions(storage, project)
    found = json.loads(run("diff", "v0001", "pens@latest", "--json").stdout)
    assert (found["old"], found["new"]) == ("v0001", "v0002")
    assert (found["added"], found["removed"], found["replaced"]) == ([refs["d.jpg"]], [refs["c.jpg"]], [])
    assert found["counts"]["negatives"] == {"old": 1, "new": 0}
    assert found["classes"] == {"pencil": {"old": 1, "new": 1}, "pen": {"old": 2, "new": 3}}
    relabeled = {one["source_ref"]: one["boxes"] for one in found["relabeled"]}
    assert set(relabeled) == {refs["a.jpg"], refs["b.jpg"]}
    changed, moved = relabeled[refs["a.jpg"]]
    assert (changed["change"], changed["old_class"], changed["new_class"], changed["iou"]) == (
        "class", "pencil", "pen", 1.0,
    )  # fmt: skip
    assert (moved["change"], moved["old"], moved["new"]) == ("moved", [10, 10, 20, 30], [11, 10, 20, 30])
    assert moved["iou"] == pytest.approx(19 / 21, abs=1e-4)
    assert [one["change"] for one in relabeled[refs["b.jpg"]]] == ["vanished", "appeared"]

    text = run("diff", "pens@v0001", "v0002").stdout
    assert "negatives: 1 → 0 (-1)" in text
    assert "2 images relabeled" in text
    assert "moved: pen 10, 10, 20, 30 → pen 11, 10, 20, 30 (IoU 0.90)" in text
    backwards = json.loads(run("diff", "v0002", "v0001", "--json").stdout)
    assert (backwards["added"], backwards["removed"]) == ([refs["c.jpg"]], [refs["d.jpg"]])
    assert "nothing that trainers get has changed" in run("diff", "v0001", "v0001").stdout


def test_rollback_is_logged_and_no_release_undoes_it(
    run: Any, storage: Storage, project: Project, s3_client: Any, bucket: str
) -> None:
    two_versions(storage, project)
    packed = project.model_copy(update={"dataset": project.dataset.model_copy(update={"layout": "packed"})})
    before = listing(s3_client, bucket, "boxes/datasets/pens/versions/")
    moved = run("rollback", "--reason", "boxes of a.jpg are wrong", "--by", "ada")
    assert moved.exit_code == 0, moved.output
    assert "was v0002 and is v0001" in moved.stdout
    pointer = ObjectUri(bucket, "boxes/datasets/pens/latest.json")
    written = json.loads(storage.read(pointer))
    assert written["version"] == "v0001"
    (entry,) = written["history"]
    assert (entry["from"], entry["to"], entry["by"]) == ("v0002", "v0001", "ada")
    assert entry["reason"] == "boxes of a.jpg are wrong"
    assert "v0001  latest" in run("show").stdout
    assert "v0002  withdrawn" in run("show", "pens@v0002").stdout

    # The same labels again: nothing is published and nothing moves.
    assert release(storage, packed) is None
    assert json.loads(storage.read(pointer)) == written
    assert listing(s3_client, bucket, "boxes/datasets/pens/versions/") == before

    # Other labels: the next number, on top of the newest, and latest moves on. The log stays.
    put_round(storage, project, "2026-01-19", {"a.jpg": [PEN]})
    assert release(storage, packed) == "v0003"
    after = json.loads(storage.read(pointer))
    assert (after["version"], after["history"]) == ("v0003", written["history"])
    assert json.loads(run("show", "--json").stdout)["parent"] == "v0002"

    back = run("rollback", "pens@v0002", "--reason", "it was right", "--json")
    assert json.loads(back.stdout) == {"dataset": "pens", "from": "v0003", "to": "v0002"}
    assert len(json.loads(storage.read(pointer))["history"]) == 2
    assert "withdrawn" not in run("show", "pens@v0002").stdout
    assert run("rollback", "pens@v0007", "--reason", "x").exit_code == 2


@pytest.mark.parametrize("version", ["v0001", "v0002"])
def test_export_gives_other_formats_of_either_layout(
    run: Any, storage: Storage, project: Project, tmp_path: Path, s3_client: Any, bucket: str, version: str
) -> None:
    two_versions(storage, project)
    before = listing(s3_client, bucket, "boxes/")
    out = tmp_path / "out"
    formats = ["--format", "yolo", "--format", "coco", "--format", "manifest"]
    done = run("export", f"pens@{version}", "--out", out, "--images", *formats, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["images"] == 3
    assert verify_folder(out).problems == ()
    assert (out / "manifest" / "output.manifest").read_bytes().count(b"\n") == len(
        list(out.glob("images/*/*"))
    )
    assert listing(s3_client, bucket, "boxes/") == before
    again = run("export", f"pens@{version}", "--out", out, "--format", "voc")
    assert again.exit_code == 2
    assert "is not an empty folder" in again.stderr


def answer(image: str, worker: str, number: int, box: tuple[Any, ...] | None) -> dict[str, Any]:
    names = ("category", "left", "top", "width", "height")
    drawn = dict(zip(names, box, strict=True)) if box else {}
    return {
        "source_ref": image, "worker": worker, "box": number, "submitted": "2026-01-05T10:00:00Z", **drawn,
    }  # fmt: skip


def test_explain_leads_to_the_workers(run: Any, storage: Storage, project: Project) -> None:
    answers = [
        answer("x/a.jpg", "private.us-east-1.one", 0, ("pen", 11.0, 10.0, 20.0, 30.0)),
        answer("x/a.jpg", "private.us-east-1.one", 1, ("pencil", 80.0, 70.0, 5.0, 5.0)),
        answer("x/a.jpg", "private.us-east-1.two", 0, PEN) | {"submitted": None},
        answer("x/a.jpg", "private.us-east-1.three", -1, None),
        answer("x/b.jpg", "private.us-east-1.four", 0, PEN),
    ]
    refs = put_round(storage, project, "2026-01-05", {"x/a.jpg": [PEN], "x/b.jpg": [PEN]}, answers=answers)
    release(storage, project)
    keyless = run("explain", "pens@v0001", "x/a.jpg")
    assert (keyless.exit_code, keyless.stdout) == (2, "")
    assert f"{KEY_FILE} is gone" in keyless.stderr
    key = project_key(storage, project.root_uri / "rounds" / KEY_FILE)
    found = json.loads(run("explain", "pens@v0001", "x/a.jpg", "--json").stdout)
    assert (found["version"], found["round"], found["source_ref"]) == (
        "pens@v0001", "2026-01-05", refs["x/a.jpg"],
    )  # fmt: skip
    (box,) = found["boxes"]
    assert box["job_arn"].endswith(":labeling-job/pens-2026-01-05")
    names = {name: pseudonym(f"private.us-east-1.{name}", key) for name in ("one", "two", "three")}
    assert {one["worker"]: one["iou"] for one in box["drawn"]} == {
        names["one"]: pytest.approx(19 / 21, abs=1e-4), names["two"]: 1.0,
    }  # fmt: skip
    assert {one["worker"]: one["submitted"] for one in box["drawn"]} == {
        names["one"]: "2026-01-05T10:00:00Z", names["two"]: "",
    }  # fmt: skip
    assert [one["worker"] for one in found["left_over"]] == [names["one"]]
    assert found["empty_answers"] == [names["three"]]
    assert found["workers"] == sorted(names.values())
    text = run("explain", "pens@latest", found["file"]).stdout
    assert "3 of 3 workers" in text
    assert "private.us-east-1" not in text
    nobody = run("explain", "pens@latest", "c.jpg")
    assert (nobody.exit_code, "holds no image called" in nobody.stderr) == (2, True)


def test_explain_tells_of_an_old_version_what_was_answered_then(
    run: Any, storage: Storage, project: Project
) -> None:
    def label_all(box: tuple[Any, ...], *, by: str) -> None:
        answers = [answer("a.jpg", f"private.us-east-1.{by}", 0, box)]
        put_round(storage, project, "2026-01-05", {"a.jpg": [box], "b.jpg": []}, answers=answers)
        release(storage, project)

    def workers(version: str) -> tuple[list[str], str]:
        found = json.loads(run("explain", version, "a.jpg", "--json").stdout)
        (box,) = found["boxes"]
        return [one["worker"] for one in box["drawn"]], box["category"]

    key = project_key(storage, project.root_uri / "rounds" / KEY_FILE)
    label_all(PEN, by="one")
    then = workers("pens@v0001")
    assert then == ([pseudonym("private.us-east-1.one", key)], "pen")
    label_all(PENCIL, by="two")
    assert workers("pens@v0002") == ([pseudonym("private.us-east-1.two", key)], "pencil")
    assert workers("pens@v0001") == then
    # A run that labels the round once more has merged its answers and recorded nothing yet.
    folder = round_folder(project, "2026-01-05")
    storage.write(folder.answers, to_parquet(table([], ANSWERS), ANSWERS))
    assert workers("pens@v0001") == then
    # Recorded by code that kept no copy: said plainly, never the answers of another day.
    for kept in list(storage.list_objects(folder.uri / "recorded")):
        storage.delete(kept.uri)
    gone = run("explain", "pens@v0001", "a.jpg")
    assert gone.exit_code == 2
    assert "Round 2026-01-05 was labeled again or built anew after pens@v0001 was made" in " ".join(
        gone.stderr.split()
    )
