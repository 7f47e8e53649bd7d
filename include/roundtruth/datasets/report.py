"""report.html: a version to look at, in one file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from roundtruth.charts import histogram
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.card import card_plots, warnings
from roundtruth.datasets.contact_sheet import COLORS, Shown
from roundtruth.datasets.diff import VersionDiff
from roundtruth.datasets.heat_maps import box_maps, square_map
from roundtruth.datasets.versions import VersionRecord

Picture = tuple[Shown, bytes | None]  # None where the image could not be read

_STYLE = """\
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1260px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin-bottom: 1rem; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #d9dde1; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.charts, .sheet { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.charts img { border: 1px solid #d9dde1; border-radius: 4px; max-width: 100%; }
figure { margin: 0; width: 242px; }
figure img, .none { border: 1px solid #d9dde1; display: block; max-width: 240px; }
.none { width: 240px; height: 120px; display: grid; place-items: center; color: #5c6670; }
figcaption { font-size: 12px; overflow-wrap: anywhere; color: #444; }
.key { display: inline-block; width: .8em; height: .8em; border: 1px solid #555; margin: 0 .3em 0 1em; }
.warning { background: #fff4e0; border-left: 4px solid #e0893b; padding: .4rem .8rem; }
"""


def report_html(
    candidate: Candidate, record: VersionRecord, changes: VersionDiff, pictures: Sequence[Picture]
) -> bytes:
    """The page; the same version gives the same bytes."""
    title = f"{record.dataset} {record.version}"
    places, sizes = box_maps(candidate.images, candidate.labels)
    charts = [
        *card_plots(candidate, record).values(),
        square_map(
            "Where boxes lie", places, across="centre x, of the width", down="centre y, of the height"
        ),
        square_map("How large boxes are", sizes, across="width, of the image", down="height, of the image"),
        histogram("How many workers drew a box", _votes(candidate), across="votes of answers"),
    ]
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{record.images} images, {record.boxes} boxes, {record.negatives} negatives, {len(record.classes)} classes;
project {escape(record.project)}, rounds {escape(", ".join(record.rounds))};
made by roundtruth {escape(record.roundtruth)}.</p>
{_warnings(record)}
<h2>Splits and classes</h2>
{_split_table(record)}
<div class="charts">
{"".join(_chart(one) for one in charts)}</div>
<h2>Since {escape(record.parent or "nothing: this is the first version")}</h2>
{_changes(changes)}
<h2>Some of the images</h2>
<p>{_key(record.classes)}</p>
<div class="sheet">
{"".join(_figure(shown, picture, record) for shown, picture in pictures)}</div>
</body>
</html>
""".encode("utf-8", "replace")


def _warnings(record: VersionRecord) -> str:
    return "".join(f'<p class="warning">{escape(one)}</p>\n' for one in warnings(record))


def _split_table(record: VersionRecord) -> str:
    titles = ["split", "images", "negatives", "boxes", *record.classes]
    head = "".join(f"<th>{escape(name)}</th>" for name in titles)
    rows = "".join(
        f"<tr><td>{escape(split)}</td><td>{one.images}</td><td>{one.negatives}</td><td>{one.boxes}</td>"
        + "".join(f"<td>{count}</td>" for count in one.boxes_by_class)
        + "</tr>\n"
        for split, one in record.splits.items()
    )
    return f"<table>\n<tr>{head}</tr>\n{rows}</table>"


def _changes(changes: VersionDiff) -> str:
    counts = {
        "images added": len(changes.added),
        "images removed": len(changes.removed),
        "images replaced": len(changes.replaced),
        "images relabeled": len(changes.relabeled),
        "boxes added": changes.boxes_added,
        "boxes removed": changes.boxes_removed,
    }
    rows = "".join(f"<tr><td>{name}</td><td>{count}</td></tr>\n" for name, count in counts.items())
    new = f"<p>New classes: {escape(', '.join(changes.classes_added))}.</p>" if changes.classes_added else ""
    return f"<table>\n{rows}</table>\n{new}"


def _chart(svg: bytes) -> str:
    # As an image: the ids inside one SVG must not meet those of the next.
    return f'<img alt="{_title(svg)}" src="data:image/svg+xml;base64,{base64.b64encode(svg).decode()}">\n'


def _title(svg: bytes) -> str:
    return svg.decode().partition('<title id="title">')[2].partition("</title>")[0]


def _key(names: Sequence[str]) -> str:
    return "".join(
        f'<span class="key" style="background:{COLORS[place % len(COLORS)]}"></span>{escape(name)}'
        for place, name in enumerate(names)
    )


def _figure(shown: Shown, picture: bytes | None, record: VersionRecord) -> str:
    names = sorted({record.classes[box.class_id] for box in shown.boxes})
    boxes = "1 box" if len(shown.boxes) == 1 else f"{len(shown.boxes)} boxes"
    told = f"{boxes}: {', '.join(names)}" if names else "negative"
    caption = f"{escape(shown.image.split)} · {escape(told)}<br>{escape(shown.image.source_ref)}"
    if picture is None:
        content = '<span class="none">cannot be read</span>'
    else:
        data = base64.b64encode(picture).decode()
        content = f'<img alt="{escape(told)}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{content}<figcaption>{caption}</figcaption></figure>\n"


def _votes(candidate: Candidate) -> dict[str, int]:
    counts = candidate.labels[["answers", "votes"]].value_counts(dropna=False).sort_index().reset_index()
    columns = (counts[name].tolist() for name in ("answers", "votes", "count"))
    return {f"{votes}/{answers}": count for answers, votes, count in zip(*columns, strict=True)}
