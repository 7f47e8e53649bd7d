"""Which page of how many, for everything that is shown in pages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageSpan:
    """A page of a sequence; ``part`` cuts it out."""

    page: int  # from 1
    pages: int  # at least 1
    start: int  # 0-based place of its first item
    size: int

    @property
    def part(self) -> slice:
        """The page's items."""
        return slice(self.start, self.start + self.size)


def page_span(page: int, *, size: int, total: int) -> PageSpan:
    """A page of ``total`` items; a number that is too large or too small gives the last or the first page."""
    pages = max(1, -(-total // size))
    page = min(max(page, 1), pages)
    return PageSpan(page, pages, (page - 1) * size, size)
