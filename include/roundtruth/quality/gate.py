"""The gate of a round: check its tables, quarantine what fails, and say whether the release may go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from roundtruth.annotations import IMAGES, LABELS, PUBLISHABLE, QUARANTINED
from roundtruth.quality import checks
from roundtruth.quality.copies import content_measures, content_of
from roundtruth.quality.judging import judged
from roundtruth.quality.label_pieces import LabelPieces, measure_labels, settled_labels
from roundtruth.quality.measures import category_measures, column_measures, image_measures
from roundtruth.quality.membership import is_among
from roundtruth.quality.quarantine import count_images, find_faults, mark_unreadable, quarantine
from roundtruth.quality.suites import Suite
from roundtruth.quality.verdict import Verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class QualityResult:
    """A round's tables after quarantine, and the verdict; see `Verdict.require_passed` for stopping.

    ``pieces`` read the labels that came in once more, and give what stays of them.
    ``unnamed``: all images of the checks that failed on more than the verdict names, by table and check.
    """

    pieces: LabelPieces
    images: pd.DataFrame
    verdict: Verdict
    unnamed: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    @property
    def labels(self) -> pd.DataFrame:
        """All of them in one table."""
        return pd.concat(list(self.pieces()), ignore_index=True)


def check_round(
    *,
    labels: pd.DataFrame | LabelPieces,
    images: pd.DataFrame,
    planned: int,
    settings: Quality,
    categories: Sequence[str],
    drawn_sizes: pd.DataFrame | None = None,
    facts: pd.DataFrame | None = None,
    known: pd.DataFrame | None = None,
    also: Sequence[Suite] = (),
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> QualityResult:
    """Check a round's labels and images (annotations.LABELS, annotations.IMAGES).

    Labels that come in pieces are never in memory together; the first piece tells their columns.

    Boxes that stick out of their image by no more than ``settings.clip_tolerance`` are clipped and counted.
    Images that fail a critical check on their rows get status QUARANTINED with the reason, and their labels
    leave; critical failures of the round itself make ``verdict.passed`` false. Labels of images that are not
    published (disputed ones) are kept and not judged. The tables that came in are not changed.

    :param planned: images in the round's plan; the images table must hold exactly these.
    :param categories: the project's categories, to which all labels must have been mapped.
    :param drawn_sizes: source_ref, width, height as Ground Truth reports them, to compare with those stored.
    :param facts: what the images' bytes tell (image_facts.IMAGE_FACTS); images whose pixels cannot be decoded
        become UNREADABLE and lose their labels. ``known``: the same of earlier rounds, to find copies of.
    :param also: suites over other tables, judged and shown with these.
    :param docs_uri: where Data Docs are written (index.html at its top), through ``storage``.
    :raises QualityError: when a check cannot be evaluated at all.
    """
    pieces = (lambda: [labels]) if isinstance(labels, pd.DataFrame) else labels
    images = images.reset_index(drop=True)
    columns = _columns_suite(next(iter(pieces())), images)
    if not columns.frame["fits"].all():
        # Nothing else can be measured; the verdict blocks on the columns.
        blocked = judged([columns], settings, docs_uri=docs_uri, storage=storage, counts={"planned": planned})
        return QualityResult(pieces=pieces, images=images, verdict=blocked.verdict)
    unreadable: frozenset[str] = frozenset()
    if facts is not None:
        images, unreadable = mark_unreadable(images, facts)
    measured = measure_labels(pieces, images, settings, without=unreadable)
    label_suite = Suite(
        name="labels",
        frame=measured.frame,
        key=("source_ref", "category"),
        checks=checks.label_checks(settings, categories),
    )
    content, known_content = content_of(images, facts, known)
    image_suite = Suite(
        name="images",
        frame=image_measures(
            images, measured.boxes, drawn_sizes, content=content, known_content=known_content
        ),
        key=("source_ref", "status"),
        checks=checks.image_checks(settings, planned=planned),
    )
    suites = [label_suite, image_suite, *_content_suites(images, facts, known, settings)]
    before, (images, quarantined) = images, quarantine(images, _faults(suites, settings))
    image_suite.frame["quarantined"] = (images["status"] == QUARANTINED).to_numpy().astype(float)
    suites += _published_suites(measured.frame, images, image_suite.frame, settings, categories)
    judgement = judged(
        [columns, *suites, *also],
        settings,
        docs_uri=docs_uri,
        storage=storage,
        counts={**count_images(images, planned=planned), "clipped_boxes": measured.clipped},
    )
    return QualityResult(
        pieces=partial(settled_labels, pieces, before, settings, without=unreadable | quarantined),
        images=images,
        verdict=judgement.verdict,
        unnamed=judgement.unnamed,
    )


def _columns_suite(labels: pd.DataFrame, images: pd.DataFrame) -> Suite:
    return Suite(
        name="columns",
        frame=column_measures([("labels", labels, LABELS), ("images", images, IMAGES)]),
        key=("table", "column", "problem"),
        checks=checks.COLUMN_CHECKS,
    )


def _published_suites(
    labels: pd.DataFrame,
    images: pd.DataFrame,
    measures: pd.DataFrame,
    settings: Quality,
    categories: Sequence[str],
) -> tuple[Suite, ...]:
    """What is left after quarantine; ``labels`` and ``measures`` (of the images, in their order) before."""
    published = images["status"].isin(list(PUBLISHABLE)).to_numpy()
    return (
        Suite(
            name="published_images",
            frame=measures[published].reset_index(drop=True),
            key=("source_ref", "status"),
            checks=checks.published_checks(settings),
        ),
        Suite(
            name="categories",
            frame=category_measures(_published(labels, images), categories),
            key=("category",),
            checks=checks.category_checks(settings),
        ),
    )


def _content_suites(
    images: pd.DataFrame, facts: pd.DataFrame | None, known: pd.DataFrame | None, settings: Quality
) -> tuple[Suite, ...]:
    if facts is None:
        return ()
    frame = content_measures(
        images,
        facts,
        facts.iloc[:0] if known is None else known,
        max_distance=settings.near_duplicate_distance,
    )
    near_duplicate, *others = checks.content_checks(settings)
    return (
        Suite(name="look_alikes", frame=frame, key=("source_ref", "looks_like"), checks=(near_duplicate,)),
        Suite(name="image_content", frame=frame, key=("source_ref", "status"), checks=tuple(others)),
    )


def _published(labels: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    published = images.loc[images["status"].isin(list(PUBLISHABLE)), "source_ref"]
    return labels.loc[is_among(labels["source_ref"], published), ["source_ref", "category"]]


def _faults(suites: Sequence[Suite], settings: Quality) -> dict[str, dict[str, int]]:
    return find_faults(
        {
            check.name: (suite.frame["source_ref"], check.rule.failing(suite.frame))
            for suite in suites
            for check in suite.checks
            if check.if_critical == "quarantine" and settings.severity(check.name) == "critical"
        }
    )
