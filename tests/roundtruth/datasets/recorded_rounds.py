"""Recorded rounds in S3 for tests: images, labels and round.json, as the stages of a round leave them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import boto3
from PIL import Image

from roundtruth.annotations import ANSWERS, IMAGES, LABELED, LABELS, NEGATIVE, table, to_parquet
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.record import RecordedJob, RoundRecord, file_digests, record_round
from roundtruth.sandbox import ROLE_ARN, WORKTEAM_ARN
from roundtruth.storage import Storage

Box = tuple[str, float, float, float, float]  # category, left, top, width, height


def storage_of(endpoint_url: str, kind: type[Storage] = Storage) -> Storage:
    """Storage on a sandbox."""
    session = boto3.Session(
        region_name="us-east-1", aws_access_key_id="sandbox", aws_secret_access_key="sandbox"
    )
    return kind.from_session(session, endpoint_url=endpoint_url, concurrency=8)


def project_in(bucket: str, **changes: Any) -> Project:
    """A project of pencils and pens whose root is in this bucket; ``changes`` replace whole keys."""
    content: dict[str, Any] = {
        "project": "pens",
        "root": f"s3://{bucket}/boxes",
        "categories": ["pencil", "pen"],
        "labeling": {"role_arn": ROLE_ARN, "workteam_arn": WORKTEAM_ARN},
        "dataset": {"name": "pens", "formats": ["yolo", "voc", "coco", "csv"]},
    }
    return Project.model_validate(content | changes)


def jpeg(
    width: int, height: int, *, color: tuple[int, int, int] = (90, 120, 60), orientation: int = 1
) -> bytes:
    """A JPEG of one colour, with an EXIF orientation."""
    content = BytesIO()
    image = Image.new("RGB", (width, height), color)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(content, "JPEG", exif=exif)
    return content.getvalue()


def put_round(
    storage: Storage,
    project: Project,
    key: str,
    boxes: Mapping[str, Sequence[Box]],
    *,
    statuses: Mapping[str, str] | None = None,
    categories: Sequence[str] | None = None,
    size: tuple[int, int] = (100, 80),
    orientation: int = 1,
    answers: Sequence[dict[str, Any]] = (),
    attempt: int = 1,
) -> dict[str, str]:
    """Put images and record a round about them.

    :param answers: rows of ANSWERS, with the key for ``source_ref``.
    :param boxes: key under the project's image folder -> boxes; an image that is there already stays.
    :returns: key -> source_ref.
    """
    images, labels, refs = [], [], {}
    for number, (name, of_image) in enumerate(boxes.items()):
        uri = project.root_uri / f"{project.images.prefix}{name}"
        if storage.head(uri) is None:
            storage.write(uri, jpeg(*size, color=(number % 256, 40, 90), orientation=orientation))
        stored = storage.head(uri)
        assert stored is not None
        refs[name] = str(uri)
        images.append(
            {
                "source_ref": str(uri),
                "etag": stored.etag,
                "bytes": stored.size,
                "width": size[0],
                "height": size[1],
                "orientation": orientation,
                "status": (statuses or {}).get(name, LABELED if of_image else NEGATIVE),
                "reason": "",
                "answers": 3,
                "agreement": 0.9,
            }
        )
        labels += [
            dict(zip(("category", "left", "top", "width", "height"), box, strict=True))
            | {"source_ref": str(uri), "score": 1.0, "votes": 3, "answers": 3, "job": f"pens-{key}"}
            for box in of_image
        ]
    folder = round_folder(project, key)
    storage.write(folder.images, to_parquet(table(images, IMAGES), IMAGES))
    storage.write(folder.labels, to_parquet(table(labels, LABELS), LABELS))
    rows = [answer | {"source_ref": refs[answer["source_ref"]], "job": f"pens-{key}"} for answer in answers]
    storage.write(folder.answers, to_parquet(table(rows, ANSWERS), ANSWERS))
    counts: dict[str, int] = {}
    for image in images:
        counts[str(image["status"])] = counts.get(str(image["status"]), 0) + 1
    record = RoundRecord(
        project=project.project,
        round=key,
        roundtruth="0",
        images=len(images),
        counts=counts,
        boxes=len(labels),
        answers=3 * len(images),
        spent_usd=0.0,
        jobs=(
            RecordedJob(
                name=f"pens-{key}",
                arn=f"arn:aws:sagemaker:us-east-1:123456789012:labeling-job/pens-{key}",
                label_attribute="label",
                categories=tuple(categories or project.categories),
                output_uri="",
                relabel_pass=0,
                images=len(images),
                workers=3,
            ),
        ),
        files=file_digests(storage, {"images.parquet": folder.images, "labels.parquet": folder.labels}),
        attempt=attempt,
    )
    record_round(storage, folder, record)
    return refs


def listing(s3: Any, bucket: str, prefix: str) -> dict[str, str]:
    """Key -> SHA-256 of the content, of all objects below a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key: hashlib.sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest() for key in keys
    }
