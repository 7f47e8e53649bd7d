"""Texts and marks can be read in both themes: contrast as WCAG 2.2 (AA) asks for, from the style sheet."""

from __future__ import annotations

import math
import re

import pytest

from tests.dag_parsing import ROOT

STYLES = (ROOT / "plugins" / "labeling_ui" / "static" / "labeling.css").read_text(encoding="utf-8")
GROUNDS = ["bg", "bg-subtle", "bg-muted"]
TEXTS = [(text, ground) for text in ("fg", "fg-muted", "link") for ground in GROUNDS]
TEXTS += [(state, f"{state}-bg") for state in ("success", "warning", "error", "info", "neutral")]
TEXTS += [("on-accent", "accent")]
# Success criterion 1.4.11: bars, outlines of inputs and what shows the focus.
MARKS = [
    (mark, "bg") for mark in ("chart", "chart-2", "chart-3", "chart-4", "border-strong", "focus", "accent")
]


def colors(theme: str) -> dict[str, str]:
    """The variables of a theme; the dark one keeps what it does not name."""
    blocks = {
        name: dict(re.findall(r"--([\w-]+):\s*([^;]+);", body))
        for name, body in re.findall(r"^(:root|\.dark) \{(.*?)^\}", STYLES, re.MULTILINE | re.DOTALL)
    }
    return blocks[":root"] | (blocks[".dark"] if theme == "dark" else {})


def luminance(color: str) -> float:
    """Relative luminance (0–1) of `#rrggbb`, or of `oklch(L C h)` by the matrices of CSS Color 4."""
    if color.startswith("#"):
        red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    else:
        lightness, chroma, hue = map(float, color.removeprefix("oklch(").removesuffix(")").split())
        a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        red = 4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short
        green = -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short
        blue = -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short
    red, green, blue = (min(max(one, 0.0), 1.0) for one in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_known_contrasts():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert luminance("oklch(1 0 0)") == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("one", "other", "least"),
    [(*pair, 4.5) for pair in TEXTS] + [(*pair, 3.0) for pair in MARKS],
)
def test_contrast(theme, one, other, least):
    values = colors(theme)
    assert contrast(values[one], values[other]) >= least
