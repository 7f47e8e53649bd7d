"""Data Docs that need nothing from the network: our index, and behind it Great Expectations' pages.

Great Expectations' own pages load fonts, style sheets and scripts from six hosts, and its index is empty
without them. These pages are read inside the Airflow web UI, by people behind firewalls and under a content
security policy: everything outside a page is taken out, and a small style sheet goes in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from roundtruth.quality.suites import Outcome
from roundtruth.quality.verdict import FailedCheck, Verdict
from roundtruth.storage import ObjectUri, Storage

STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:1.5rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:.5rem 0}th,td{border:1px solid #ccc;padding:.25rem .6rem;
text-align:left;vertical-align:top}th{background:#f3f3f3}details{max-width:60rem}code{font-size:12px;overflow-wrap:anywhere}
.critical,.text-danger{color:#b00020}.warning{color:#8a5a00}.info{color:#345}.passed,
.text-success{color:#176b2c}
.fa-times:before{content:"\\2717"}.fa-check-circle:before{content:"\\2713"}.modal,.navbar,img,button{display:none}
"""

HTML = "text/html; charset=utf-8"
CSV = "text/csv; charset=utf-8"
FAILING_IMAGES = "failing_images.csv"

_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(r"<link\b[^>]*>", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE)
_OUTSIDE = re.compile(r"""\s(?:href|src)=(["'])(?:https?:)?//.*?\1""", re.IGNORECASE)
_RUN_TIME = re.compile(r"( / )?1970-01-01T00:00:00Z(?=\s*<)")  # validation.RUN_TIME, the time of nothing
_ELEMENT_ID = re.compile(r"(?<=-collapse-body)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # random
_LOAD_TIME = re.compile(r"(?<=>)\d{8}T\d{6}\.\d{6}Z(?=</)")  # when the table was handed over


def collect_site(context_folder: Path, site: Path) -> None:
    """Copy the pages that Great Expectations rendered into ``site``, each self-contained."""
    rendered = context_folder / "gx" / "uncommitted" / "data_docs" / "local_site"
    for folder in ("validations", "expectations"):
        for page in sorted((rendered / folder).rglob("*.html")):
            target = site / page.relative_to(rendered)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_self_contained(page.read_text(encoding="utf-8")), encoding="utf-8")


def publish_site(
    site: Path, outcomes: Sequence[Outcome], verdict: Verdict, docs_uri: ObjectUri, storage: Storage
) -> None:
    """Write the index, the collected pages and the list of all failing images under ``docs_uri``.

    The index comes last. It holds failing images itself: in the console of S3 no link from it leads on.
    """
    pages = {page.relative_to(site).as_posix(): page for page in sorted(site.rglob("*.html"))}

    def write(page: tuple[str, bytes]) -> None:
        storage.write(docs_uri / page[0], page[1], content_type=HTML)

    for _ in storage.run_many(write, ((key, page.read_bytes()) for key, page in pages.items())):
        pass
    storage.write(docs_uri / FAILING_IMAGES, failing_images(outcomes, verdict), content_type=CSV)
    write(("index.html", _index(outcomes, verdict, list(pages)).encode()))


def failing_images(outcomes: Sequence[Outcome], verdict: Verdict) -> bytes:
    """Every image that fails a check, with the number of its rows that do: CSV, by check."""
    severities = verdict.parameters["severities"]
    parts = [pd.DataFrame(columns=["check", "severity", "source_ref", "failed_rows"])]
    for outcome in outcomes:
        if outcome.success or "source_ref" not in outcome.suite.frame:
            continue
        # As texts: of a categorical column pandas would count all its categories.
        refs = outcome.suite.frame.loc[outcome.failing, "source_ref"].astype("str")
        rows = refs.value_counts().sort_index()
        name = outcome.check.name
        parts.append(
            pd.DataFrame(
                {
                    "check": name,
                    "severity": severities[name],
                    "source_ref": rows.index,
                    "failed_rows": rows.to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True).to_csv(index=False, lineterminator="\n").encode()


def _self_contained(page: str) -> str:
    for pattern in (_SCRIPT, _LINK, _IMAGE, _STYLE, _OUTSIDE, _RUN_TIME, _LOAD_TIME, _ELEMENT_ID):
        page = pattern.sub("", page)
    page = page.replace("</head>", f"<style>{STYLE}</style></head>", 1)
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


def _index(outcomes: Sequence[Outcome], verdict: Verdict, pages: Sequence[str]) -> str:
    failed = {(check.table, check.check): check for check in verdict.failed}
    severities = verdict.parameters["severities"]
    rows = []
    for outcome in outcomes:
        name, table = outcome.check.name, outcome.suite.name
        rows.append(
            f"<tr><td>{escape(table)}</td><td><code>{escape(name)}</code></td>"
            f"<td>{escape(outcome.check.description)}</td>"
            f"{_status_cells(failed.get((table, name)), severities[name], len(outcome.suite.frame))}</tr>"
        )
    links = "".join(
        f'<li><a href="{escape(page)}">{escape(page.split("/")[1])}</a></li>'
        for page in pages
        if page.startswith("validations/")
    )
    state = "passed" if verdict.passed else "blocked"
    css = "passed" if verdict.passed else "critical"
    counts = "".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{count}</td></tr>"
        for name, count in verdict.counts.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Quality</title>'
        f'<style>{STYLE}</style></head>\n<body><h1>Quality: <span class="{css}">{state}</span></h1>\n'
        f"<table>{counts}</table>\n"
        "<table><tr><th>table</th><th>check</th><th>rule</th><th>severity</th><th>outcome</th>"
        "<th>failed rows</th><th>of</th><th>failing images and values</th></tr>\n"
        + "\n".join(rows)
        + f'\n</table>\n<p><a href="{FAILING_IMAGES}">All failing images</a> as CSV</p>'
        f"\n<h2>Great Expectations' results</h2><ul>{links}</ul>\n</body></html>\n"
    )


def _status_cells(check: FailedCheck | None, severity: str, rows: int) -> str:
    if check is None:
        return f'<td>{severity}</td><td class="passed">passed</td><td></td><td>{rows}</td><td></td>'
    return (
        f'<td class="{severity}">{severity}</td><td class="{severity}">{check.consequence}</td>'
        f"<td>{check.failed_rows}</td><td>{rows}</td><td>{_culprits(check)}</td>"
    )


def _culprits(check: FailedCheck) -> str:
    values = f"<p>{escape(', '.join(check.values))}</p>" if check.values else ""
    if not check.images:
        return values
    names = "".join(f"<li><code>{escape(name)}</code></li>" for name in check.images)
    more = check.image_count - len(check.images)
    rest = f"<p>and {more} more</p>" if more else ""
    images = f"{check.image_count} image{'s' if check.image_count > 1 else ''}"
    return f"<details><summary>{images}</summary><ul>{names}</ul>{rest}</details>{values}"
