"""The images that people uploaded: whether they are still what was labeled."""

from __future__ import annotations

from collections.abc import Iterable

from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage


def current_etags(storage: Storage, project: Project, source_refs: Iterable[str]) -> dict[str, str]:
    """The ETag that each image has now; deleted images are missing.

    One listing covers the project's own images (a request for a thousand); others are asked for one by one.
    """
    wanted = set(source_refs)
    if not wanted:
        return {}
    found: dict[str, str] = {}
    prefix = str(project.images_uri)
    elsewhere = sorted(ref for ref in wanted if not ref.startswith(prefix))
    if len(elsewhere) < len(wanted):
        for stored in storage.list_objects(project.images_uri):
            source_ref = str(stored.uri)
            if source_ref in wanted:
                found[source_ref] = stored.etag
    for stored_elsewhere in storage.run_many(lambda ref: storage.head(ObjectUri.parse(ref)), elsewhere):
        if stored_elsewhere is not None:
            found[str(stored_elsewhere.uri)] = stored_elsewhere.etag
    return found
