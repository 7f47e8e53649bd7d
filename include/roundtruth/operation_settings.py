"""What is told to whom when a round fails, is late or stalls, what pages show, and what follows a release."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, field_validator

from roundtruth.labeling_settings import Settings

Occasion = Literal["failure", "late", "stalled", "approval"]
OCCASIONS: tuple[Occasion, ...] = ("failure", "late", "stalled", "approval")
TRAINING_FIELDS = ("dataset", "version", "folder")

_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class Notification(Settings):
    """A notifier of Airflow, what it is made with, and when it is called.

    Where the notifier takes templates: ``{{ roundtruth.message }}`` (one sentence, made for people), and
    ``project``, ``round``, ``occasion``, ``url`` (of the run) likewise, beside Airflow's own context.
    """

    notifier: str  # import path, such as airflow.providers.amazon.aws.notifications.sns.SnsNotifier
    arguments: dict[str, Any] = Field(default_factory=dict)
    # failure: a run failed; late: see deadline_hours; stalled: see labeling.stalled_after_hours;
    # approval: a release waits for a person.
    when: Annotated[tuple[Occasion, ...], Strict(False)] = Field(default=OCCASIONS, min_length=1)

    @field_validator("notifier")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if not _CLASS_PATH.fullmatch(path):
            raise ValueError("must be the import path of a notifier class, <package>.<module>.<class>")
        return path


class Pages(Settings):
    """What a round prepares for the pages in Airflow's web UI."""

    # Small pictures a round, of the images that people look at first; the others are shown by signed address.
    # Each takes a read of the image and some 0.1 s of CPU; 0: none.
    thumbnails: int = Field(default=1000, ge=0)


class Training(Settings):
    """What is done with each new version; without a command it is verified and printed, and that is all."""

    # A list of arguments, no shell; {dataset}, {version} and {folder} are filled in.
    command: Annotated[tuple[str, ...], Strict(False)] = ()
    folder: str | None = None  # where versions are pulled to; default: a temporary folder, removed afterwards
    hours: float = Field(default=24, gt=0)  # a command that runs longer is ended

    @field_validator("command")
    @classmethod
    def _fields_are_known(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        for argument in command:
            try:
                fields = [field for _, field, _, _ in Formatter().parse(argument) if field is not None]
            except ValueError as error:
                raise ValueError(f"{argument!r}: {error}; double a brace of its own") from error
            unknown = sorted(set(fields) - set(TRAINING_FIELDS))
            if unknown:
                raise ValueError(
                    f"{argument!r} holds {{{unknown[0]}}}; known are {{dataset}}, {{version}}, {{folder}}; "
                    "double a brace of its own"
                )
        return command
