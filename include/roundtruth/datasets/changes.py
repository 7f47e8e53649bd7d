"""What changed between two versions of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pandas as pd

_PLACE = ["class_id", "left", "top", "width", "height"]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """changes.json: images by source_ref, sorted; an image stands in one list only, the first that fits."""

    parent: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]  # another image under the same key
    relabeled: tuple[str, ...]  # other boxes, or other classes on them
    boxes_added: int
    boxes_removed: int
    classes_added: tuple[str, ...]

    def to_json(self) -> bytes:
        """The same changes give the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def compare(
    old: tuple[pd.DataFrame, pd.DataFrame],
    new: tuple[pd.DataFrame, pd.DataFrame],
    *,
    parent: str | None,
    classes_added: tuple[str, ...],
) -> Changes:
    """Compare (DATASET_IMAGES, DATASET_LABELS) of two versions; a moved box is one removed and one added."""
    old_images, new_images = _etags(old[0]), _etags(new[0])
    old_boxes, new_boxes = _boxes(old[1]), _boxes(new[1])
    both = old_images.keys() & new_images.keys()
    replaced = {ref for ref in both if old_images[ref] != new_images[ref]}
    relabeled = {ref for ref in both - replaced if old_boxes.get(ref) != new_boxes.get(ref)}
    return Changes(
        parent=parent,
        added=tuple(sorted(new_images.keys() - old_images.keys())),
        removed=tuple(sorted(old_images.keys() - new_images.keys())),
        replaced=tuple(sorted(replaced)),
        relabeled=tuple(sorted(relabeled)),
        boxes_added=_only_in_first(new_boxes, old_boxes),
        boxes_removed=_only_in_first(old_boxes, new_boxes),
        classes_added=classes_added,
    )


def _etags(images: pd.DataFrame) -> dict[str, str]:
    return dict(zip(images["source_ref"], images["etag"], strict=True))


def _boxes(labels: pd.DataFrame) -> dict[str, frozenset[tuple[float, ...]]]:
    """Boxes are unique an image (boxes.clean_boxes), so sets lose none."""
    boxes: dict[str, set[tuple[float, ...]]] = {}
    columns = (labels[name].tolist() for name in _PLACE)
    for source_ref, *place in zip(labels["source_ref"], *columns, strict=True):
        boxes.setdefault(source_ref, set()).add(tuple(place))
    return {source_ref: frozenset(places) for source_ref, places in boxes.items()}


def _only_in_first(
    first: Mapping[str, frozenset[tuple[float, ...]]], second: Mapping[str, frozenset[tuple[float, ...]]]
) -> int:
    return sum(len(boxes - second.get(ref, frozenset())) for ref, boxes in first.items())
