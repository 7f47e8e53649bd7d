"""The difference of two versions in lines for people."""

from __future__ import annotations

from roundtruth.datasets.diff import BoxChange, VersionDiff

SHOWN_LINES = 20


def diff_lines(found: VersionDiff) -> list[str]:
    """Every difference in a line of its own; of long lists the first ``SHOWN_LINES``, and how many more."""
    lines = [f"{found.dataset}: {found.old} → {found.new}"]
    named = {f"{name}": count for name, count in found.counts.items()}
    named |= {f"boxes of {name}": count for name, count in found.classes.items()}
    named |= {f"images in {name}": count for name, count in found.splits.items()}
    lines += [
        f"  {name}: {count.old} → {count.new} ({count.new - count.old:+d})"
        for name, count in named.items()
        if count.old != count.new
    ]
    if found.classes_added:
        lines.append(f"  new classes: {', '.join(found.classes_added)}")
    for what, refs in (("added", found.added), ("removed", found.removed), ("replaced", found.replaced)):
        lines += _shortened(f"{len(refs)} images {what}", list(refs))
    relabeled = [
        line
        for one in found.relabeled
        for line in (one.source_ref, *(f"  {box_line(change)}" for change in one.boxes))
    ]
    lines += _shortened(f"{len(found.relabeled)} images relabeled", relabeled)
    moves = [f"{one.source_ref}: {one.old} → {one.new}" for one in found.moved]
    lines += _shortened(f"{len(found.moved)} images in another split", moves)
    return lines if len(lines) > 1 else [*lines, "  nothing that trainers get has changed"]


def box_line(change: BoxChange) -> str:
    """What became of a box: classes, and left, top, width, height in pixels of the stored image."""
    places = [
        f"{name} {', '.join(f'{edge:g}' for edge in place)}"
        for name, place in ((change.old_class, change.old), (change.new_class, change.new))
        if place is not None
    ]
    overlap = f" (IoU {change.iou:.2f})" if change.iou is not None else ""
    return f"{change.change}: {' → '.join(places)}{overlap}"


def _shortened(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = (
        [f"    … {len(lines) - SHOWN_LINES} more lines (--json has all)"] if len(lines) > SHOWN_LINES else []
    )
    return [f"  {title}", *(f"    {line}" for line in lines[:SHOWN_LINES]), *more]
