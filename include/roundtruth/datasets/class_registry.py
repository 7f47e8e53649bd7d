"""classes.json: a dataset's append-only list of classes; an id, once given, is never changed or reused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from roundtruth.errors import CategoryError, StorageError
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

ATTEMPTS = 20  # other releases that may append between our read and our write


@dataclass(frozen=True, kw_only=True)
class ClassRegistry:
    """All classes ever published under a dataset's name; the id is the place in ``names``."""

    names: tuple[str, ...] = ()

    @property
    def ids(self) -> dict[str, int]:
        """Class name -> id."""
        return {name: class_id for class_id, name in enumerate(self.names)}

    def with_names(self, names: Sequence[str]) -> ClassRegistry:
        """The registry with new names appended in their order.

        :raises CategoryError: when a new name differs from another one only by case.
        """
        known = {name.casefold(): name for name in self.names}
        appended = list(self.names)
        for name in names:
            first = known.setdefault(name.casefold(), name)
            if first != name:
                raise CategoryError(
                    f"Class {name!r} differs only by case from class {first!r} of the registry; "
                    f"use {first!r}, or make {name!r} an alias of it."
                )
            if name not in appended:
                appended.append(name)
        return ClassRegistry(names=tuple(appended))


class _Document(msgspec.Struct, frozen=True):
    names: dict[int, str]


def load_registry(storage: Storage, uri: ObjectUri) -> ClassRegistry:
    """The registry at this URI; an empty one where there is none yet.

    :raises CategoryError: when the file is no registry, or its ids have gaps.
    """
    content = storage.read_if_there(uri)
    return _decode(content.data, uri) if content else ClassRegistry()


def register_classes(storage: Storage, uri: ObjectUri, names: Sequence[str]) -> ClassRegistry:
    """Append the names that are not there yet, by a conditional write that is tried again when another wins.

    :raises CategoryError: when names conflict.
    :raises StorageError: when others keep writing at the same time.
    """
    for _ in range(ATTEMPTS):
        content = storage.read_if_there(uri)
        registry = _decode(content.data, uri) if content else ClassRegistry()
        extended = registry.with_names(names)
        if content is not None and extended == registry:
            return registry
        data = _encode(extended)
        if content is None:
            written = storage.write_if_absent(uri, data)
        else:
            written = storage.write_if_unchanged(uri, data, content.etag)
        if written:
            return extended
    raise StorageError(f"{uri} was changed by others {ATTEMPTS} times in a row; run this step again.")


def _encode(registry: ClassRegistry) -> bytes:
    document = _Document(names=dict(enumerate(registry.names)))
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _decode(data: bytes, uri: ObjectUri) -> ClassRegistry:
    try:
        names = decode_json(data, _Document).names
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CategoryError(f"{uri} is not a class registry: {error}.") from error
    if sorted(names) != list(range(len(names))):
        raise CategoryError(f"{uri} has ids with gaps ({sorted(names)}); restore it from an earlier state.")
    return ClassRegistry(names=tuple(names[class_id] for class_id in range(len(names))))
