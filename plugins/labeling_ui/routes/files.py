"""The pages' own scripts and styles."""

from __future__ import annotations

from airflow.api_fastapi.core_api.security import get_user
from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse

from labeling_ui.addresses import STATIC
from labeling_ui.pages import COMMON_HEADERS

router = APIRouter()
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Addresses.static names the content: another content has another address.
HEADERS = {"Cache-Control": "private, max-age=31536000, immutable", **COMMON_HEADERS}


@router.get("/static/{name}", dependencies=[Depends(get_user)])
def own_file(name: str) -> FileResponse:
    """One of the files in static/, to whoever is logged in."""
    there = {path.name: path for path in STATIC.iterdir() if path.suffix in TYPES}
    if name not in there:
        raise HTTPException(404, f"There is no file {name!r}.")
    return FileResponse(there[name], media_type=TYPES[there[name].suffix], headers=HEADERS)
