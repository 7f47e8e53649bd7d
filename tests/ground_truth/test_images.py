"""Which objects count as new images, and when enough of them have stopped arriving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.airflow
T0 = datetime(2026, 11, 16, 6, tzinfo=UTC)


def stored(key: str, minutes: float = 0, etag: str = '"e"', size: int = 10):
    return {"Key": key, "LastModified": T0 + timedelta(minutes=minutes), "ETag": etag, "Size": size}


def look(objects, known=frozenset(), **expected):
    from ground_truth.images import Expectation, Tally

    tally = Tally(Expectation(**expected), known)
    for entry in objects:  # a page each
        tally.add([entry])
    return tally.look()


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        ("images/1.jpg", True),
        ("images/1.JPEG", True),
        ("images/a b/펜#1%.Png", True),
        ("images/", False),
        ("images/1.jpg.tmp", False),
        ("images/jpg", False),
        ("images/.truth/1.json", False),
        ("images/tab\t.jpg", False),
        ("images/line\n.jpg", False),
    ],
)
def test_suffixes(key, counts):
    assert look([stored(key)]).images == int(counts)


@pytest.mark.parametrize(
    ("minutes", "counts"), [(-1, False), (0, False), (0.5, True), (10, True), (11, False)]
)
def test_window_is_open_at_its_start_and_closed_at_its_end(minutes, counts):
    seen = look([stored("1.jpg", minutes)], modified_after=T0, modified_until=T0 + timedelta(minutes=10))
    assert seen.images == int(counts)


def test_known_images_do_not_count_unless_replaced():
    from ground_truth.images import read_known_images

    known = read_known_images("e\ta b/펜.jpg\r\ne\t2.jpg\n\n".encode(), name="k")
    objects = [stored("a b/펜.jpg"), stored("2.jpg", etag='"new"'), stored("3.jpg")]
    assert look(objects, known).images == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"e 1.jpg\n", "k, line 1: expected etag<TAB>key"),
        (b"e\t1.jpg\ne\t\n", "line 2"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_broken_list_of_known_images(content, message):
    from ground_truth.exceptions import GroundTruthError
    from ground_truth.images import read_known_images

    with pytest.raises(GroundTruthError, match=message):
        read_known_images(content, name="k")


def test_look_says_what_it_saw():
    seen = look([stored("1.jpg", 1), stored("2.jpg", 3), stored("3.jpg", 9, size=0), stored("x.txt")])
    assert (seen.images, seen.empty, seen.newest) == (2, 1, T0 + timedelta(minutes=3))
    assert str(seen) == "2 new images (1 more are empty), the newest of 2026-11-16 06:03:00+0000"
    assert str(look([])) == "0 new images"


@pytest.mark.parametrize(
    "other",
    [
        [stored("1.jpg"), stored("2.jpg")],
        [stored("1.jpg", etag='"f"')],
        [stored("1.jpg", 1)],
        [stored("2.jpg")],
        [],
    ],
)
def test_digest_tells_looks_apart(other):
    assert look([stored("1.jpg")]).digest == look([stored("1.jpg"), stored("x.txt")]).digest
    assert look([stored("1.jpg")]).digest != look(other).digest


@pytest.mark.parametrize(
    ("minimum", "previous", "later", "until", "met"),
    [
        pytest.param(2, "same", 6, None, True, id="enough, settled, two looks the same"),
        pytest.param(2, None, 6, None, False, id="first look"),
        pytest.param(2, "other", 6, None, False, id="looks differ"),
        pytest.param(2, "same", 4, None, False, id="newest is too fresh"),
        pytest.param(3, "same", 6, None, False, id="too few"),
        pytest.param(2, None, 16, 10, True, id="closed: one look is enough"),
        pytest.param(2, None, 14, 10, False, id="closed a moment ago: still settling"),
        pytest.param(3, "same", 600, 10, False, id="closed with too few"),
        pytest.param(0, "same", 6, None, True, id="none needed"),
    ],
)
def test_met(minimum, previous, later, until, met):
    from ground_truth.images import Expectation

    objects = [stored("1.jpg"), stored("2.jpg", 1)]
    expectation = Expectation(
        minimum_images=minimum,
        settle_seconds=300,
        modified_until=None if until is None else T0 + timedelta(minutes=until),
    )
    before = {"same": look(objects), "other": look(objects[:1]), None: None}[previous]
    assert expectation.met(look(objects), before, T0 + timedelta(minutes=later)) is met
