from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.categories import merge_category_maps, normalise_category
from roundtruth.errors import CategoryError


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        pytest.param("pen", "pen", id="clean"),
        pytest.param("设备 ", "设备", id="trailing space, seen in a real job"),
        pytest.param("\tfountain\u00a0 pen\n", "fountain pen", id="white space of all kinds is one space"),
        pytest.param("pe\u200bn\ufeff", "pen", id="zero-width space and BOM"),
        pytest.param("cafe\u0301", "café", id="decomposed"),
        pytest.param("cafe\u200b\u0301", "café", id="zero-width space before the accent"),
        pytest.param("\u1100\u200d\u1161", "가", id="zero-width joiner between two jamo"),
        pytest.param(unicodedata.normalize("NFD", "연필"), "연필", id="decomposed Hangul"),
    ],
)
def test_normalise(raw: str, clean: str) -> None:
    assert normalise_category(raw) == clean


# Letters and marks that compose, with what is stripped between them; text() rarely brings them together.
COMPOSING = st.text("eEaco \u0301\u0308\u0327\u200b\u200d\ufeff\u00a0\t\u1100\u1161\u11a8\u0915\u093c\u212b")


@given(st.text() | COMPOSING)
def test_normalising_twice_changes_nothing(raw: str) -> None:
    once = normalise_category(raw)
    assert normalise_category(once) == once == unicodedata.normalize("NFC", once)


def test_same_names_at_different_ids_with_gaps_spaces_and_aliases() -> None:
    merge = merge_category_maps(
        {"a": ["pencil", "pen "], "b": {7: "biro", 3: "pencil"}},
        listed=["pencil", "pen"],
        aliases={"biro": "pen"},
    )
    assert merge.ids == {"a": {0: "pencil", 1: "pen"}, "b": {3: "pencil", 7: "pen"}}
    assert merge.merged == ("pencil", "pen")
    assert merge.normalised == (("pen ", "pen"),)
    assert merge.name_of("a", "pen ") == merge.name_of("a", "pen") == merge.name_of("b", 7) == "pen"


def test_without_a_list_the_order_is_that_of_appearance() -> None:
    assert merge_category_maps({"a": ["x", "y"], "b": ["z", "x"]}).merged == ("x", "y", "z")


@pytest.mark.parametrize(
    ("maps", "listed", "words"),
    [
        pytest.param({"a": ["Pen"], "b": ["pen"]}, None, ["'Pen'", "'a'", "'b'"], id="case, two jobs"),
        pytest.param({"a": ["Pen"]}, ["pen"], ["'Pen'", "the project"], id="case, job and project"),
        pytest.param({"a": ["pen", "crayon"]}, ["pen"], ["'crayon'", "'a'"], id="not listed"),
        pytest.param({"a": ["\u200b "]}, None, ["'a'", "no visible name"], id="invisible name"),
    ],
)
def test_conflicts_name_the_jobs(
    maps: dict[str, list[str]], listed: list[str] | None, words: list[str]
) -> None:
    with pytest.raises(CategoryError) as error:
        merge_category_maps(maps, listed=listed)
    assert all(word in str(error.value) for word in words)


def test_an_unknown_category_of_a_job_is_named() -> None:
    merge = merge_category_maps({"a": ["pen"]})
    with pytest.raises(CategoryError, match="'a' has no category 'crayon'"):
        merge.name_of("a", "crayon")
