"""What a person is shown who decides about a release, and the two answers that publish nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from roundtruth.datasets.candidate import Candidate, read_candidate
from roundtruth.datasets.diff import compare
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import record_of
from roundtruth.project import Project
from roundtruth.quality.verdict import FailedCheck, Verdict
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.record import read_record, read_recorded
from roundtruth.rounds.sent_back import SentBack, write_sent_back
from roundtruth.stages.dataset_release import read_parent
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)

_SHOWN_ROUNDS = 8  # rounds in the request's table; a first release may hold years of them
_SHOWN_CHECKS = 40


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``decisions/<candidate>.json``: it was not published, and nobody is asked about it again."""

    decision: Literal["discarded", "sent-back"]
    why: str = ""
    by: str = ""  # empty: nobody answered in time, and the project file decided


def approval_request(storage: Storage, project: Project, candidate_uri: str) -> str:
    """The question in Markdown: what the version would hold, failed checks, agreement of its new rounds."""
    folder = ObjectUri.parse(candidate_uri)
    candidate = read_candidate(storage, folder)
    rounds = _new_rounds(storage, project, candidate)
    failed = [("release", one) for one in Verdict.from_json(storage.read(folder / "quality.json")).failed]
    failed += _failed_of_rounds(storage, project, candidate, rounds)
    return "\n\n".join(
        [
            _contents(storage, project, candidate),
            _checks(failed),
            _agreement(storage, project, candidate, rounds),
        ]
    )


def round_warnings(storage: Storage, project: Project, candidate_uri: str) -> list[str]:
    """The checks that warned about the candidate's new rounds: their images are in no version yet."""
    candidate = read_candidate(storage, ObjectUri.parse(candidate_uri))
    failed = _failed_of_rounds(storage, project, candidate, _new_rounds(storage, project, candidate))
    return sorted({one.check for _, one in failed if one.severity == "warning"})


def discard(
    storage: Storage, project: Project, candidate_uri: str, *, why: str = "", by: str = ""
) -> dict[str, Any]:
    """Mark a candidate as discarded: its labels stay, and the next recorded round makes another candidate."""
    return _decide(storage, project, candidate_uri, Decision(decision="discarded", why=why, by=by))


def send_back(
    storage: Storage, project: Project, candidate_uri: str, *, why: str = "", by: str = ""
) -> dict[str, Any]:
    """Send the images of a candidate back that a check warned about, in the release or in its new rounds.

    Their labels count no more; the next round takes them first. What a round's check names and a newer round
    has labeled since stays. Images that workers dispute are no part of a candidate: they go to the next round
    anyway.

    :returns: the decision, how many ``images`` went back, and the file that says which.
    """
    folder = ObjectUri.parse(candidate_uri)
    candidate = read_candidate(storage, folder)
    doubted = _named(_doubtful(Verdict.from_json(storage.read(folder / "quality.json"))))
    rounds = _new_rounds(storage, project, candidate)
    held = _images_of_rounds(candidate)
    for key, one in _failed_of_rounds(storage, project, candidate, rounds):
        doubted |= _named([one]) & held.get(key, set())
    identities = zip(candidate.images["source_ref"], candidate.images["etag"], strict=True)
    images = tuple(sorted((str(ref), str(etag)) for ref, etag in identities if ref in doubted))
    sent = SentBack(
        candidate=folder.name,
        rounds=candidate.rounds,
        images=images,
        why=why,
        attempts=_attempts(storage, project, candidate),
    )
    uri = write_sent_back(storage, project, sent)
    log.info("%d images of %s go back to the next round", len(images), candidate_uri)
    decided = _decide(storage, project, candidate_uri, Decision(decision="sent-back", why=why, by=by))
    return {**decided, "images": len(images), "sent_back_uri": str(uri)}


def _decide(storage: Storage, project: Project, candidate_uri: str, decision: Decision) -> dict[str, Any]:
    uri = dataset_folder(project).decision(ObjectUri.parse(candidate_uri).name)
    storage.write_if_absent(uri, msgspec.json.format(msgspec.json.encode(decision), indent=2) + b"\n")
    return {"decision": decision.decision, "decision_uri": str(uri)}


def _attempts(storage: Storage, project: Project, candidate: Candidate) -> dict[str, int]:
    """The attempts that the candidate's labels are of, where they are not the first ones.

    By the records that it was made of: a newer attempt may have been recorded while a person thought.
    """
    kept = {
        key: round_folder(project, key).recorded(digest) for key, digest in candidate.round_digests.items()
    }
    records = {key: read_record(storage, folder) for key, folder in kept.items()}
    return {key: record.attempt for key, record in records.items() if record and record.attempt > 1}


def _new_rounds(storage: Storage, project: Project, candidate: Candidate) -> list[str]:
    """The rounds of a candidate that its parent was not made of, or that were recorded anew since."""
    last = read_parent(storage, project, candidate)
    known = last.record.round_digests if last else {}
    return [key for key in candidate.rounds if known.get(key) != candidate.round_digests.get(key)]


