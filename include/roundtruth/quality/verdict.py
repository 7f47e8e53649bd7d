"""What a gate says: which checks failed, how badly and on which images; written as quality.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from roundtruth.errors import QualityError
from roundtruth.quality_settings import Severity
from roundtruth.typed_json import decode_json

NAMED_IMAGES = 100  # a verdict names so many failing images a check, and counts them all

# What a failed check leads to: `blocked` stops the release, `quarantined` kept its images out of it,
# `reported` is shown only.
Consequence = Literal["blocked", "quarantined", "reported"]


class FailedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check that failed; ``images`` holds the first names in order, ``image_count`` counts all of them."""

    check: str
    severity: Severity
    consequence: Consequence
    table: str
    description: str
    rows: int  # rows that were checked
    failed_rows: int
    image_count: int
    images: tuple[str, ...]
    values: tuple[str, ...] = ()  # the first failing values, as text


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of all checks; holds no time and no run id, so the same tables give the same bytes.

    ``passed`` is false when a check has blocked. ``counts`` holds planned, published, quarantined,
    carried_over and the images of each status; ``checked_rows`` the rows of each table.
    """

    passed: bool
    critical: tuple[FailedCheck, ...]
    warnings: tuple[FailedCheck, ...]
    info: tuple[FailedCheck, ...]
    checked_rows: dict[str, int]
    counts: dict[str, int]
    parameters: dict[str, Any]

    @property
    def failed(self) -> tuple[FailedCheck, ...]:
        """All failed checks, the most severe first."""
        return self.critical + self.warnings + self.info

    @property
    def blocking(self) -> tuple[FailedCheck, ...]:
        """The failed checks that stop the release."""
        return tuple(check for check in self.critical if check.consequence == "blocked")

    def to_json(self) -> bytes:
        """The content of quality.json."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Verdict:
        """Read a quality.json.

        :raises QualityError: when the bytes are none.
        """
        try:
            return decode_json(data, cls)
        except msgspec.DecodeError as error:
            raise QualityError(f"This is not a quality verdict: {error}.") from error

    def require_passed(self, what: str) -> None:
        """Stop unless the gate is open; ``what`` names the round or version in the error.

        :raises QualityError: naming each blocking check, how many rows failed it, and the first values.
        """
        if self.passed:
            return
        parts = [_one_sentence(check) for check in self.blocking]
        raise QualityError(
            f"{what} is blocked by {len(parts)} critical check{'s' if len(parts) > 1 else ''}: "
            f"{'; '.join(parts)}. Correct the labels, or set quality.severities in the project file."
        )


def make_verdict(
    failed: tuple[FailedCheck, ...],
    *,
    checked_rows: Mapping[str, int],
    counts: Mapping[str, int],
    parameters: Mapping[str, Any],
) -> Verdict:
    """Sort the failed checks by severity, in the order given, and decide."""
    critical = tuple(check for check in failed if check.severity == "critical")
    return Verdict(
        passed=not any(check.consequence == "blocked" for check in critical),
        critical=critical,
        warnings=tuple(check for check in failed if check.severity == "warning"),
        info=tuple(check for check in failed if check.severity == "info"),
        checked_rows=dict(checked_rows),
        counts=dict(counts),
        parameters=dict(parameters),
    )


def _one_sentence(check: FailedCheck) -> str:
    examples = check.values or check.images
    shown = f", such as {', '.join(examples[:3])}" if examples else ""
    return f"{check.check} ({check.description}): {check.failed_rows} of {check.rows} rows{shown}"
