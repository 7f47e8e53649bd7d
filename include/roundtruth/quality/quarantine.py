"""Keep images that fail critical checks out of the dataset, each with its reason; nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.annotations import PUBLISHABLE, QUARANTINED, STATUSES, UNREADABLE
from roundtruth.quality.membership import is_among


def quarantine(
    images: pd.DataFrame, faults: Mapping[str, Mapping[str, int]]
) -> tuple[pd.DataFrame, frozenset[str]]:
    """Images after quarantine, as they came when there is no fault; and those whose labels leave.

    :param faults: a source_ref to the checks it fails, with how many rows; see :func:`find_faults`. Images
        that would not be published anyway keep their status: they are carried to the next round as it is.
    """
    hit = is_among(images["source_ref"], faults) & is_among(images["status"], PUBLISHABLE)
    if not hit.any():
        return images, frozenset()
    images = images.copy()
    names = images.loc[hit, "source_ref"]
    images.loc[hit, "status"] = QUARANTINED
    images.loc[hit, "reason"] = [_reason(faults[name]) for name in names]
    return images, frozenset(names)


def mark_unreadable(images: pd.DataFrame, facts: pd.DataFrame) -> tuple[pd.DataFrame, frozenset[str]]:
    """Give images whose pixels cannot be decoded status UNREADABLE and the reason; also whose labels leave.

    Unlike quarantined ones they are settled: only another upload, a new image, can help.

    :param facts: source_ref and unreadable (the reason, empty where there is none); see image_facts.py.
    """
    reasons = facts.loc[facts["unreadable"] != ""].set_index("source_ref")["unreadable"]
    hit = is_among(images["source_ref"], reasons.index) & (images["status"] != UNREADABLE).to_numpy()
    if not hit.any():
        return images, frozenset()
    images = images.copy()
    images.loc[hit, "reason"] = images.loc[hit, "source_ref"].map(reasons)
    images.loc[hit, "status"] = UNREADABLE
    return images, frozenset(reasons.index)


def find_faults(failures: Mapping[str, tuple[pd.Series, NDArray[np.bool_]]]) -> dict[str, dict[str, int]]:
    """Which images fail which checks on how many rows, from each check's source_ref and bool a row."""
    faults: dict[str, dict[str, int]] = {}
    for check, (source_refs, failing) in failures.items():
        # As texts: of a categorical column pandas would count all its categories.
        for source_ref, rows in source_refs[failing].astype("str").value_counts(sort=False).items():
            faults.setdefault(str(source_ref), {})[check] = int(rows)
    return faults


def count_images(images: pd.DataFrame, *, planned: int) -> dict[str, int]:
    """The sum that must come out, planned = published + quarantined + carried_over + unreadable; by status.

    Carried over are those without a label that the next round takes again; unreadable ones are settled.
    """
    by_status = images["status"].value_counts()
    counts = {status: int(by_status.get(status, 0)) for status in STATUSES}
    published = sum(counts[status] for status in PUBLISHABLE)
    carried_over = sum(counts.values()) - published - counts[QUARANTINED] - counts[UNREADABLE]
    return {"planned": planned, "published": published, "carried_over": carried_over, **counts}


def _reason(checks: Mapping[str, int]) -> str:
    return "; ".join(f"{check} ({rows} row{'s' if rows > 1 else ''})" for check, rows in checks.items())
