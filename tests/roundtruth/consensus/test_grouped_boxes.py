"""Boxes in groups, worked on in pieces of whole tasks."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus import grouped_boxes as module
from roundtruth.consensus.answer_columns import AnswerColumns, answer_columns
from roundtruth.consensus.fused import FusedRound, fuse_boxes
from roundtruth.consensus.grouped_boxes import GroupedBoxes, grouped_boxes, medians, opinions
from roundtruth.consensus.majority import match_usable
from tests.roundtruth.consensus.test_parts import tables


def columns_and_boxes() -> tuple[AnswerColumns, GroupedBoxes]:
    columns = answer_columns(tables()[0])
    return columns, grouped_boxes(columns, match_usable(columns, 0.4, 3.0))


@pytest.mark.parametrize("at_once", [1, 7, 64, 4096], ids="{} boxes at once".format)
def test_pieces_are_all_boxes_of_whole_tasks_in_order(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    _, boxes = columns_and_boxes()
    rows, groups, tasks = 0, 0, -1
    for piece, of_boxes, of_groups in boxes.pieces():
        assert (of_boxes.start, of_groups.start) == (rows, groups)
        rows, groups = of_boxes.stop, of_groups.stop
        assert piece.task.min() > tasks, "no task is cut"
        tasks = int(piece.task.max())
        assert np.bincount(piece.group, minlength=piece.groups).tolist() == piece.votes.tolist()
        assert (piece.edges == boxes.edges[of_boxes]).all()
        assert (piece.group + of_groups.start == boxes.group[of_boxes]).all()
    assert (rows, groups) == (len(boxes.group), boxes.groups)


@pytest.mark.parametrize("at_once", [1, 7, 4096], ids="{} boxes at once".format)
def test_pieces_of_opinions_sum_to_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    whole = opinions(*columns_and_boxes())
    votes = [piece.sum(piece.drew) for piece, _ in whole.pieces()]
    assert np.concatenate(votes).tolist() == np.add.reduceat(whole.drew, whole.starts).tolist()
    spans = [groups for _, groups in whole.pieces()]
    assert [one.start for one in spans] == [0, *(one.stop for one in spans)][:-1]


def test_nothing_is_one_empty_piece() -> None:
    columns = answer_columns(tables()[0].iloc[:0])
    boxes = grouped_boxes(columns, match_usable(columns, 0.4, 3.0))
    assert len(list(boxes.pieces())) == len(list(opinions(columns, boxes).pieces())) == 1


def test_a_round_in_pieces_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, _ = columns_and_boxes()
    whole = fuse_boxes(columns, min_iou=0.4)
    monkeypatch.setattr(module, "AT_ONCE", 16)
    pieces: FusedRound = fuse_boxes(columns, min_iou=0.4)
    # Sums over pieces are added in another order: that is all that may differ.
    np.testing.assert_allclose(pieces.groups.edges, whole.groups.edges, rtol=0, atol=1e-9)
    np.testing.assert_allclose(pieces.real, whole.real, rtol=0, atol=1e-9)
    assert (pieces.groups.accepted == whole.groups.accepted).all()
    assert (pieces.groups.category == whole.groups.category).all()


def test_medians_are_those_of_numpy_whatever_the_order_of_the_boxes() -> None:
    chance = np.random.default_rng(3)
    group = chance.integers(0, 30, 200)
    edges = chance.integers(0, 9, (200, 4)) * 1.5
    votes = np.bincount(group, minlength=32)
    found = medians(group, edges, votes)
    for number in range(32):
        own = edges[group == number]
        assert found[number].tolist() == (np.median(own, axis=0).tolist() if len(own) else [0.0] * 4)
