"""Images that a person sent back instead of releasing them: their labels count no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

Identity = tuple[str, str]  # (source_ref, etag)


class SentBack(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent back of one candidate: images by (source_ref, etag), and the rounds it was made of.

    A round that is not among ``rounds`` and holds such an image has taken it again, and so has a newer
    attempt at one of these rounds.
    """

    candidate: str
    rounds: tuple[str, ...]
    images: tuple[Identity, ...]
    why: str = ""
    # round -> the attempt that its labels were of, where that was not the first
    attempts: dict[str, int] = {}

    def covers(self, round_key: str, attempt: int) -> bool:
        """Whether the labels that an attempt at a round gave these images were sent back."""
        return round_key in self.rounds and attempt <= self.attempts.get(round_key, 1)


def sent_back_folder(project: Project) -> ObjectUri:
    """Where they are written down, one file a candidate; in the folder of the dataset."""
    return project.root_uri / "datasets" / project.dataset.name / "sent_back"


def write_sent_back(storage: Storage, project: Project, sent: SentBack) -> ObjectUri:
    """Write down what is sent back; the first answer about a candidate stays."""
    uri = sent_back_folder(project) / f"{sent.candidate}.json"
    storage.write_if_absent(uri, msgspec.json.format(msgspec.json.encode(sent), indent=2) + b"\n")
    return uri


def read_sent_back(storage: Storage, project: Project) -> tuple[SentBack, ...]:
    """All that was ever sent back, in order of the candidates."""
    uris = sorted((found.uri for found in storage.list_objects(sent_back_folder(project))), key=str)
    return tuple(decode_json(storage.read(uri), SentBack) for uri in uris)


def waiting_again(
    sent: Iterable[SentBack], holders: Mapping[Identity, Collection[tuple[str, int]]]
) -> frozenset[Identity]:
    """The images that were sent back and that neither a later round nor a newer attempt has taken.

    :param holders: the rounds that hold an image, each with its newest attempt; those of images that were
        never sent back do not matter.
    """
    return frozenset(
        identity
        for one in sent
        for identity in one.images
        if all(one.covers(*holder) for holder in holders.get(identity, ()))
    )


def withdrawn(sent: Iterable[SentBack], attempts: Mapping[str, int]) -> frozenset[tuple[str, str, str]]:
    """(round, source_ref, etag) of every label that counts no more.

    :param attempts: round -> the attempt that its labels are of, where that is not the first.
    """
    return frozenset(
        (key, *identity)
        for one in sent
        for identity in one.images
        for key in one.rounds
        if one.covers(key, attempts.get(key, 1))
    )
