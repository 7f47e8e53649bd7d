"""Make a page of a template: escaped, with the headers that keep other sites and scripts out of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from labeling_ui import wording
from labeling_ui.addresses import Addresses

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


def addresses(request: Request) -> Addresses:
    """The addresses of all pages as this request reached us."""
    return Addresses(str(request.scope.get("root_path", "")).rstrip("/"))


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    images_from: Collection[str] = (),
    **values: Any,
) -> HTMLResponse:
    """A page.

    :param images_from: origins besides our own that the page shows images from.
    :param values: what the template shows; ``pages`` are the addresses.
    """
    content = templates().get_template(template).render(pages=addresses(request), **values)
    return HTMLResponse(content, status_code=status, headers=headers(images_from))


def headers(images_from: Collection[str] = ()) -> dict[str, str]:
    """The headers of a page: own scripts and styles only, own frame only, nothing kept by the browser."""
    images = " ".join(["'self'", "data:", *sorted(images_from)])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors 'self'; img-src {images}"
    )
    return {"Content-Security-Policy": policy, "Cache-Control": "no-store", **COMMON_HEADERS}


# Signed addresses of images stand in the page: no other site is told the page's own address, either.
COMMON_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


@cache
def templates() -> Environment:
    """The templates; a name that is not handed in is an error, not an empty place."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # as the code, a changed template is in force after a restart
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(wording.FILTERS)
    return made
