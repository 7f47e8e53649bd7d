"""Small rounds for the tests of quality: one image or label a call, everything else as it should be."""

from __future__ import annotations

from roundtruth.annotations import IMAGES, LABELS, table


def image(name, status="labeled", **values):
    return {
        "source_ref": f"s3://bucket/images/{name}",
        "etag": f"etag of {name}",
        "bytes": 1000,
        "width": 100,
        "height": 80,
        "orientation": 1,
        "status": status,
        "reason": "",
        "answers": 3,
        **values,
    }


def label(name, box=(10, 10, 20, 20), category="pen", **values):
    left, top, width, height = box
    return {
        "source_ref": f"s3://bucket/images/{name}",
        "category": category,
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "score": 1.0,
        "votes": 3,
        "answers": 3,
        "job": "pens-1",
        **values,
    }


def fact(name, phash, sha256=None, **values):
    return {
        "source_ref": f"s3://bucket/images/{name}",
        "etag": f"etag of {name}",
        "sha256": sha256 or f"bytes of {name}",
        "phash": phash,
        "format": "JPEG",
        "orientation": 1,
        "unreadable": "",
        "gone": False,
        **values,
    }


def tables(images, labels):
    return table(labels, LABELS), table(images, IMAGES)
