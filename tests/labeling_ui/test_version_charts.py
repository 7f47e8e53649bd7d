"""Figures of a version: right numbers, words for who cannot see them, names that stay text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from labeling_ui.dataset_cards import card_html
from labeling_ui.version_charts import PLACES, bar, square_map, thirds

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("values", "largest", "widths"),
    [
        pytest.param([1, 2, 1], 4, [25.0, 50.0, 25.0], id="the largest fills the width"),
        pytest.param([1, 0], 4, [25.0, 0.0], id="a smaller one"),
        pytest.param([0, 0], 0, [0.0, 0.0], id="nothing at all"),
        pytest.param([], 0, [], id="no series"),
    ],
)
def test_bars(values: list[int], largest: int, widths: list[float]) -> None:
    drawn = ElementTree.fromstring(bar(values, largest))
    assert [float(rect.get("width", "")) for rect in drawn] == widths
    starts = [float(rect.get("x", "")) for rect in drawn]
    assert starts == [sum(widths[:place]) for place in range(len(widths))]
    assert drawn.get("aria-hidden") == "true", "the numbers beside it are read instead"


def test_a_map_tells_in_words_what_it_draws() -> None:
    counts = np.zeros((20, 20), dtype=np.int64)
    counts[0, 0], counts[19, 19] = 4, 1
    svg = str(square_map("places", "Where <b> lie", counts, PLACES))
    drawn = ElementTree.fromstring(svg)
    assert drawn.get("role") == "img"
    ids = (drawn.get("aria-labelledby") or "").split()
    assert ids == [element.get("id") for element in drawn if element.get("id")]
    assert "5 boxes" in svg
    assert "at most 4 in a cell" in svg
    assert "Where &lt;b&gt; lie" in svg
    cells = [element for element in drawn if element.get("class") == "heat"]
    assert [float(cell.get("fill-opacity", "")) for cell in cells] == [1.0, 0.5]
    assert "style=" not in svg


def test_thirds_of_a_map() -> None:
    counts = np.zeros((20, 20), dtype=np.int64)
    counts[0, 0], counts[10, 10], counts[19, 0] = 2, 1, 1
    assert thirds(counts) == [[0.5, 0, 0], [0, 0.25, 0], [0.25, 0, 0]]
    assert thirds(counts * 0) == [[None] * 3] * 3


CARD = """# pens v0001

2 images

| id | class | train |
| ---: | --- | ---: |
| 0 | <b>bold</b> | 3 |
| 1 | [link](https://evil.example) ![x](https://evil.example/x.png) | 4 |

![Images by split](plots/splits.svg)

## Use it

<script>alert(1)</script>

```
yolo train <data>
```
"""


def test_a_card_is_text_and_tables() -> None:
    shown = str(card_html(CARD))
    assert "<h3>pens v0001</h3>" in shown, "below the page's own headings"
    assert "<h4>Use it</h4>" in shown
    assert '<td class="number">3</td>' in shown
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown
    assert "&lt;script&gt;" in shown
    assert "yolo train &lt;data&gt;" in shown
    assert set(re.findall(r"<(\w+)", shown)) <= {
        *("h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"),
    }
    assert "style=" not in shown
    assert "plots/" not in shown, "the page draws the plots itself"
