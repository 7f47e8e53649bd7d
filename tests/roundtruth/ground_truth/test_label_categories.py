from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.errors import ManifestError
from roundtruth.ground_truth.label_categories import decode_label_categories, encode_label_categories


def test_what_ground_truth_documents() -> None:
    assert encode_label_categories(["pencil", "펜"]).decode() == (
        '{\n  "document-version": "2018-11-28",\n  "labels": [\n'
        '    {\n      "label": "pencil"\n    },\n    {\n      "label": "펜"\n    }\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("data", "names"),
    [
        pytest.param(b'{"document-version":"2018-11-28","labels":[{"label":"a"},{"label":"b"}]}', ("a", "b")),
        pytest.param(b'{"labels":[{"label":"a"}]}', ("a",), id="without a version"),
        pytest.param('{"labels":[{"label":"设备 "}]}'.encode(), ("设备 ",), id="stray space"),
        pytest.param(b'\xef\xbb\xbf{"labels":[{"label":"a"}]}\r\n', ("a",), id="BOM"),
        pytest.param(b'{"labels":[{"label":"a","attributes":[]}],"instructions":{}}', ("a",), id="more keys"),
    ],
)
def test_read(data: bytes, names: tuple[str, ...]) -> None:
    assert decode_label_categories(data, file="data.json") == names


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not a label category config"),
        (b"{", "is not a label category config"),
        (b"[]", "is not a label category config"),
        (b'{"labels":["a"]}', "labels"),
        (b'{"labels":[{"label":1}]}', "labels"),
        (b"{}", "labels"),
        (b'{"labels":[]}', "lists no labels"),
        (b'{"labels":[{"label":"\xff"}]}', "is not a label category config"),
    ],
)
def test_broken(data: bytes, words: str) -> None:
    with pytest.raises(ManifestError, match=r"data.json") as error:
        decode_label_categories(data, file="data.json")
    assert words in str(error.value)


@given(st.lists(st.text(), min_size=1).map(tuple))
def test_what_is_written_is_read(names: tuple[str, ...]) -> None:
    assert decode_label_categories(encode_label_categories(names), file="x") == names
