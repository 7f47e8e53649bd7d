"""Parts of a round, worked on one after the other: sums over them, and values of which one is in memory.

A part is some images of a round with all answers about them. What workers are like is estimated over the
whole round, so each step of that passes over all parts and keeps sums; the parts lie in files meanwhile.
"""

from __future__ import annotations

import mmap
import pickle
import weakref
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")


class Keep(Protocol):
    """Holds values, one a part, to be gone through again and again: ``list``, or ``Spill.keep``."""

    def __call__(self, values: Iterable[T], /) -> Collection[T]:
        """The values in their order."""


class Totals:
    """Named sums over parts: numbers or arrays. With one part they are its values, to the last bit."""

    def __init__(self, *summands: dict[str, Any]) -> None:
        self._sums: dict[str, Any] = {}
        for one in summands:
            self.add(**one)

    def add(self, **values: Any) -> None:
        """Add a part's values, all under the same names."""
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def reach(self, **values: float) -> None:
        """Keep the largest value under each name."""
        for name, value in values.items():
            self._sums[name] = max(self._sums.get(name, value), value)

    def hold(self, **values: Any) -> None:
        """Keep values that are the same in every part."""
        self._sums.update(values)

    def __bool__(self) -> bool:
        return bool(self._sums)

    def __getitem__(self, name: str) -> Any:
        return self._sums[name]


class Spill:
    """Keeps values in files of a folder, which its owner removes; the folder must be empty.

    Arrays come back as views of the file, read-only: what is not looked at takes no memory, and what was is
    the system's to take back.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def keep(self, values: Iterable[T], /) -> Collection[T]:
        """Write each value down as it comes, and let it go."""
        paths = []
        for value in values:
            paths.append(self._folder / f"{next(self._numbers)}")
            _write(paths[-1], value)
            del value
        return _Spilled(tuple(paths))


class _Spilled(Collection[T], Generic[T]):
    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths
        weakref.finalize(self, _remove, paths)

    def __iter__(self) -> Iterator[T]:
        for path in self._paths:
            yield _read(path)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, value: object) -> bool:
        return any(value is one for one in self)


def _write(path: Path, value: object) -> None:
    """A pickle with its arrays behind it (PEP 574), so that reading copies nothing."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    contents = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    with path.open("xb") as file:
        file.write(pickle.dumps([len(content) for content in contents]).ljust(_head_size(len(contents))))
        for content in contents:
            file.write(b"\0" * (-file.tell() % 64))
            file.write(content)


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    # Only what this process wrote into its own folder is read here.
    sizes = pickle.loads(view)  # noqa: S301
    start = _head_size(len(sizes))
    contents = []
    for size in sizes:
        start += -start % 64
        contents.append(view[start : start + size])
        start += size
    return pickle.loads(contents[0], buffers=contents[1:])  # noqa: S301


def _head_size(contents: int) -> int:
    return 64 + 16 * contents


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
