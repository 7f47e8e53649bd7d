"""Pages hold every item once, and no number of a page leads nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.overviews.paging import page_span


@given(st.integers(0, 500), st.integers(1, 60))
def test_the_pages_hold_every_item_once_in_order(total, size):
    items = list(range(total))
    pages = page_span(1, size=size, total=total).pages
    found = [items[page_span(page, size=size, total=total).part] for page in range(1, pages + 1)]
    assert [one for part in found for one in part] == items
    assert all(len(part) == size for part in found[:-1])


@pytest.mark.parametrize(
    ("page", "total", "expected"),
    [(0, 25, (1, 3)), (-4, 25, (1, 3)), (3, 25, (3, 3)), (4, 25, (3, 3)), (7, 0, (1, 1)), (2, 20, (2, 2))],
    ids=["too small", "negative", "the last", "too large", "nothing there", "full pages"],
)
def test_numbers_outside_lead_to_the_first_or_the_last(page, total, expected):
    span = page_span(page, size=10, total=total)
    assert (span.page, span.pages) == expected
