"""Errors travel between processes with their state, and say what to do."""

from __future__ import annotations

import pickle

import pytest

pytestmark = pytest.mark.airflow


def test_errors_with_state_survive_pickling():
    from ground_truth.exceptions import (
        LabelingJobConflictError,
        LabelingJobFailedError,
        LabelingJobStalledError,
    )

    conflict = LabelingJobConflictError("pens-1", ["RoleArn: 1 / 2", "Tags[a]: 3 / 4"])
    failed = LabelingJobFailedError("pens-1", "Failed", "no access")
    stalled = LabelingJobStalledError("pens-1 stands still", {"counters": {"Unlabeled": 2}})
    for error in (conflict, failed, stalled):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    assert "RoleArn: 1 / 2\n" in str(conflict)
    assert "'pens-1' is Failed: no access." in str(failed)
    assert "new name" in str(failed)
