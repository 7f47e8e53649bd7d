"""Small bar charts as SVG files, beside the dataset card; no plotting library, the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

ROW, GAP, LABEL, BARS, VALUE = 18, 6, 180, 360, 70  # pixels
COLORS = ("#2f6f9f", "#e0893b", "#7a9e3c", "#8a5a9e")


def bar_chart(title: str, rows: Mapping[str, Sequence[int]], series: Sequence[str]) -> bytes:
    """Horizontal stacked bars: a row a name, a colour a series, the sum at the end."""
    largest = max((sum(values) for values in rows.values()), default=0) or 1
    height = 60 + len(rows) * (ROW + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + BARS + VALUE}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{escape(title)}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
    ]
    for place, name in enumerate(series):
        x = LABEL + place * 90
        color = COLORS[place % len(COLORS)]
        parts.append(
            f'<rect x="{x}" y="30" width="10" height="10" fill="{color}"/>'
            f'<text x="{x + 14}" y="39">{escape(name)}</text>'
        )
    for place, (name, values) in enumerate(rows.items()):
        parts += _row(50 + place * (ROW + GAP), name, values, BARS / largest)
    return ("\n".join([*parts, "</svg>"]) + "\n").encode()


def _row(y: int, name: str, values: Sequence[int], scale: float) -> list[str]:
    shown = name if len(name) <= 26 else f"{name[:25]}…"
    parts = [f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(shown)}</text>']
    x = float(LABEL)
    for place, value in enumerate(values):
        color = COLORS[place % len(COLORS)]
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="{ROW}" fill="{color}"/>')
        x += value * scale
    return [*parts, f'<text x="{x + 6:.1f}" y="{y + 13}">{sum(values)}</text>']
