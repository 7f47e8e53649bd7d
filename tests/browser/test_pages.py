"""Every page inside Airflow's web UI, in a real browser: what is shown is what the files say."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from roundtruth.annotations import ANSWERS, LABELS, from_parquet
from roundtruth.rounds.folder import round_folder
from tests.browser.pages import Labeling, Screen
from tests.browser.second_version import FIRST_ROUND, SECOND_ROUND

RUN_DAG = "pens_labeling_round"


def test_labeling_in_the_navigation(screen: Screen) -> None:
    screen.open("/")
    screen.page.get_by_role("link", name="Labeling").or_(screen.page.get_by_title("Labeling")).first.click()
    screen.heading("Labeling rounds")
    shown = {row[0]: row for row in screen.rows("table.rounds")}
    assert set(shown) == {FIRST_ROUND, SECOND_ROUND}
    for key, row in shown.items():
        record = round_record(screen.labeling, key)
        assert row[3] == str(record["images"])
        assert f"{record['spent_usd']:,.2f} USD" in row[8]
    assert [shown[key][9] for key in (FIRST_ROUND, SECOND_ROUND)] == ["v0001", "v0002"]
    screen.picture("labeling")


def test_the_tab_of_a_dag_and_of_its_run(screen: Screen) -> None:
    screen.open(f"/dags/{RUN_DAG}")
    press_tab(screen)
    screen.heading("Labeling rounds")
    [run] = screen.labeling.job.api.runs(RUN_DAG)
    screen.open(f"/dags/{RUN_DAG}/runs/{run['dag_run_id']}")
    press_tab(screen)
    screen.heading(f"Round {FIRST_ROUND}")
    screen.picture("dag_run")


def test_round_and_image(screen: Screen) -> None:
    screen.open("/plugin/labeling")
    screen.frame.get_by_role("link", name=FIRST_ROUND, exact=True).click()
    screen.heading(f"Round {FIRST_ROUND}")
    record = round_record(screen.labeling, FIRST_ROUND)
    tiles = dict(screen.tiles())
    assert tiles["Images"] == str(record["images"])
    assert tiles["Answers"] == str(record["answers"])
    assert tiles["Cost"] == f"{record['spent_usd']:,.2f} USD"
    consensus = json.loads(
        screen.labeling.read(round_folder(screen.labeling.job.project, FIRST_ROUND).consensus)
    )
    assert tiles["Agreement"] == f"{consensus['agreement']['mean'] * 100:.1f} %"
    screen.picture("round")

    screen.frame.get_by_role("link", name=re.compile(r"^All \d+ images$")).click()
    screen.heading(f"Images of round {FIRST_ROUND}")
    assert screen.frame.locator("ul.gallery > li").count() == record["images"]
    assert screen.all_images_are_there("ul.gallery img")
    everybody = screen.frame.locator(".legend [data-toggles]:not([data-toggles=fused])")
    assert everybody.count() == len(workers_of(screen.labeling))
    worker = everybody.first
    drawn = screen.frame.locator(f'.boxes [data-layer="{worker.get_attribute("data-toggles")}"]')
    worker.uncheck()
    assert drawn.evaluate_all(
        "layers => layers.length && layers.every(layer => layer.hasAttribute('hidden'))"
    )
    worker.check()
    assert drawn.evaluate_all("layers => layers.every(layer => !layer.hasAttribute('hidden'))")
    screen.picture("images")

    screen.frame.locator("ul.gallery a").first.click()
    screen.frame.locator("#image").wait_for()
    assert screen.all_images_are_there("#picture")
    name = screen.text_of("h1").split()[0]
    answers, labels = boxes_of(screen.labeling, name)
    frame = screen.frame
    assert frame.locator(".layer.worker .box").count() == sum(answers.values())
    assert frame.locator(".layer.fused .box").count() == labels
    assert sorted(len(layer) for layer in boxes_by_layer(screen)) == sorted(answers.values())

    # The first worker that drew a box: a layer without any is never visible.
    place = next(place for place, boxes in enumerate(boxes_by_layer(screen)) if boxes)
    drawn = frame.locator(".layer.worker").nth(place)
    toggle = frame.locator(f'input[data-toggles="{drawn.get_attribute("data-layer")}"]')
    toggle.uncheck()
    assert drawn.is_hidden()
    toggle.check()
    assert drawn.is_visible()
    category = frame.locator("input[data-shows]").first
    shown = category.get_attribute("data-shows")
    category.uncheck()
    assert frame.locator(f'.box[data-category="{shown}"]:not([hidden])').count() == 0
    category.check()
    frame.locator("#image").focus()
    fused = [("f", frame.locator(".layer.fused"))] if labels else []
    for key, layer in [(str(place + 1), drawn), *fused]:
        screen.page.keyboard.press(key)
        assert layer.is_hidden()
        screen.page.keyboard.press(key)
        assert layer.is_visible()
    before = frame.locator("#zoom").inner_text()
    screen.page.keyboard.press("+")
    assert frame.locator("#zoom").inner_text() != before
    screen.page.keyboard.press("0")
    assert frame.locator("#zoom").inner_text() == before
    screen.picture("image")


def test_versions_and_their_difference(screen: Screen) -> None:
    screen.open("/plugin/labeling")
    screen.frame.get_by_role("link", name=re.compile("Dataset pens")).click()
    screen.heading("Dataset pens")
    newest, first = screen.frame.locator(".timeline > li").all_inner_texts()
    for version, shown in (("v0002", newest), ("v0001", first)):
        record = version_record(screen.labeling, version)
        assert f"{record['images']} images" in shown
        assert f"{record['boxes']} boxes" in shown
    assert screen.text_of("#pull").startswith("roundtruth dataset pull pens@v0002 --root s3://")
    screen.frame.get_by_role("button", name="Copy").click()
    screen.frame.locator("[data-copied]", has_text=re.compile("copied|selected")).wait_for()
    written = screen.frame.locator("time").first
    published = datetime.fromisoformat(str(written.get_attribute("datetime"))).astimezone(
        ZoneInfo("Europe/Berlin")  # that of the screen, see pages.py
    )
    assert written.inner_text() == f"{published:%d/%m/%Y, %H:%M} {published.tzname()}"
    screen.picture("dataset")

    screen.frame.locator(".timeline a.name", has_text="v0002").click()
    screen.heading("pens v0002 latest")
    record = version_record(screen.labeling, "v0002")
    by_class = {row[1]: row[3:] for row in screen.rows("section[aria-labelledby=classes] table")}
    for class_id, name in enumerate(record["classes"]):
        counts = [split["boxes_by_class"][class_id] for split in record["splits"].values()]
        assert by_class[name] == [str(number) for number in (*counts, sum(counts))]
    screen.picture("version")

    screen.frame.get_by_role("link", name="Changes since v0001").click()
    screen.heading("pens: v0001 → v0002")
    changes = json.loads(screen.labeling.read(screen.labeling.version("v0002").uri / "changes.json"))
    counts = dict(tab.split(" ") for tab in screen.tabs() if tab.count(" ") == 1)
    assert counts == {
        kind.capitalize(): str(len(changes[kind])) for kind in ("relabeled", "added", "removed", "replaced")
    }
    assert counts["Relabeled"] != "0"
    images = [one["source_ref"] for one in changes["relabeled"]][:12]
    assert screen.frame.locator(".changed h3").all_inner_texts() == images
    drawn = screen.frame.locator(".changed > li").first.locator("figure").all()
    for side, figure in zip(("old", "new"), drawn, strict=True):
        wanted = [box for box in changes["relabeled"][0]["boxes"] if box[side]]
        assert figure.locator("rect.box:is(.moved, .class, .appeared, .vanished)").count() == len(wanted)
    assert screen.all_images_are_there("svg.photo image")
    screen.picture("changes")


def test_roll_back_and_back_again(screen: Screen) -> None:
    before = latest(screen.labeling)
    screen.open("/plugin/labeling/labeling/projects/pens/dataset")
    screen.heading("Dataset pens")
    screen.frame.get_by_role("link", name=re.compile("roll back to it")).click()
    screen.heading("Move latest from v0002 to v0001?")
    screen.picture("rollback")
    assert latest(screen.labeling) == before
    move(screen, "v0001", "a camera was out of focus")
    assert screen.frame.locator(".timeline > li.current .name").inner_text() == "v0001"
    now = latest(screen.labeling)
    assert (now["version"], now["history"][-1]["by"]) == ("v0001", "admin")
    assert now["history"][-1]["reason"] == "a camera was out of focus"
    shown = screen.rows("main")[0]
    assert shown[1:] == ["admin", "v0002", "v0001", "a camera was out of focus"]

    screen.frame.get_by_role("link", name=re.compile("take back into use")).click()
    screen.heading("Move latest from v0001 to v0002?")
    move(screen, "v0002", "it was not")
    assert screen.frame.locator(".timeline > li.current .name").inner_text() == "v0002"
    assert latest(screen.labeling)["version"] == "v0002"
    assert len(latest(screen.labeling)["history"]) == len(before.get("history", [])) + 2


# --- hands and files


def press_tab(screen: Screen) -> None:
    """Our tab of a Dag or a run, by the keyboard: a click of Playwright waits for all that it starts."""
    screen.page.locator('a[href*="/plugin/labeling-round"]').first.focus()
    screen.page.keyboard.press("Enter")


def move(screen: Screen, version: str, why: str) -> None:
    screen.frame.get_by_label(re.compile("^Why")).fill(why)
    screen.frame.get_by_role("button", name=f"Move latest to {version}").click()
    screen.heading("Dataset pens")


def round_record(labeling: Labeling, key: str) -> dict[str, Any]:
    return json.loads(labeling.read(round_folder(labeling.job.project, key).record))


def version_record(labeling: Labeling, version: str) -> dict[str, Any]:
    return json.loads(labeling.read(labeling.version(version).record))


def latest(labeling: Labeling) -> dict[str, Any]:
    return json.loads(labeling.read(labeling.version("v0001").dataset.latest))


def boxes_of(labeling: Labeling, name: str) -> tuple[dict[str, int], int]:
    """Boxes of each worker on an image, and of the consensus."""
    folder = round_folder(labeling.job.project, FIRST_ROUND)
    answers = from_parquet(labeling.read(folder.answers), ANSWERS, name="answers")
    labels = from_parquet(labeling.read(folder.stage("merged-labels.parquet")), LABELS, name="labels")
    of_image = answers[answers["source_ref"].str.endswith(f"/{name}")]
    boxes = (of_image["box"] >= 0).groupby(of_image["worker"]).sum()
    fused = int(labels["source_ref"].str.endswith(f"/{name}").sum())
    return {str(worker): int(number) for worker, number in boxes.items()}, fused


def workers_of(labeling: Labeling) -> set[str]:
    """Who answered in the first round."""
    folder = round_folder(labeling.job.project, FIRST_ROUND)
    answers = from_parquet(labeling.read(folder.answers), ANSWERS, name="answers")
    return {str(one) for one in answers["worker"]}


def boxes_by_layer(screen: Screen) -> list[list[str]]:
    script = (
        "layers => layers.map(layer => [...layer.querySelectorAll('.box')].map(box => box.dataset.category))"
    )
    found: list[list[str]] = screen.frame.locator(".layer.worker").evaluate_all(script)
    return found
