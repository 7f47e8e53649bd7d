"""Charts: valid SVG that says in words what it shows, and bars as long as their values."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from roundtruth.charts import BARS, COLORS, LABEL, bar_chart, heat_map, histogram, range_chart, share_chart

SVG = "{http://www.w3.org/2000/svg}"
ODD = 'pen & <"pencil"> 연필'

CHARTS: dict[str, Callable[[], bytes]] = {
    "bars": lambda: bar_chart("Boxes", {ODD: [3, 4], "b": [0, 7]}, ["train", "val"]),
    "histogram": lambda: histogram("Images", {"0–0.5": 3, ODD: 0}, across="agreement"),
    "shares": lambda: share_chart("Workers", {ODD: [0.5, None]}, ["recall", "precision"], marked=[ODD]),
    "ranges": lambda: range_chart("Time", {ODD: [1, 2, 3, 4, 10]}, unit="seconds", marked=[]),
    "heat map": lambda: heat_map("Confusion", [ODD, "b"], ["b", ODD], [[0, 2], [9, 0]], axes="rows: truth"),
}
EMPTY: dict[str, Callable[[], bytes]] = {
    "bars": lambda: bar_chart("Boxes", {}, ["train"]),
    "histogram": lambda: histogram("Images", {"0": 0}, across="agreement"),
    "shares": lambda: share_chart("Workers", {}, ["recall"], marked=[]),
    "ranges": lambda: range_chart("Time", {"a": [0, 0, 0, 0, 0]}, unit="seconds", marked=[]),
    "heat map": lambda: heat_map("Confusion", [], [], [], axes="rows: truth"),
}


def parsed(chart: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def rectangles(chart: bytes, color: str) -> list[dict[str, float]]:
    return [
        {side: float(rect.get(side, "0")) for side in ("x", "y", "width", "height")}
        for rect in parsed(chart).iter(f"{SVG}rect")
        if rect.get("fill") == color and rect.get("height") != "10"  # a legend's
    ]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_says_in_words_what_it_shows(name):
    chart = CHARTS[name]()
    root = parsed(chart)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert desc is not None
    assert ODD in (desc.text or "")
    assert CHARTS[name]() == chart
    assert chart.endswith(b"</svg>\n")
    # Everything lies inside of the page.
    right = max(
        float(r.get("x", 0)) + float(r.get("width", 0)) for r in root.iter(f"{SVG}rect") if r.get("x")
    )
    assert right <= float(root.get("width", 0))


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_show(name):
    parsed(EMPTY[name]())


def test_stacked_bars_are_as_long_as_their_values():
    chart = CHARTS["bars"]()
    first, second = (rectangles(chart, color) for color in COLORS[:2])
    assert [bar["width"] for bar in first] == pytest.approx([BARS * 3 / 7, 0], abs=0.1)
    assert [bar["width"] for bar in second] == pytest.approx([BARS * 4 / 7, BARS], abs=0.1)
    assert second[0]["x"] == pytest.approx(LABEL + BARS * 3 / 7, abs=0.1)


def test_shares_reach_from_0_to_1():
    (bar,) = rectangles(CHARTS["shares"](), COLORS[0])
    assert (bar["x"], bar["width"]) == (LABEL, BARS / 2)
    assert rectangles(CHARTS["shares"](), COLORS[1]) == [], "unknown is not 0"
    assert "⚠" in CHARTS["shares"]().decode()
    assert "(careless)" in CHARTS["shares"]().decode()


def test_ranges_hold_the_middle_half():
    (bar,) = rectangles(CHARTS["ranges"](), COLORS[0])
    assert (bar["x"], bar["width"]) == (LABEL + BARS * 0.2, pytest.approx(BARS * 0.2))


def test_cells_are_as_dark_as_their_share_of_the_row():
    chart = heat_map("Confusion", ["a"], ["a", "b", "c"], [[3, 1, 0]], axes="rows")
    fills = [rect.get("fill") for rect in parsed(chart).iter(f"{SVG}rect")][1:]
    assert fills == ["#6393b7", "#cbdbe7", "#ffffff"]
    assert parsed(heat_map("C", ["a"], ["a"], [[4]], axes="rows")).findall(f"{SVG}text[@fill='#ffffff']")
