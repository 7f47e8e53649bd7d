"""What Arrow's threads may hold while the process ends."""

from __future__ import annotations

import weakref

import pytest

from roundtruth.arrow_memory import arrow_file


class Watched(bytearray):
    """Bytes that a weak reference may point to."""


@pytest.mark.parametrize("content", [b"", b"PAR1", bytes(range(256)) * 40], ids=["none", "a few", "many"])
def test_the_file_has_the_bytes_and_holds_nothing_of_python_s(content):
    data = Watched(content)
    held = weakref.ref(data)
    file = arrow_file(data)
    del data
    assert held() is None
    assert (file.size(), file.read()) == (len(content), content)
