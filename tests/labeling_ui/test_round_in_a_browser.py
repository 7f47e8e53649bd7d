"""The pages of a round in a real browser, answered by the application itself: legend, toggles, keys."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from roundtruth.annotations import ANSWERS, ROUND_LABELS
from roundtruth.consensus.pseudonyms import pseudonym
from tests.browser.pages import CHROMIUM
from tests.labeling_ui.large_round import KEY
from tests.labeling_ui.test_round import HOSTILE_CLASS, Opened, hostile, opened, places_of_all
from tests.labeling_ui.test_tabs import add_request, add_run, session

__all__ = ["hostile", "opened", "places_of_all", "session"]
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
SITE = "http://airflow.test"
SHOWN = "rects => rects.filter(one => one.getBoundingClientRect().width > 0).length"


@pytest.fixture(scope="module")
def browser():
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def visit(browser):
    """``visit(opened, path)`` opens a page of a round; the browser must not complain of script or policy."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(15_000)
    complaints: list[str] = []

    def open_page(round_: Opened, path: str):
        def answer(route):
            address = urlsplit(route.request.url)
            found = round_.client.get(f"{address.path}?{address.query}", follow_redirects=False)
            if found.is_redirect:  # to the image in S3, which is not there
                route.abort()
                return
            route.fulfill(status=found.status_code, headers=dict(found.headers), body=found.content)

        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
        )
        page.route(f"{SITE}/**", answer)
        answered = page.goto(f"{SITE}{round_.base}{path}")
        assert answered.status == 200, page.locator("main").inner_text()
        return page

    yield open_page
    context.close()
    assert complaints == []


def drawn_on_first_page(opened, page):
    """Answers and labels of the images that a gallery shows."""
    names = page.locator(".caption .name").evaluate_all("all => all.map(one => one.title)")
    answers = opened.table("answers.parquet", ANSWERS)
    labels = opened.table("stages/merged-labels.parquet", ROUND_LABELS)
    return (table[table["source_ref"].isin(names)] for table in (answers, labels))


def shown(page, selector):
    return page.locator(selector).evaluate_all(SHOWN)


@pytest.mark.parametrize("path", ["/images", ""], ids=["gallery", "round"])
def test_the_gallery_is_toggled_by_worker_and_class(opened, visit, path):
    page = visit(opened, path)
    answers, labels = drawn_on_first_page(opened, page)
    people = sorted({pseudonym(one, KEY) for one in answers["worker"]})
    legend = page.locator(".legend [data-toggles]").evaluate_all("all => all.map(one => one.dataset.toggles)")
    assert legend == ["fused", *people]
    assert shown(page, ".boxes .drawn rect") == len(answers)
    assert shown(page, ".boxes .fused rect") == len(labels)

    worker = people[4]
    theirs = answers["worker"].map(lambda one: pseudonym(one, KEY)) == worker
    page.get_by_role("checkbox", name=worker).uncheck()
    assert shown(page, f'.boxes [data-layer="{worker}"] rect') == 0
    assert shown(page, ".boxes .drawn rect") == len(answers) - theirs.sum()
    page.get_by_role("checkbox", name="pencil").uncheck()
    others = answers["category"] == "pen"
    assert shown(page, ".boxes .drawn rect") == (others & ~theirs).sum()
    assert shown(page, ".boxes .fused rect") == (labels["category"] == "pen").sum()

    # what is off stays off, on the next page and on an image
    page.reload()
    assert not page.get_by_role("checkbox", name=worker).is_checked()
    assert shown(page, ".boxes .drawn rect") == (others & ~theirs).sum()
    page.locator(".gallery a").first.click()
    page.locator("#image").wait_for()
    page.wait_for_load_state()
    assert not page.locator('[data-shows="pencil"]').is_checked()
    assert shown(page, '.box[data-category="pencil"] .line') == 0


