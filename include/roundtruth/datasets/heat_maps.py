"""Where boxes lie in their images and how large they are, as square heat maps in SVG."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.boxes import SIDEWAYS
from roundtruth.datasets.table_rows import floats_of, integers_of

CELLS = 20
_CELL, _LEFT, _TOP = 14, 30, 40  # pixels
_DARK = (0x2F, 0x6F, 0x9F)

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]


def box_maps(images: Any, labels: Any) -> tuple[Counts, Counts]:
    """Boxes by the place of their centre and by width and height, all as shares of the upright image.

    Both have shape (CELLS, CELLS): row is y or height, from the top or from small; column is x or width.

    :param images: VERSION_IMAGES; ``labels`` has PART_LABELS, in the order of the images; see table_rows.
    """
    owner = np.repeat(np.arange(len(images)), integers_of(images, "boxes"))
    width, height, orientation = (
        floats_of(images, name)[owner] for name in ("width", "height", "orientation")
    )
    across = floats_of(labels, "width") / width
    down = floats_of(labels, "height") / height
    x = floats_of(labels, "left") / width + across / 2
    y = floats_of(labels, "top") / height + down / 2
    # As boxes.upright_box turns boxes, of a square whose sides are 1.
    upright_x = np.select(
        [np.isin(orientation, turned) for turned in ((2, 3), (5, 8), (6, 7))], [1 - x, y, 1 - y], x
    )
    upright_y = np.select(
        [np.isin(orientation, turned) for turned in ((3, 4), (5, 6), (7, 8))], [1 - y, x, 1 - x], y
    )
    sideways = np.isin(orientation, SIDEWAYS)
    places = _counted(upright_y, upright_x)
    return places, _counted(np.where(sideways, across, down), np.where(sideways, down, across))


def square_map(title: str, counts: Counts, *, across: str, down: str) -> bytes:
    """The darker a cell, the more boxes; ``across`` and ``down`` name the axes, both from 0 to 1."""
    side = CELLS * _CELL
    most = max(int(counts.max()), 1)
    width, height = _LEFT + side + 90, _TOP + side + 34
    told = f"{int(counts.sum())} boxes; across {across}, down {down}; at most {most} in a cell"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" '
        'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title><desc id="desc">{escape(told)}</desc>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
    ]
    for row, column in np.argwhere(counts).tolist():
        x, y = _LEFT + column * _CELL, _TOP + row * _CELL
        fill = _shade(int(counts[row, column]) / most)
        parts.append(f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{fill}"/>')
    parts.append(
        f'<rect x="{_LEFT}" y="{_TOP}" width="{side}" height="{side}" fill="none" stroke="#8a9099"/>'
        f'<text x="{_LEFT + side / 2}" y="{_TOP + side + 18}" text-anchor="middle">{escape(across)} →</text>'
        f'<text transform="translate(20 {_TOP + side / 2}) rotate(90)" text-anchor="middle">'
        f"{escape(down)} →</text>"
    )
    for place, share in enumerate((1.0, 0.5, 0.0)):
        x, y = _LEFT + side + 12, _TOP + place * 20
        parts.append(
            f'<rect x="{x}" y="{y}" width="12" height="12" fill="{_shade(share)}" stroke="#8a9099"/>'
            f'<text x="{x + 18}" y="{y + 11}">{round(share * most)}</text>'
        )
    return ("\n".join([*parts, "</svg>"]) + "\n").encode()


def _counted(rows: Shares, columns: Shares) -> Counts:
    cells = [np.clip((shares * CELLS).astype(np.int64), 0, CELLS - 1) for shares in (rows, columns)]
    counts = np.bincount(cells[0] * CELLS + cells[1], minlength=CELLS * CELLS)
    return counts.astype(np.int64).reshape(CELLS, CELLS)


def _shade(share: float) -> str:
    # The square root shows a cell with one box too.
    return "#" + "".join(f"{round(255 - share**0.5 * (255 - part)):02x}" for part in _DARK)
