"""A labeling job's output folder: `<S3OutputPath>/<job name>/`, in S3 or copied to disk.

Layout: developer guide, sms-data-output; the folder of an image's answers is its 0-based line in the manifest
(seen in a real job of 302 objects). The job's own files are read, never written.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from roundtruth.ground_truth.label_categories import decode_label_categories
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, LineProblem, WorkerAnswer
from roundtruth.ground_truth.worker_responses import read_worker_response
from roundtruth.storage import ObjectUri, Storage

# annotations/worker-response/iteration-<N>/<0-based row>/<YYYY-MM-DD_HH:MM:SS>.json; colons become hyphens
# where such a folder was copied to a disk that refuses them.
_RESPONSE = re.compile(r"/iteration-(\d+)/(\d+)/[^/]+\.json$")


class JobFolder:
    """Reads what a labeling job wrote. ``problems`` collects the answers and files that cannot be used."""

    def __init__(self, storage: Storage, uri: ObjectUri) -> None:
        self.storage = storage
        self.uri = uri
        self.problems: list[str] = []

    @property
    def output_manifest(self) -> ObjectUri:
        """The augmented manifest; there from the job's first minutes, complete at its end."""
        return self.uri / "manifests/output/output.manifest"

    def label_categories(self) -> tuple[str, ...] | None:
        """All categories of the job in order of their ids, or None where the folder holds no config."""
        uri = self.uri / "annotation-tool/data.json"
        content = self.storage.read_if_there(uri)
        return decode_label_categories(content.data, file=str(uri)) if content else None

    def records(self, label_attribute: str | None = None) -> Iterator[LabeledImage | LineProblem]:
        """The lines of the output manifest, in order.

        :raises StorageError: when the job has no output manifest.
        """
        data = self.storage.read(self.output_manifest)
        return read_output_manifest(
            data.splitlines(), file=str(self.output_manifest), label_attribute=label_attribute
        )

    def answers(self) -> Iterator[tuple[int, tuple[WorkerAnswer, ...]]]:
        """All answers by 0-based row of the manifest, rows in order, answers in order of their files.

        An object that was sent out again has several files; all of them count.
        """
        files = self._response_files()
        order = sorted(files)
        uris = [uri for row in order for uri in files[row]]
        contents = self.storage.read_many(uris)
        for row in order:
            answers: list[WorkerAnswer] = []
            for _ in files[row]:
                uri, data = next(contents)
                answers += self._decode(uri, data)
            yield row, tuple(answers)

    def answered_rows(self) -> frozenset[int]:
        """The 0-based rows of the manifest that workers answered; their files are listed, not read."""
        return frozenset(self._response_files())

    def _response_files(self) -> dict[int, list[ObjectUri]]:
        found: dict[int, list[tuple[int, ObjectUri]]] = defaultdict(list)
        for stored in self.storage.list_objects(self.uri / "annotations/worker-response"):
            match = _RESPONSE.search(stored.uri.key)
            if match:
                found[int(match[2])].append((int(match[1]), stored.uri))
        return {row: [uri for _, uri in sorted(uris)] for row, uris in found.items()}

    def _decode(self, uri: ObjectUri, data: bytes) -> tuple[WorkerAnswer, ...]:
        answers, problems = read_worker_response(data, file=str(uri))
        self.problems.extend(str(problem) for problem in problems)
        return answers
