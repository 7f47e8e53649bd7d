"""Workers' answers as rows of the answers table (annotations.ANSWERS)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from roundtruth.ground_truth.records import WorkerAnswer


def answer_rows(
    answers: Iterable[tuple[str, Sequence[WorkerAnswer]]], job: str
) -> Iterator[dict[str, object]]:
    """The rows of the answers table: one a box or chosen category; an empty answer is one row with box -1."""
    for source_ref, given in answers:
        for answer in given:
            shared: dict[str, object] = {
                "source_ref": source_ref,
                "job": job,
                "worker": answer.worker_id,
                "image_width": answer.image_width,
                "image_height": answer.image_height,
                "seconds": answer.seconds,
                "submitted": answer.submission_time,
            }
            if not answer.boxes and not answer.labels:
                yield shared | {"box": -1}
            for place, label in enumerate(answer.labels):
                yield shared | {"box": place, "category": label}
            for place, box in enumerate(answer.boxes):
                yield shared | {
                    "box": place,
                    "category": box.label,
                    "left": box.left,
                    "top": box.top,
                    "width": box.width,
                    "height": box.height,
                }
