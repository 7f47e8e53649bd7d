"""The step that reads every image of a round once; its facts lie beside the round's other tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pandas as pd

from roundtruth.project import Project
from roundtruth.quality.image_facts import facts_of, inspect_images, read_facts
from roundtruth.rounds.folder import RoundFolder, round_folder, rounds_folder, rounds_in_order
from roundtruth.rounds.names import round_order
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

FACTS = "image_facts.parquet"


def data_docs_uri(project: Project, round_key: str) -> str:
    """Where the Data Docs of a round open; there after its check, passed or not."""
    return str(round_folder(project, round_key).data_docs / "index.html")


def inspect(storage: Storage, project: Project, round_key: str) -> dict[str, int]:
    """Read and decode the images of a round; those that an earlier call read are not read again.

    :returns: how many ``images`` there are, and how many of them are ``unreadable`` or ``gone``.
    :raises RoundError: when the round is not planned.
    """
    facts = inspected_images(storage, round_folder(project, round_key))
    counts = {
        "images": len(facts),
        "unreadable": int((facts["unreadable"] != "").sum()),
        "gone": int(facts["gone"].sum()),
    }
    log.info("inspected the images of round %s: %s", round_key, counts)
    return counts


def inspected_images(storage: Storage, folder: RoundFolder) -> pd.DataFrame:
    """The facts (image_facts.IMAGE_FACTS) of a round's images whose headers could be read."""
    planned = read_planned_images(storage, folder, require_plan(storage, folder))
    return inspect_images(storage, planned[planned["unreadable"] == ""], folder.stage(FACTS))


def facts_before(storage: Storage, project: Project, round_key: str) -> pd.DataFrame:
    """The facts of all rounds whose keys come before this one's.

    Not of the last version: a round that is checked again after its release must come out the same.
    """
    keys = (folder.key for folder in rounds_in_order(storage, project))
    return facts_of_rounds(
        storage, project, (key for key in keys if round_order(key) < round_order(round_key))
    )


def facts_of_rounds(storage: Storage, project: Project, rounds: Iterable[str]) -> pd.DataFrame:
    """The facts of several rounds as one table; rounds that were not inspected have none."""
    uris = [RoundFolder(rounds_folder(project) / key).stage(FACTS) for key in sorted(rounds, key=round_order)]
    found = storage.run_many(lambda uri: read_facts(storage, uri), uris)
    return facts_of(facts for facts in found if facts is not None)
