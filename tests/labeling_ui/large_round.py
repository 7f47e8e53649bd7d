"""A recorded round of many images written straight into S3, as its steps write it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from roundtruth import __version__
from roundtruth.annotations import AGREEMENT, ANSWERS, IMAGES, ROUND_LABELS, to_parquet
from roundtruth.consensus.pseudonyms import KEY_FILE, pseudonym
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import PLANNED, PlannedJob, PlannedTable, RoundPlan, encode_plan
from roundtruth.rounds.record import RecordedJob, RoundRecord, record_round
from roundtruth.rounds.thumbnail_packs import PACKED, Thumbnail, write_index, write_pack
from roundtruth.storage import ObjectUri, Storage
from roundtruth.thumbnails import make_thumbnail
from tests.memory_store import blank_png

KEY = bytes(32)
PEOPLE = [f"private.us-east-1.{number:016x}" for number in range(40)]
WIDTH, HEIGHT = 640, 480


def put_large_round(
    storage: Storage,
    project: Project,
    key: str,
    images: int = 10_000,
    *,
    workers: int = 3,
    boxes: int = 2,
    thumbnails: int = 200,
    names: Sequence[str] = (),
    copies: bool = True,
) -> RoundFolder:
    """Write every file of a round: three of four images labeled, one of four disputed.

    :param boxes: that each worker drew on each image.
    :param thumbnails: images of the lowest agreement that have one.
    :param copies: of what the record names, as it was: an earlier roundtruth made none.
    :param names: below the folder of images, of the first ones; the others have plain ones.
    """
    folder = RoundFolder(rounds_folder(project) / key)
    rng = np.random.default_rng(7)
    plain = (f"photo_{number:07d}.png" for number in range(images))
    refs = [f"{project.images_uri}{name}" for name in [*names, *plain][:images]]
    agreement = rng.random(images).round(4)
    disputed = agreement < 0.25
    job = PlannedJob(
        name=f"{project.project}-{key}-1",
        categories=project.categories,
        part=0,
        images=images,
        workers=workers,
    )
    answers = _answers(rng, refs, job, boxes)
    image_table = _images(refs, agreement, disputed, workers)
    label_table = _labels(rng, refs, job, boxes)
    objects = pd.DataFrame(
        {
            "source_ref": refs,
            "status": "labeled",
            "reason": "",
            "width": WIDTH,
            "height": HEIGHT,
            "answers": workers,
        }
    )
    consensus = pd.DataFrame(
        {"source_ref": refs, "answers": workers, "agreement": agreement, "disputed": disputed, "reason": ""}
    )
    put = storage.write
    put(rounds_folder(project) / KEY_FILE, f"{KEY.hex()}\n".encode())
    put(folder.plan, encode_plan(_plan(storage, project, folder, refs, job)))
    inputs = folder.job(job.name)
    put(inputs.request, b"{}")
    put(inputs.answers, to_parquet(answers, ANSWERS))
    put(inputs.objects, to_parquet(objects, OBJECTS))
    put(folder.answers, to_parquet(answers, ANSWERS))
    put(folder.stage("agreement.parquet"), to_parquet(consensus, AGREEMENT))
    put(folder.stage("merged-labels.parquet"), to_parquet(label_table, ROUND_LABELS))
    final = label_table[~label_table["source_ref"].isin(set(np.array(refs)[disputed]))]
    put(folder.labels, to_parquet(final, ROUND_LABELS))
    put(folder.images, to_parquet(image_table, IMAGES))
    put(folder.consensus, msgspec.json.encode(_report(refs, agreement, disputed)))
    counts = {"labeled": int((~disputed).sum()), "disputed": int(disputed.sum())}
    put(folder.quality, msgspec.json.encode(_verdict(refs, images, counts)))
    _put_thumbnails(storage, folder, [refs[one] for one in np.argsort(agreement, kind="stable")[:thumbnails]])
    record = _record(storage, folder, project, images, counts, len(final), len(answers), job)
    if copies:
        record_round(storage, folder, record)
    else:
        put(folder.record, msgspec.json.encode(record))
    return folder


def _plan(
    storage: Storage, project: Project, folder: RoundFolder, refs: list[str], job: PlannedJob
) -> RoundPlan:
    size = len(refs)
    planned = pd.DataFrame(
        {
            "source_ref": refs,
            "etag": [_etag(ref) for ref in refs],
            "bytes": 100_000,
            "last_modified": pd.Timestamp("2026-11-16T06:00:00Z"),
            "width": WIDTH,
            "height": HEIGHT,
            "orientation": 1,
            "unreadable": "",
            "carried_over": False,
            "part": 0,
        }
    )
    data = to_parquet(planned, PLANNED)
    digest = hashlib.sha256(data).hexdigest()
    name = f"planned-{digest[:12]}.parquet"
    storage.write(folder.uri / name, data)
    return RoundPlan(
        project=project.project,
        round=folder.key,
        images=size,
        new=size,
        carried_over=0,
        unreadable=0,
        jobs=(job,),
        labeling_usd=size * 0.08,
        relabel_usd=0.0,
        planned=PlannedTable(file=name, sha256=digest),
    )


def _etag(ref: str) -> str:
    return hashlib.md5(ref.encode(), usedforsecurity=False).hexdigest()


def _places(rng: Any, count: int) -> dict[str, Any]:
    return {
        "left": rng.integers(0, 500, count).astype(float),
        "top": rng.integers(0, 350, count).astype(float),
        "width": rng.integers(20, 140, count).astype(float),
        "height": rng.integers(20, 130, count).astype(float),
    }


def _answers(rng: Any, refs: list[str], job: PlannedJob, boxes: int) -> pd.DataFrame:
    count = len(refs) * job.workers * boxes
    image = np.repeat(np.arange(len(refs)), job.workers * boxes)
    person = np.tile(np.repeat(np.arange(job.workers), boxes), len(refs))
    frame = pd.DataFrame(
        {
            "source_ref": np.array(refs, object)[image],
            "job": job.name,
            "worker": np.array(PEOPLE, object)[(image * 7 + person * 11) % len(PEOPLE)],
            "box": np.tile(np.arange(boxes), len(refs) * job.workers),
            "category": np.array(job.categories, object)[rng.integers(0, len(job.categories), count)],
            **_places(rng, count),
            "image_width": WIDTH,
            "image_height": HEIGHT,
            "seconds": rng.uniform(5, 40, count).round(1),
            "submitted": "2026-11-16T08:00:00Z",
        }
    )
    return frame.astype({"box": "int32"})


def _labels(rng: Any, refs: list[str], job: PlannedJob, boxes: int) -> pd.DataFrame:
    count = len(refs) * boxes
    places = _places(rng, count)
    categories = np.array(job.categories, object)[rng.integers(0, len(job.categories), count)]
    return pd.DataFrame(
        {
            "source_ref": np.repeat(np.array(refs, object), boxes),
            "category": categories,
            **places,
            "score": rng.random(count).round(3),
            "votes": 2,
            "answers": job.workers,
            "job": job.name,
            "ground_truth_category": categories,
            **{f"ground_truth_{name}": value for name, value in places.items()},
            "ground_truth_iou": 1.0,
        }
    )


def _images(refs: list[str], agreement: Any, disputed: Any, workers: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source_ref": refs,
            "etag": [_etag(ref) for ref in refs],
            "bytes": 100_000,
            "width": WIDTH,
            "height": HEIGHT,
            "orientation": 1,
            "status": np.where(disputed, "disputed", "labeled"),
            "reason": np.where(disputed, "1 extra", ""),
            "answers": workers,
            "agreement": agreement,
        }
    )


def _report(refs: list[str], agreement: Any, disputed: Any) -> dict[str, Any]:
    people = sorted(pseudonym(one, KEY) for one in PEOPLE)
    place = {"left": 10.0, "top": 20.0, "width": 100.0, "height": 80.0}
    return {
        "version": 1,
        "counts": {"images": len(refs)},
        "agreement": {
            "mean": float(np.mean(agreement)),
            "krippendorff_alpha": 0.7,
            "by_category": [
                {"category": name, "boxes": 10, "pairwise_iou": 0.8, "pairwise_f1": 0.9}
                for name in ("pencil", "pen")
            ],
            "confusion": [
                {"consensus": "pen", "worker": "pen", "count": 90},
                {"consensus": "pen", "worker": "pencil", "count": 5},
                {"consensus": None, "worker": "pen", "count": 3},
            ],
        },
        "workers": [
            {"worker": one, "answers": 100, "boxes": 200, "recall": 0.9, "precision": 0.8, "f1": 0.85}
            for one in people
        ],
        "careless_workers": people[:1],
        "gold": {"images": 5, "workers": [{"worker": people[0], "answers": 5, "recall": 0.4}]},
        "disputed_images": [
            {
                "source_ref": refs[number],
                "agreement": float(agreement[number]),
                "objects": [
                    {
                        "reasons": ["extra"],
                        "category": "pen",
                        **place,
                        "votes": 1,
                        "answers": 3,
                        "drawn": [{"worker": people[0], "box": 0, "category": "pen", **place}],
                        "not_drawn_by": people[1:3],
                    }
                ],
            }
            for number in np.flatnonzero(disputed).tolist()
        ],
    }


def _verdict(refs: list[str], images: int, counts: dict[str, int]) -> dict[str, Any]:
    failed = {
        "check": "box_side",
        "severity": "warning",
        "consequence": "reported",
        "table": "labels",
        "description": "The shorter side of a box is at least 2 px",
        "rows": 2 * images,
        "failed_rows": 100,
        "image_count": min(100, images),
        "images": refs[:100],
    }
    statuses = {"negative": 0, "failed": 0, "unlabeled": 0, "quarantined": 0, "unreadable": 0, **counts}
    carried = {"planned": images, "published": counts["labeled"], "carried_over": counts["disputed"]}
    return {
        "passed": True,
        "critical": [],
        "warnings": [failed],
        "info": [],
        "checked_rows": {"labels": 2 * images, "images": images},
        "counts": {**carried, **statuses},
        "parameters": {},
    }


def _put_thumbnails(storage: Storage, folder: RoundFolder, refs: list[str]) -> None:
    data = make_thumbnail(blank_png(WIDTH, HEIGHT), name="blank")
    made = [Thumbnail(source_ref=ref, etag=_etag(ref), data=data) for ref in refs]
    packs = [made[start : start + PACKED] for start in range(0, len(made), PACKED)]
    write_index(storage, folder, [one for pack in packs for one in write_pack(storage, folder, pack)])


def _record(
    storage: Storage,
    folder: RoundFolder,
    project: Project,
    images: int,
    counts: dict[str, int],
    boxes: int,
    answers: int,
    job: PlannedJob,
) -> RoundRecord:
    named = (folder.labels, folder.images, folder.consensus, folder.quality)
    return RoundRecord(
        project=project.project,
        round=folder.key,
        roundtruth=__version__,
        images=images,
        counts=counts,
        boxes=boxes,
        answers=answers,
        spent_usd=images * 0.08,
        jobs=(
            RecordedJob(
                name=job.name,
                arn=f"arn:aws:sagemaker:us-east-1:123456789012:labeling-job/{job.name}",
                label_attribute="boxes",
                categories=job.categories,
                output_uri=str(ObjectUri.parse(project.root) / "ground_truth_annots" / job.name),
                relabel_pass=0,
                images=images,
                workers=job.workers,
            ),
        ),
        files={uri.name: hashlib.sha256(storage.read(uri)).hexdigest() for uri in named},
    )
