"""JSON is decoded by many threads at once, and what is wrong is refused as msgspec refuses it."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from roundtruth.typed_json import decode_json

# Structs that no thread has decoded yet, decoded by six at once, again and again. With msgspec.json.decode in
# place of decode_json this process ends with a segmentation fault (msgspec 0.22).
RACE = """
import sys, threading, types
from roundtruth.typed_json import decode_json

sys.setswitchinterval(1e-6)
SOURCE = '''
from __future__ import annotations
import msgspec
class Inner(msgspec.Struct):
    x: int
    y: str = ""
class Outer(msgspec.Struct):
    a: tuple[Inner, ...]
    b: Inner | None = None
'''
for number in range(150):
    module = sys.modules[f"structs{number}"] = types.ModuleType(f"structs{number}")
    exec(SOURCE, module.__dict__)
    together, read = threading.Barrier(6), []
    def decode():
        together.wait()
        read.append(decode_json(b'{"a": [{"x": 1}], "b": {"x": 2}}', module.Outer))
    threads = [threading.Thread(target=decode) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(read) == 6 and all(one == read[0] for one in read), read
"""


class Point(msgspec.Struct, frozen=True):
    """Two numbers."""

    x: int
    y: int = 0


def test_threads_decode_a_new_struct_together():
    run = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("data", "kind", "value"),
    [
        pytest.param(b'{"x": 1}', Point, Point(1), id="struct"),
        pytest.param('[{"x": 1}, {"x": 2, "y": 3}]', tuple[Point, ...], (Point(1), Point(2, 3)), id="tuple"),
        pytest.param(msgspec.Raw(b'"pen"'), str, "pen", id="raw"),
    ],
)
def test_values(data, kind, value):
    assert decode_json(data, kind) == value


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"{", msgspec.DecodeError, id="no JSON"),
        pytest.param(b'{"x": "one"}', msgspec.ValidationError, id="another shape"),
    ],
)
def test_what_is_refused(data, error):
    with pytest.raises(error):
        decode_json(data, Point)
