"""Convert output manifests of one or several jobs into a dataset on this machine."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.class_lists import ClassList, class_list
from roundtruth.datasets.conversion_folder import (
    MADE_BY,
    ConversionReport,
    Table,
    prepare,
    write_csv,
    write_report,
)
from roundtruth.datasets.conversion_part import OtherLine, PartToWrite, PartWriter, WrittenPart
from roundtruth.datasets.local_images import LocalImages
from roundtruth.datasets.manifest_labels import (
    Choice,
    ConversionProblem,
    Survey,
    choose_lines,
    problem_counts,
    source_refs,
    survey,
)
from roundtruth.datasets.manifest_parts import cut_manifests
from roundtruth.datasets.splits import split_evenly
from roundtruth.datasets.tree import TreeMaker
from roundtruth.errors import DatasetError
from roundtruth.ground_truth.label_categories import decode_label_categories
from roundtruth.parallel import run_in_processes
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    from roundtruth.datasets.version_writer import Progress  # loads pandas, which no conversion needs

IMAGES_COLUMNS = ("source_ref", "file", "split", "width", "height", "orientation", "boxes", "status")
PROBLEMS_COLUMNS = ("kind", "file", "line", "source_ref", "reason")
# Formats whose files are one image's each; those of all images are collected in one process.
OF_AN_IMAGE = {"yolo", "voc"}


@dataclass(frozen=True, kw_only=True)
class ConversionSettings:
    """What to convert and how; ``splits`` are shares that add up to 1."""

    manifests: tuple[str, ...]  # local paths or s3:// URIs
    formats: tuple[str, ...] = ("yolo",)
    label_categories: tuple[str, ...] = ()
    label_attribute: str | None = None
    images: Path | None = None
    link: bool = False  # hard-link the images; else they are copied
    splits: tuple[tuple[str, float], ...] = (("train", 0.8), ("val", 0.2))
    processes: int = 1  # side by side; the output is the same


def convert_manifests(
    storage: Storage, settings: ConversionSettings, out: Path, progress: Progress | None = None
) -> ConversionReport:
    """Write a dataset from output manifests; the same manifests give the same bytes.

    The manifests are decoded once, part by part, into columns in a scratch folder (some 50 bytes a box):
    class maps and which lines count take all of them to know, then each part's files are written.

    :param out: a new or empty folder, or one that an earlier conversion made: that output is replaced.
    :raises CategoryError: when the jobs' categories conflict, or one is in none of the label category files.
    :raises DatasetError: when no line holds a box label, or ``out`` holds something else.
    :raises StorageError: when a manifest is not there.
    """
    manifests = tuple(ObjectUri.parse(text) for text in settings.manifests)
    files = {
        text: decode_label_categories(storage.read(ObjectUri.parse(text)), file=text)
        for text in settings.label_categories
    }
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roundtruth-")))
        run = partial(run_in_processes, processes=settings.processes)
        parts = cut_manifests(storage, manifests, scratch)
        found = survey(parts, settings.label_attribute, list(files.values()), run)
        classes = class_list(found.class_maps, files)
        choice = choose_lines(found, classes.merged, [str(one) for one in manifests])
        if not len(choice.digests):
            raise DatasetError(_nothing(found.problems))
        prepare(out)
        local = LocalImages(settings.images, source_refs(found, choice)) if settings.images else None
        ratios = {name: ratio for name, ratio in settings.splits if ratio > 0}
        writer = PartWriter(out, classes, tuple(ratios), settings.formats, local, link=settings.link)
        stack.callback(writer.close)
        tasks = _tasks(found, choice, split_evenly(len(choice.digests), ratios))
        apart = run if OF_AN_IMAGE.issuperset(settings.formats) else map
        written = _shown(apart(writer.write, tasks), progress, len(choice.digests))
        return _finish(out, settings, classes, found, writer, written)


def _tasks(found: Survey, choice: Choice, split_of_image: NDArray[np.intp]) -> Iterator[PartToWrite]:
    """What to write with each part; an image with several lines is written with the last of them."""
    several: dict[int, dict[int, tuple[tuple[OtherLine, ...], int]]] = {}
    for of_image in choice.several:
        newest = max(range(len(of_image)), key=lambda number: of_image[number][1].created)
        lines = []
        for line_place, line in of_image:
            own_part = bisect_right(found.ends, line_place)
            row = line_place - found.start(own_part)
            lines.append(OtherLine(found.parts[own_part], row, line.job))
        several.setdefault(own_part, {})[row] = (tuple(lines), newest)
    for place, part in enumerate(found.parts):
        own = slice(found.start(place), found.ends[place])
        yield PartToWrite(
            part=part,
            kept=choice.written[own],
            splits=split_of_image[choice.image[own]],
            several=several.get(place, {}),
        )


def _shown(written: Iterable[WrittenPart], progress: Progress | None, total: int) -> Iterator[WrittenPart]:
    done = 0
    for one in written:
        done += one.images
        if progress is not None:
            progress(done, total)
        yield one


def _finish(
    out: Path,
    settings: ConversionSettings,
    classes: ClassList,
    found: Survey,
    writer: PartWriter,
    written: Iterable[WrittenPart],
) -> ConversionReport:
    """Write what covers all images, then the report."""
    total = WrittenPart(repairs=Counter(clipped=0, outside=0, duplicates=0))
    with Table(out / "images.csv", IMAGES_COLUMNS) as table:
        for one in written:
            table.write(one.rows)
            total.add(one)
    maker = TreeMaker(classes.names, settings.formats)
    others = writer.others.split_files() if writer.others is not None else ()
    for made in [*others, *maker.data_yaml(total.splits)]:
        target = out / made.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(made.data)
    problems = [*found.problems, *total.problems]
    write_csv(
        out / "problems.csv",
        PROBLEMS_COLUMNS,
        ((one.kind, one.file, one.line, one.source_ref, one.reason) for one in problems),
    )
    names = classes.names
    report = ConversionReport(
        made_by=MADE_BY,
        complete=True,
        images=total.images,
        negatives=total.negatives,
        boxes=total.boxes_by_class.total(),
        classes=dict(enumerate(names)),
        boxes_by_class={name: total.boxes_by_class[place] for place, name in enumerate(names)},
        unseen_classes=classes.unseen,
        normalised_names=dict(classes.merged.normalised),
        jobs={job: dict(sorted(found.class_maps[job].items())) for job in sorted(found.class_maps)},
        splits=dict(sorted(total.splits.items())),
        problems=problem_counts(problems),
        repairs=dict(total.repairs),
        parameters=_parameters(settings),
    )
    write_report(out, report)
    return report


def _parameters(settings: ConversionSettings) -> dict[str, Any]:
    return {
        "manifests": list(settings.manifests),
        "formats": list(settings.formats),
        "label_categories": list(settings.label_categories),
        "label_attribute": settings.label_attribute,
        "images": str(settings.images) if settings.images else None,
        "link": settings.link,
        "splits": dict(settings.splits),
    }


def _nothing(problems: list[ConversionProblem]) -> str:
    kinds = Counter(problem.kind for problem in problems)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no lines"
    first = f"; the first: {problems[0].file}:{problems[0].line} {problems[0].reason}" if problems else ""
    return f"The manifests hold no usable box label: {counted}{first}."
