"""A notifier that needs no chat or mail: it writes what it has to tell to S3, one object each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseNotifier


class S3Notifier(BaseNotifier):
    """Write a JSON object to a folder in S3, where an event notification of the bucket can take it further.

    The same notification of the same run is written once, whoever repeats it.

    :param folder: S3 URI of the folder. (templated)
    :param message: What to tell. (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    """

    template_fields: Sequence[str] = ("folder", "message")

    def __init__(
        self, *, folder: str, message: str = "{{ roundtruth.message }}", aws_conn_id: str = "aws_default"
    ) -> None:
        super().__init__()
        self.folder = folder
        self.message = message
        self.aws_conn_id = aws_conn_id

    def notify(self, context: Any) -> None:
        """Write it."""
        from labeling.storage import connected_storage
        from roundtruth.storage import ObjectUri

        facts = context["roundtruth"]
        content = {name: facts[name] for name in ("project", "occasion", "round", "url")}
        content["message"] = self.message
        data = json.dumps(content, ensure_ascii=False, indent=2).encode()
        name = f"{facts['occasion']}-{hashlib.sha256(data).hexdigest()[:16]}.json"
        connected_storage(self.aws_conn_id).write_if_absent(ObjectUri.parse(self.folder) / name, data)
