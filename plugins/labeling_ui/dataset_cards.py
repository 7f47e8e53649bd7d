"""A version's card as HTML: Markdown without raw HTML, images and links, so that names in it stay text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

BELOW = 2  # levels that headings of the card stand below those of the page


def card_html(text: str) -> Markup:
    """README.md of a version; its plots are left out: the page draws them itself."""
    tokens = _markdown().parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1:]) + BELOW)}"
        if token.attrs.pop("style", "") == "text-align:right":  # the pages' policy takes no style attribute
            token.attrSet("class", "number")
    lines = [token for token in tokens if not _is_plot(token.content)]
    return Markup(_markdown().renderer.render(lines, _markdown().options, {}))  # noqa: S704  # escaped by it


def _is_plot(content: str) -> bool:
    return bool(content) and all(line.startswith("![") for line in content.splitlines())


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    return made.disable(["image", "link", "autolink", "reference", "html_block", "html_inline"])