def _contents(storage: Storage, project: Project, candidate: Candidate) -> str:
    splits = candidate.images["split"].value_counts()
    shown = ", ".join(f"{split} {splits[split]}" for split in ("train", "val", "test") if split in splits)
    negatives = len(candidate.images) - candidate.labels["source_ref"].nunique()
    lines = [
        f"**{len(candidate.images)} images** ({shown}; {negatives} without an object), "
        f"**{len(candidate.labels)} boxes** of {len(candidate.classes)} classes, "
        f"{len(candidate.rounds)} rounds, {len(candidate.left_out)} labeled images left out."
    ]
    last = read_parent(storage, project, candidate)
    if last:
        changes = compare(last, record_of(candidate, "candidate"), candidate.images, candidate.labels)
        lines.append(
            f"Against {candidate.parent}: {len(changes.added)} images added, {len(changes.removed)} removed, "
            f"{len(changes.relabeled)} relabeled; {changes.boxes_added} boxes added, "
            f"{changes.boxes_removed} removed."
        )
    return "\n".join(lines)


def _checks(failed: Sequence[tuple[str, FailedCheck]]) -> str:
    rows = [
        f"| {of} | {one.check} | {one.severity} | {one.failed_rows} of {one.rows} | "
        f"{_cell(one.description)} |"
        for of, one in failed[:_SHOWN_CHECKS]
    ]
    if not rows:
        return "Every quality check passed."
    more = [f"\n{len(failed) - len(rows)} more are not shown."] if len(failed) > len(rows) else []
    head = ["| of | check | severity | failed | what it says |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, *more])


def _agreement(storage: Storage, project: Project, candidate: Candidate, rounds: list[str]) -> str:
    rows = [
        _agreement_row(storage, round_folder(project, key), candidate.round_digests.get(key))
        for key in rounds[-_SHOWN_ROUNDS:]
    ]
    if not rows:
        return "No round is new in it."
    older = len(rounds) - len(rows)
    return "\n".join(
        [
            "| new round | agreement | Krippendorff's alpha | mean IoU | disputed images |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            *([f"\n{older} older new rounds are not shown."] if older else []),
        ]
    )


def _agreement_row(storage: Storage, folder: RoundFolder, digest: str | None) -> str:
    if storage.head(folder.consensus) is None:
        return f"| {folder.key} | – | – | – | – |"  # an imported round may have no answers of workers
    report = msgspec.json.decode(read_recorded(storage, folder, folder.consensus.name, digest=digest))
    agreement = report["agreement"]
    figures = (agreement["mean"], agreement["krippendorff_alpha"], agreement["pairwise_iou"])
    shown = " | ".join("–" if figure is None else f"{figure:.2f}" for figure in figures)
    return f"| {folder.key} | {shown} | {len(report['disputed_images'])} |"


def _failed_of_rounds(
    storage: Storage, project: Project, candidate: Candidate, rounds: Iterable[str]
) -> list[tuple[str, FailedCheck]]:
    """Round and check, of every check that warned about some of these rounds, or worse; the newest first.

    A check whose images have other labels in the candidate, or none, because they were sent back, is settled.
    """
    held = _images_of_rounds(candidate)
    folders = [round_folder(project, key) for key in rounds]
    verdicts = storage.run_many(
        lambda one: (one.key, _recorded_verdict(storage, one, candidate.round_digests.get(one.key))),
        reversed(folders),
    )
    return [
        (key, one)
        for key, verdict in verdicts
        if verdict is not None
        for one in _doubtful(verdict)
        if one.image_count > len(one.images) or not one.images or held.get(key, set()) & set(one.images)
    ]


def _recorded_verdict(storage: Storage, folder: RoundFolder, digest: str | None) -> Verdict | None:
    """The one that the candidate was made after: the round may be made anew while a person thinks."""
    if storage.head(folder.quality) is None:
        return None
    return Verdict.from_json(read_recorded(storage, folder, folder.quality.name, digest=digest))


def _images_of_rounds(candidate: Candidate) -> dict[str, set[str]]:
    """Round -> the images that have its labels in the candidate."""
    return dict(candidate.images.groupby("round")["source_ref"].agg(set))


def _doubtful(verdict: Verdict) -> tuple[FailedCheck, ...]:
    """Without what is told for information alone, such as images that lie on their side."""
    return verdict.critical + verdict.warnings


def _named(failed: Iterable[FailedCheck]) -> set[str]:
    """The images that failed checks name; a check names its first hundred (verdict.NAMED_IMAGES)."""
    named: set[str] = set()
    for one in failed:
        if one.image_count > len(one.images):
            log.warning(
                "check %s names %d of its %d images; the others stay",
                one.check,
                len(one.images),
                one.image_count,
            )
        named.update(one.images)
    return named


def _cell(text: str) -> str:
    """Text that keeps a Markdown table whole."""
    return text.replace("|", "\\|").replace("\n", " ")
