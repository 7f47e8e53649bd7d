"""consensus.json as the pages read it: agreement, categories, confusion, workers, disputed images."""

from __future__ import annotations

import msgspec

from roundtruth.errors import ConsensusError
from roundtruth.typed_json import decode_json


class CategoryAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far workers agree on one category; shares 0–1, None where no two workers answered."""

    category: str
    boxes: int = 0  # that workers drew
    pairwise_iou: float | None = None
    pairwise_f1: float | None = None


class Confused(msgspec.Struct, frozen=True, kw_only=True):
    """How often workers named objects of one category as another; None: not drawn."""

    consensus: str | None
    worker: str | None
    count: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement of a round; all 0–1 but alpha, which may be negative."""

    mean: float | None = None
    krippendorff_alpha: float | None = None
    pairwise_iou: float | None = None
    pairwise_f1: float | None = None
    by_category: tuple[CategoryAgreement, ...] = ()
    confusion: tuple[Confused, ...] = ()


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One worker, by pseudonym, against the others; see consensus/workers.py. Shares 0–1, seconds a task."""

    worker: str
    answers: int = 0
    compared_answers: int = 0
    boxes: int = 0
    median_seconds: float | None = None
    recall: float | None = None
    precision: float | None = None
    f1: float | None = None
    box_accuracy: float | None = None
    category_accuracy: float | None = None
    pairwise_iou: float | None = None
    pairwise_f1: float | None = None
    careless: tuple[str, ...] = ()  # why


class GoldWorker(msgspec.Struct, frozen=True, kw_only=True):
    """One worker against known truth; shares 0–1, None where there is nothing to compare."""

    worker: str
    answers: int = 0
    recall: float | None = None
    precision: float | None = None


class GoldReport(msgspec.Struct, frozen=True, kw_only=True):
    """How people did on images whose truth is known; see consensus/gold.py."""

    images: int = 0
    workers: tuple[GoldWorker, ...] = ()

    def of(self, worker: str) -> GoldWorker | None:
        """What one worker did on them; None where they saw none."""
        return next((one for one in self.workers if one.worker == worker), None)


class DisputedObject(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes that were matched to each other and that people disagree about; pixels of the stored image."""

    reasons: tuple[str, ...]
    category: str | None = None
    left: float
    top: float
    width: float
    height: float
    votes: int = 0
    answers: int = 0
    not_drawn_by: tuple[str, ...] = ()


class DisputedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that people disagree about; its objects are decoded when somebody looks at it."""

    source_ref: str
    objects: msgspec.Raw = msgspec.Raw(b"[]")

    def decoded(self) -> tuple[DisputedObject, ...]:
        """The objects in doubt, in the order of the report."""
        return decode_json(self.objects, tuple[DisputedObject, ...])


class ConsensusReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages show of consensus.json; files of an earlier roundtruth lack some of it."""

    agreement: Agreement = Agreement()
    counts: dict[str, int] = {}
    workers: tuple[WorkerReport, ...] = ()
    careless_workers: tuple[str, ...] = ()
    gold: GoldReport | None = None
    disputed_images: tuple[DisputedImage, ...] = ()

    def disputes_of(self, source_ref: str) -> tuple[DisputedObject, ...]:
        """What people disagree about on one image; empty where they agree."""
        for image in self.disputed_images:
            if image.source_ref == source_ref:
                return image.decoded()
        return ()


def decode_report(data: bytes) -> ConsensusReport:
    """Read a consensus.json.

    :raises ConsensusError: when the bytes are none.
    """
    try:
        return decode_json(data, ConsensusReport)
    except msgspec.DecodeError as error:
        raise ConsensusError(f"This is no agreement report: {error}; run measure_consensus again.") from error
