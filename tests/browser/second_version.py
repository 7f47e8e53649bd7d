"""A second round and version without Airflow's minutes: new photos, some sent back to be labeled again."""

from __future__ import annotations

from demo.main_job import MainJob
from demo.uploads import upload_samples
from roundtruth.annotations import IMAGES, PUBLISHABLE, from_parquet
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.sent_back import SentBack, write_sent_back
from roundtruth.stages import dataset_release
from roundtruth.stages.round_thumbnails import make_thumbnails
from roundtruth.storage import ObjectUri
from tests.round_runs import finish_without_checks, run_until_merged

FIRST_ROUND, SECOND_ROUND = "demo-1", "demo-2"
NEW_PHOTOS = 6
SENT_BACK = 8  # some of them are disputed again: the workers are mixed


def label_second_round(job: MainJob, round_key: str = SECOND_ROUND) -> None:
    """Label and record a round over new photos and some of the first round's, and publish v0002.

    The steps of the Dag, on the stack's own sandbox. A person has sent some images back, as after a look at
    the release, and one photo was deleted.
    """
    storage, project = job.storage, job.project
    folder = round_folder(project, FIRST_ROUND)
    images = from_parquet(storage.read(folder.images), IMAGES, name=str(folder.images))
    images = images[images["status"].isin(PUBLISHABLE)]
    labeled = list(zip(images["source_ref"], images["etag"], strict=True))
    sent = SentBack(candidate="by-hand", rounds=(FIRST_ROUND,), images=tuple(labeled[:SENT_BACK]))
    write_sent_back(storage, project, sent)
    upload_samples(storage, project, len(_photos(job)) + NEW_PHOTOS)
    storage.delete(ObjectUri.parse(labeled[-1][0]))
    run_until_merged(storage, job.sagemaker, project, round_key)
    finish_without_checks(storage, project, round_key)
    make_thumbnails(storage, project, round_key)
    candidate = dataset_release.assemble(storage, project)
    assert candidate is not None, "the second round changes nothing"
    dataset_release.publish(storage, project, candidate)


def _photos(job: MainJob) -> list[str]:
    keys = (stored.uri.key for stored in job.storage.list_objects(job.project.images_uri))
    return sorted(key for key in keys if key.endswith((".jpg", ".png")))
