"""The pages' own scripts in a real browser, on small pages without an Airflow: keys, and waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labeling_ui.addresses import STATIC
from tests.browser.pages import CHROMIUM

SITE = "http://pages.test"
ROUND = """<!doctype html><html lang="en"><head><title>{title}</title>
<script src="/live.js" defer></script></head>
<body><main><h1>{title}</h1><p id="asked">{asked}</p>
<section id="running-jobs"{mark}><div class="scroll" tabindex="0" style="height:40px;overflow:auto">
<p style="height:400px">{asked} <a href="/job">job</a></p></div></section></main></body></html>"""
LIVE = ' data-live="0.1"'
IMAGE = """<!doctype html><html lang="en"><head><title>image</title>
<script src="/box_layers.js" defer></script><script type="module" src="/image_viewer.js"></script></head>
<body><a id="before" href="/before">before</a><a id="after" href="/after">after</a>
<aside class="panel"><fieldset class="toggles"><input type="checkbox" data-toggles="fused" checked></fieldset>
<p hidden><label><input type="checkbox" id="shortcuts" checked>Keyboard shortcuts</label></p></aside>
<div class="scroll" tabindex="0">table</div></body></html>"""


@pytest.fixture
def visit(chromium_alone: Any) -> Iterator[Callable[[Callable[[str, int], tuple[int, str]]], Any]]:
    """``visit(answer)`` opens a page; ``answer(path, times asked before)`` gives status and HTML."""
    context = chromium_alone.new_context()
    context.set_default_timeout(15_000)

    def open_page(answer: Callable[[str, int], tuple[int, str]]) -> Any:
        asked: dict[str, int] = {}

        def fulfill(route: Any) -> None:
            path = route.request.url.removeprefix(SITE)
            if path.endswith(".js"):
                script = (STATIC / path.lstrip("/")).read_text(encoding="utf-8")
                route.fulfill(content_type="text/javascript", body=script)
                return
            status, body = answer(path, asked.get(path, 0))
            asked[path] = asked.get(path, 0) + 1
            route.fulfill(status=status, content_type="text/html", body=body)

        page = context.new_page()
        page.asked = asked
        page.route(f"{SITE}/**", fulfill)
        page.goto(f"{SITE}/")
        return page

    yield open_page
    context.close()


@pytest.fixture(scope="module")
def chromium_alone(request: pytest.FixtureRequest) -> Any:
    """A browser, where there is one."""
    from pathlib import Path

    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not here: apt-get install chromium")
    return request.getfixturevalue("chromium")


def round_page(asked: int, *, ends: int = 1_000) -> str:
    """The page of a round as it is asked for so many times; then it has ended."""
    over = asked >= ends
    return ROUND.format(title="Recorded" if over else "Labeling", asked=asked, mark="" if over else LIVE)


def test_all_of_the_page_is_new_once_the_round_has_ended(visit: Any) -> None:
    page = visit(lambda path, asked: (200, round_page(asked, ends=3)))
    page.get_by_role("heading", name="Recorded").wait_for()
    assert page.title() == "Recorded"
    assert int(page.locator("#asked").inner_text()) >= 3, "outside of the part, too"
    asked = page.asked["/"]
    page.wait_for_timeout(500)
    assert page.asked["/"] == asked, "it is loaded anew once"


def test_focus_and_scroll_stay_where_they_were(visit: Any) -> None:
    page = visit(lambda path, asked: (200, round_page(asked)))
    # In one step each (a locator takes two): the part may be replaced between them.
    page.evaluate(
        """() => {
          const one = document.querySelector('.scroll');
          one.focus();
          one.scrollTop = 77;
          one.old = true;
        }"""
    )
    page.wait_for_function("!document.querySelector('.scroll').old")
    scrolled, focused = page.evaluate(
        """() => {
          const one = document.querySelector('.scroll');
          return [one.scrollTop, document.activeElement === one];
        }"""
    )
    assert (scrolled, focused) == (77, True)
    page.get_by_role("link", name="job").focus()
    page.evaluate("() => { document.querySelector('.scroll').old = true; }")
    page.wait_for_function("!document.querySelector('.scroll').old")
    assert page.evaluate("document.activeElement.textContent") == "job"


def test_a_login_that_has_ended_is_told_and_nobody_asks_on(visit: Any) -> None:
    page = visit(lambda path, asked: (401, "") if asked else (200, round_page(asked)))
    page.get_by_role("alert").wait_for()
    assert "Your login has ended" in page.get_by_role("alert").inner_text()
    asked = page.asked["/"]
    page.wait_for_timeout(500)
    assert page.asked["/"] == asked
    assert page.get_by_role("alert").count() == 1


def test_keys_can_be_switched_off_for_good(visit: Any) -> None:
    page = visit(lambda path, asked: (200, IMAGE))
    fused = page.locator("[data-toggles=fused]")
    page.keyboard.press("f")
    assert not fused.is_checked()
    page.get_by_label("Keyboard shortcuts").uncheck()
    page.keyboard.press("f")
    page.keyboard.press("ArrowRight")
    page.reload()
    assert not page.get_by_label("Keyboard shortcuts").is_checked()
    page.keyboard.press("f")
    assert not fused.is_checked(), "off since the first press, which is remembered"
    assert page.url == f"{SITE}/"
    page.get_by_label("Keyboard shortcuts").check()
    page.keyboard.press("f")
    assert fused.is_checked()


def test_arrows_scroll_the_table_and_turn_the_page_elsewhere(visit: Any) -> None:
    page = visit(lambda path, asked: (200, IMAGE))
    page.locator(".scroll").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert page.url == f"{SITE}/"
    page.locator("#before").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"{SITE}/after")
