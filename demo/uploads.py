"""Put photos into the sandbox's S3: generated ones with their truth, or a folder of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from roundtruth.project import Project
from roundtruth.rounds.arrivals import IMAGE_SUFFIXES
from roundtruth.sandbox.samples import generate_samples
from roundtruth.sandbox.truth import encode_truth, truth_uri
from roundtruth.storage import ObjectUri, Storage

SEED = 7


def samples_there(storage: Storage, project: Project) -> int:
    """How many photos the project's folder holds."""
    return sum(1 for _ in _image_names(storage, project))


def upload_samples(storage: Storage, project: Project, total: int) -> int:
    """Upload generated photos until there are ``total``; returns how many were missing."""
    there = samples_there(storage, project)
    return storage.write_many(_samples(project, count=max(total - there, 0), start=there)) // 2


def upload_folder(storage: Storage, project: Project, folder: Path) -> int:
    """Upload the photos of a folder that are not there yet with the same content; returns how many."""
    there = {stored.uri: stored.etag for stored in storage.list_objects(project.images_uri)}
    new = [(uri, content) for uri, content in _photos(project, folder) if there.get(uri) != _etag(content)]
    return storage.write_many(new)


def _samples(project: Project, *, count: int, start: int) -> Iterator[tuple[ObjectUri, bytes]]:
    for name, content, truth in generate_samples(count, SEED, start):
        uri = project.images_uri / name
        # The truth comes first: a worker who sees the photo can always look it up.
        yield ObjectUri.parse(truth_uri(str(uri))), encode_truth(truth)
        yield uri, content


def _photos(project: Project, folder: Path) -> Iterator[tuple[ObjectUri, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield project.images_uri / path.relative_to(folder).as_posix(), path.read_bytes()


def _image_names(storage: Storage, project: Project) -> Iterator[str]:
    for stored in storage.list_objects(project.images_uri):
        if stored.uri.key.lower().endswith(IMAGE_SUFFIXES):
            yield stored.uri.name


def _etag(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
