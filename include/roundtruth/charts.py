"""Small charts as SVG files; no plotting library, the same bytes each time, readable by screen readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

ROW, GAP, LABEL, BARS, VALUE = 18, 6, 180, 360, 70  # pixels
COLORS = ("#2f6f9f", "#e0893b", "#7a9e3c", "#8a5a9e")
FAINT, INK, MARK = "#d9dde1", "#222222", "#b03a2e"
_NAME, _LEGEND = 26, 90  # characters of a name that are shown; pixels a legend's entry takes


def bar_chart(title: str, rows: Mapping[str, Sequence[int]], series: Sequence[str]) -> bytes:
    """Horizontal stacked bars: a row a name, a colour a series, the sum at the end."""
    largest = max((sum(values) for values in rows.values()), default=0) or 1
    parts = _legend(series)
    for place, (name, values) in enumerate(rows.items()):
        parts += _stacked(50 + place * (ROW + GAP), name, values, BARS / largest)
    told = "; ".join(f"{name}: {sum(values)}" for name, values in rows.items())
    return _document(title, told, LABEL + BARS + VALUE, 60 + len(rows) * (ROW + GAP), parts)


def histogram(title: str, counts: Mapping[str, int], *, across: str) -> bytes:
    """Upright bars side by side, one a bin; ``across`` says what the bins are."""
    largest = max(counts.values(), default=0) or 1
    width, height, floor = 40, 180, 240
    parts = [f'<line x1="30" y1="{floor}" x2="{30 + len(counts) * width}" y2="{floor}" stroke="{INK}"/>']
    for place, (name, count) in enumerate(counts.items()):
        x, tall = 30 + place * width, count / largest * height
        middle = x + width / 2
        parts += [
            f'<rect x="{x + 2}" y="{floor - tall:.1f}" width="{width - 4}" height="{tall:.1f}" '
            f'fill="{COLORS[0]}"/>',
            _text(middle, floor - tall - 5, str(count) if count else "", anchor="middle"),
            _text(middle, floor + 16, name, anchor="middle", size=10),
        ]
    parts.append(_text(30 + len(counts) * width / 2, floor + 36, across, anchor="middle"))
    told = "; ".join(f"{name}: {count}" for name, count in counts.items())
    return _document(title, told, max(60 + len(counts) * width, 320), floor + 50, parts)


def share_chart(
    title: str, rows: Mapping[str, Sequence[float | None]], series: Sequence[str], *, marked: Sequence[str]
) -> bytes:
    """Horizontal bars from 0 to 1 side by side, a colour a series; names that are marked stand out."""
    thick = 9
    tall = thick * len(series) + GAP + 2
    bottom = 50 + len(rows) * tall
    parts = _legend(series) + _grid([0, 0.25, 0.5, 0.75, 1], 1.0, bottom)
    for place, (name, values) in enumerate(rows.items()):
        y = 50 + place * tall
        parts.append(_name(y + tall / 2, name, marked=name in marked))
        for line, value in enumerate(values):
            parts += _share_bar(y + line * thick, value, COLORS[line % len(COLORS)], thick)
    told = "; ".join(
        f"{name}{' (careless)' if name in marked else ''}: "
        + ", ".join(f"{one} {_number(value)}" for one, value in zip(series, values, strict=True))
        for name, values in rows.items()
    )
    return _document(title, told, LABEL + BARS + VALUE, bottom + 30, parts)


def range_chart(
    title: str, rows: Mapping[str, Sequence[float]], *, unit: str, marked: Sequence[str]
) -> bytes:
    """A row a name: a thin line over the 10th to the 90th percentile, a bar over the middle half, the median.

    :param rows: the percentiles 10, 25, 50, 75 and 90.
    """
    largest = max((values[-1] for values in rows.values()), default=0) or 1.0
    scale = BARS / largest
    bottom = 50 + len(rows) * (ROW + GAP)
    parts = _grid([largest * part / 4 for part in range(5)], largest, bottom)
    for place, (name, values) in enumerate(rows.items()):
        y = 50 + place * (ROW + GAP)
        low, first, median, third, high = (LABEL + value * scale for value in values)
        middle = y + ROW / 2
        parts += [
            _name(middle + 4, name, marked=name in marked),
            f'<line x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}" stroke="{COLORS[0]}"/>',
            f'<rect x="{first:.1f}" y="{y + 2}" width="{max(third - first, 1):.1f}" height="{ROW - 4}" '
            f'fill="{COLORS[0]}"/>',
            f'<line x1="{median:.1f}" y1="{y}" x2="{median:.1f}" y2="{y + ROW}" stroke="{INK}" '
            'stroke-width="2"/>',
            _text(max(high, median) + 6, y + 13, f"{values[2]:.0f}"),
        ]
    parts.append(_text(LABEL + BARS / 2, bottom + 34, unit, anchor="middle"))
    told = "; ".join(f"{name}: median {values[2]:.0f}" for name, values in rows.items())
    return _document(title, f"{unit}. {told}", LABEL + BARS + VALUE, bottom + 46, parts)


def heat_map(
    title: str, rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], *, axes: str
) -> bytes:
    """A matrix of counts, each cell darker with its share of its row; ``axes`` says what stands where.

    :param counts: shape (rows, columns).
    """
    cell = 46
    left, top = LABEL, 150
    parts = [_text(8, 40, axes)]
    for column, name in enumerate(columns):
        x = left + column * cell + cell / 2 + 4
        parts.append(
            f'<text x="{x}" y="{top - 6}" transform="rotate(-60 {x} {top - 6})">{escape(_short(name, 16))}'
            "</text>"
        )
    for row, (name, values) in enumerate(zip(rows, counts, strict=True)):
        y, total = top + row * cell, sum(values) or 1
        parts.append(_name(y + cell / 2 + 4, name, marked=False))
        for column, count in enumerate(values):
            parts += _cell(left + column * cell, y, cell, count, count / total)
    told = "; ".join(
        f"{row} as {column}: {count}"
        for row, values in zip(rows, counts, strict=True)
        for column, count in zip(columns, values, strict=True)
        if count
    )
    width = left + len(columns) * cell + 70
    return _document(title, f"{axes}. {told}", max(width, 420), top + len(rows) * cell + 20, parts)


def _document(title: str, told: str, width: int, height: int, parts: Sequence[str]) -> bytes:
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" role="img" '
        'aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(told)}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
    ]
    return ("\n".join([*head, *(part for part in parts if part), "</svg>"]) + "\n").encode()


def _stacked(y: int, name: str, values: Sequence[int], scale: float) -> list[str]:
    parts = [_name(y + 13, name, marked=False)]
    x = float(LABEL)
    for place, value in enumerate(values):
        color = COLORS[place % len(COLORS)]
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{value * scale:.1f}" height="{ROW}" fill="{color}"/>')
        x += value * scale
    return [*parts, _text(x + 6, y + 13, str(sum(values)))]


def _share_bar(y: float, value: float | None, color: str, thick: int) -> list[str]:
    if value is None:
        return [_text(LABEL + 4, y + thick, "–", size=9)]
    return [
        f'<rect x="{LABEL}" y="{y}" width="{value * BARS:.1f}" height="{thick - 1}" fill="{color}"/>',
        _text(LABEL + value * BARS + 6, y + thick - 1, f"{value:.2f}", size=9),
    ]


def _cell(x: int, y: int, side: int, count: int, share: float) -> list[str]:
    # From white to the first colour; the text turns white where the ground is dark (contrast 4.5 and more).
    red, green, blue = (round(255 - share * (255 - part)) for part in (0x2F, 0x6F, 0x9F))
    ink = "#ffffff" if share > 0.75 else INK
    return [
        f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="#{red:02x}{green:02x}{blue:02x}" '
        f'stroke="{FAINT}"/>',
        f'<text x="{x + side / 2}" y="{y + side / 2 + 4}" text-anchor="middle" font-size="11" fill="{ink}">'
        f"{count}</text>"
        if count
        else "",
    ]


def _legend(series: Sequence[str]) -> list[str]:
    return [
        f'<rect x="{LABEL + place * _LEGEND}" y="30" width="10" height="10" '
        f'fill="{COLORS[place % len(COLORS)]}"/>'
        f'<text x="{LABEL + place * _LEGEND + 14}" y="39">{escape(name)}</text>'
        for place, name in enumerate(series)
    ]


def _grid(ticks: Sequence[float], largest: float, bottom: float) -> list[str]:
    parts = []
    for tick in ticks:
        x = LABEL + tick / largest * BARS
        parts.append(f'<line x1="{x:.1f}" y1="46" x2="{x:.1f}" y2="{bottom}" stroke="{FAINT}"/>')
        parts.append(_text(x, bottom + 14, f"{tick:g}" if largest == 1 else f"{tick:.0f}", anchor="middle"))
    return parts


def _name(y: float, name: str, *, marked: bool) -> str:
    shown = escape(_short(name, _NAME)) + (" ⚠" if marked else "")
    style = f' fill="{MARK}" font-weight="bold"' if marked else ""
    return f'<text x="{LABEL - 8}" y="{y:g}" text-anchor="end"{style}>{shown}</text>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    if not text:
        return ""
    sized = "" if size == 12 else f' font-size="{size}"'
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{side}{sized}>{escape(text)}</text>'


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
