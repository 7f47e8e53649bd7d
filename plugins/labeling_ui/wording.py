"""Numbers with their units, times and states as the pages write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NOTHING = "–"


def count(number: float | None) -> str:
    """``12,345``."""
    return NOTHING if number is None else f"{number:,.0f}"


def counted(number: int, one: str, many: str = "") -> str:
    """``1 image``, ``1,234 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float | None, digits: int = 0) -> str:
    """``93 %`` of a share 0–1; never 100 % or 0 % for what is only nearly so."""
    if share is None:
        return NOTHING
    step = 10 ** -(digits + 2)
    if 0 < share < 1:
        share = min(max(share, step), 1 - step)
    return f"{share * 100:.{digits}f} %"


def usd(amount: float | None) -> str:
    """``12.30 USD``."""
    return NOTHING if amount is None else f"{amount:,.2f} USD"


def size(number: float | None) -> str:
    """Bytes as ``1.5 MB``, in powers of ten."""
    if number is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def moment(when: datetime | None) -> Markup | str:
    """A time that times.js writes in the viewer's zone; without scripts it reads as UTC."""
    if when is None:
        return NOTHING
    utc = when.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"), utc.strftime("%Y-%m-%d %H:%M")
    )


FILTERS: Mapping[str, Callable[..., Any]] = {
    "count": count,
    "counted": counted,
    "percent": percent,
    "usd": usd,
    "size": size,
    "moment": moment,
}