def test_the_gallery_s_legend_is_worked_by_keys(opened, visit):
    page = visit(opened, "/images")
    workers = page.locator(".legend [data-toggles]:not([data-toggles=fused])")
    everything = shown(page, ".boxes rect")
    page.keyboard.press("f")
    assert shown(page, ".boxes .fused rect") == 0
    page.keyboard.press("f")
    page.keyboard.press("2")
    assert [one.is_checked() for one in workers.all()[:3]] == [True, False, True]
    page.keyboard.press("a")
    assert shown(page, ".boxes rect") == everything, "one was off: all on"
    page.keyboard.press("a")
    assert shown(page, ".boxes rect") == 0
    page.get_by_role("button", name="Everybody").press("Enter")
    assert shown(page, ".boxes rect") == everything
    # a checkbox of the legend by Tab and Space, as any other
    workers.first.focus()
    page.keyboard.press("Space")
    assert not workers.first.is_checked()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**page=2")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(lambda url: "page=2" not in url)


def test_every_key_of_an_image_s_page(opened, visit):
    page = visit(opened, "/images/7")
    layers = page.locator(".layer.worker")
    assert [one.is_visible() for one in layers.all()] == [True] * 3
    for number in range(3):
        page.keyboard.press(str(number + 1))
        assert [one.is_visible() for one in layers.all()] == [place != number for place in range(3)]
        page.keyboard.press(str(number + 1))
    page.keyboard.press("9")  # nobody
    fused, truth = page.locator(".layer.fused"), page.locator(".layer.ground-truth")
    for key, layer, before in (("f", fused, True), ("g", truth, False), ("G", truth, False)):
        assert layer.is_visible() == before
        page.keyboard.press(key)
        assert layer.is_visible() != before
        page.keyboard.press(key)
        assert layer.is_visible() == before
    text = page.locator(".layer.worker text").first
    assert not text.is_visible()
    page.keyboard.press("n")
    assert text.is_visible()
    page.keyboard.press("a")
    assert [one.is_visible() for one in [*layers.all(), fused]] == [False] * 4
    page.keyboard.press("a")
    assert [one.is_visible() for one in [*layers.all(), fused]] == [True] * 4
    zoom = page.locator("#zoom")
    whole = page.locator("#image").get_attribute("viewBox")
    for key, told in (("+", "140 %"), ("=", "196 %"), ("-", "140 %")):
        page.keyboard.press(key)
        assert zoom.inner_text() == told
    before = page.locator("#image").get_attribute("viewBox")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator("#image").get_attribute("viewBox") != before
    page.keyboard.press("0")
    assert (zoom.inner_text(), page.locator("#image").get_attribute("viewBox")) == ("100 %", whole)
    after = page.locator("#after").get_attribute("href")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"{SITE}{after}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"{SITE}{opened.base}/images/7")


def test_hostile_classes_are_toggled_as_others(hostile, visit):
    page = visit(hostile, "/images")
    before = shown(page, ".boxes rect")
    page.get_by_role("checkbox", name=HOSTILE_CLASS).uncheck()
    assert 0 < shown(page, ".boxes rect") < before


def test_an_approval_that_waits_is_seen_and_leads_to_airflow_s_required_action(opened, visit, session):
    """The round's page says so, in a task's own rows of Airflow's database, and its button leads there."""
    run = add_run(session, "pens_dataset_release", f"release__{opened.key}", key=opened.key, state="running")
    add_request(session, run)
    page = visit(opened, "")
    notice = page.get_by_role("status").filter(has_text="A release waits for a decision.")
    assert "Publish the next version of dataset pens? It was started by this round." in notice.inner_text()
    assert notice.locator("time").get_attribute("datetime") == "2026-11-21T00:00:00Z"
    link = notice.get_by_role("link", name="Answer in Airflow")
    address = f"/dags/pens_dataset_release/runs/release__{opened.key}/tasks/approve_version/required_actions"
    assert link.get_attribute("href") == address
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{SITE}{address}")
