"""Finished jobs become a round: every folder of the real data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roundtruth.errors import RoundError
from roundtruth.stages.round_import import job_sources, read_jobs
from roundtruth.storage import Storage
from tests.imported_rounds import KEY, imported, table_of
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project
from tests.real_data import REAL, needs_real


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


FORMS = [
    *("Agreement Effective Date", "APR - Balance Transfers", "APR - Cash Advances", "APR - General"),
    *("APR - Introductory", "APR - Penalty", "APR - Purchases", "Card Name", "Fee - Annual"),
    *("Fee - Balance Transfer", "Fee - Foreign Transaction", "Fee - Late Payment", "Fee - Other"),
    *(
        "Fee - Returned Payment",
        "Local Terms",
        "Min Payment Calculation",
        "Provider Address",
        "Provider Name",
    ),
]


def put_real_images(storage: Storage, folder: Path) -> None:
    """Blank images where the manifests of a folder say that theirs lie; of the size that they say."""
    for manifest in sorted(folder.rglob("*put.manifest")):
        for line in manifest.read_bytes().splitlines():
            row = json.loads(line)
            sizes = [
                value["image_size"][0]
                for value in row.values()
                if isinstance(value, dict) and "image_size" in value
            ]
            size = (sizes[0]["width"], sizes[0]["height"]) if sizes else (1280, 720)
            put_blank(storage, row["source-ref"], *size)


@needs_real
@pytest.mark.parametrize(
    ("folder", "jobs", "categories", "counts", "boxes", "answers"),
    [
        pytest.param(
            "cigars",
            ["."],
            ["Arturo Fuente", "Davidoff"],
            {"labeled": 23, "negative": 9},
            54,
            0,
            id="cigars",
        ),
        pytest.param("birds-5-workers", ["."], ["Bird"], {"labeled": 100}, 192, 0, id="birds-5-workers"),
        pytest.param(
            "forms-two-jobs",
            ["job-1", "job-2"],
            FORMS,
            {"labeled": 94, "negative": 6},
            1108,
            0,
            id="forms-two-jobs",
        ),
    ],
)
def test_real_manifests_become_rounds(
    storage: Storage,
    folder: str,
    jobs: list[str],
    categories: list[str],
    counts: dict[str, int],
    boxes: int,
    answers: int,
) -> None:
    put_real_images(storage, REAL / folder)
    project = make_project(categories=categories)
    record = imported(storage, *(str(REAL / folder / job) for job in jobs), project=project)
    assert (record.counts, record.boxes, record.answers) == (counts, boxes, answers)
    assert {job.labels_from for job in record.jobs} == {"consolidated"}
    assert len(table_of(storage, "labels", project)) == boxes


@needs_real
def test_real_answers_of_7_workers_become_a_round(storage: Storage) -> None:
    put_real_images(storage, REAL / "pedestrians-7-workers")
    project = make_project(categories=["pedestrian"])
    record = imported(storage, str(REAL / "pedestrians-7-workers"), project=project)
    assert record.images == 727
    assert record.answers == 727 * 7
    assert record.jobs[0].labels_from == "answers"
    assert set(record.counts) <= {"labeled", "negative", "disputed"}


@needs_real
def test_real_chosen_classes_are_refused(storage: Storage) -> None:
    with pytest.raises(
        RoundError, match=r"holds image-classification; project 'pens' is of task bounding-box: only jobs of"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([str(REAL / "bird-classes-5-workers")]))


@needs_real
def test_every_folder_of_real_data_is_imported_or_refused_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    folders = [path.name for path in REAL.iterdir() if path.is_dir()]
    assert len(folders) >= 5
    assert [name for name in folders if f'"{name}"' not in text] == []
