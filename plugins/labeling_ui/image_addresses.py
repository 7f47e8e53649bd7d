"""Where a browser gets images from: addresses in S3 that are signed for some minutes, never our own bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi.responses import RedirectResponse

from labeling_ui.deployment import Connected
from labeling_ui.pages import COMMON_HEADERS
from roundtruth.storage import ObjectUri

SIGNED_SECONDS = 300  # long enough to load a large image, too short to be passed on
# A name that S3 gives to a bucket; boto3 refuses to sign for others, and a path on this machine has none.
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)


def image_uri(source_ref: str) -> ObjectUri | None:
    """Where an image lies in S3; None where a manifest names a path, another scheme, or no object."""
    found = _S3_URI.fullmatch(source_ref)
    return ObjectUri(found[1], found[2]) if found else None


def signed_address(connection: Connected, uri: ObjectUri, *, seconds: int = SIGNED_SECONDS) -> str:
    """Where a browser gets an object for so long; never to be logged."""
    where = {"Bucket": uri.bucket, "Key": uri.key}
    signed: str = connection.s3_client.generate_presigned_url("get_object", Params=where, ExpiresIn=seconds)
    return signed


def lead_to_image(connection: Connected, uri: ObjectUri) -> RedirectResponse:
    """On to an image in S3; Airflow logs our own address, never the signed one."""
    # A browser may follow it again for a while without asking us: paging back and forth stays fast.
    kept = {"Cache-Control": f"private, max-age={SIGNED_SECONDS - 60}"}
    return RedirectResponse(signed_address(connection, uri), status_code=307, headers=kept | COMMON_HEADERS)


def image_origins(connection: Connected, source_refs: Iterable[str]) -> set[str]:
    """Scheme and host of each bucket that images lie in: mostly the project's own."""
    buckets = {uri.bucket for ref in source_refs if (uri := image_uri(ref))}
    addresses = (
        urlsplit(signed_address(connection, ObjectUri(bucket, "x"), seconds=1)) for bucket in sorted(buckets)
    )
    return {f"{one.scheme}://{one.netloc}" for one in addresses}
