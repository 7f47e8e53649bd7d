"""Figures of a dataset version as SVG that takes its colors from the page, and what they say in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

SERIES = ("bar", "bar second", "bar third", "bar fourth")


@dataclass(frozen=True, kw_only=True)
class MapAxes:
    """What the two axes of a square map are, from 0 to 1, and the names of their thirds."""

    across: str
    down: str
    columns: tuple[str, str, str]
    rows: tuple[str, str, str]


PLACES = MapAxes(
    across="centre x, share of the width",
    down="centre y, share of the height",
    columns=("left", "middle", "right"),
    rows=("top", "middle", "bottom"),
)
SIZES = MapAxes(
    across="width, share of the image",
    down="height, share of the image",
    columns=("narrow", "medium", "wide"),
    rows=("low", "medium", "high"),
)


def bar(values: Sequence[int], largest: int) -> Markup:
    """One stacked bar beside its numbers, which screen readers read instead; ``largest`` fills the width."""
    parts, left = [], 0.0
    for place, value in enumerate(values):
        width = 100 * value / (largest or 1)
        parts.append(
            Markup('<rect class="{}" x="{:.2f}" y="0" width="{:.2f}" height="10"/>').format(
                SERIES[place % len(SERIES)], left, width
            )
        )
        left += width
    return Markup(
        '<svg class="chart bars" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(parts))


def square_map(name: str, title: str, counts: Any, axes: MapAxes) -> Markup:
    """A heat map; the stronger a cell, the more boxes.

    :param name: unique on the page.
    :param counts: as heat_maps.box_maps gives them.
    """
    cells, most = len(counts), max(int(counts.max()), 1)
    side, left, top = 240, 30, 8
    cell = side / cells
    parts = [
        Markup(
            '<rect class="heat" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.3f}"/>'
        ).format(left + column * cell, top + row * cell, cell, cell, (counts[row][column] / most) ** 0.5)
        for row in range(cells)
        for column in range(cells)
        if counts[row][column]
    ]
    told = f"{int(counts.sum())} boxes; across: {axes.across}; down: {axes.down}; at most {most} in a cell."
    return Markup(
        '<svg class="chart map" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="{name}-t {name}-d">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{told}</desc>'
        '<rect class="frame" x="{left}" y="{top}" width="{side}" height="{side}"/>{cells}'
        '<text x="{left}" y="{under}">0</text><text x="{right}" y="{under}" text-anchor="end">1</text>'
        '<text x="{middle}" y="{under}" text-anchor="middle">{across} →</text>'
        '<text transform="translate(20 {centre}) rotate(90)" text-anchor="middle">{down} →</text></svg>'
    ).format(
        width=left + side + 8,
        height=top + side + 24,
        name=name,
        title=title,
        told=told,
        left=left,
        top=top,
        side=side,
        cells=Markup("").join(parts),
        under=top + side + 16,
        right=left + side,
        middle=left + side / 2,
        centre=top + side / 2,
        across=axes.across,
        down=axes.down,
    )


def thirds(counts: Any) -> list[list[float | None]]:
    """A map in nine parts: the share 0–1 of the boxes in each, by row; None without boxes."""
    cells, total = len(counts), int(counts.sum())
    edges = [0, round(cells / 3), round(2 * cells / 3), cells]
    return [
        [
            int(counts[edges[row] : edges[row + 1], edges[column] : edges[column + 1]].sum()) / total
            if total
            else None
            for column in range(3)
        ]
        for row in range(3)
    ]
