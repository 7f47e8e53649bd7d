"""Which faults have struck: kind, alone or among others; and the calls that AWS refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Strikes:
    """Counts a fault once it has demonstrably met something: a call, a running task, a waiting trigger."""

    alone: Counter[str] = field(default_factory=Counter)
    mixed: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # call -> how many of them met a fault
    is_alone: bool = False

    def count(self, kind: str) -> None:
        """A fault of this kind has struck."""
        (self.alone if self.is_alone else self.mixed)[kind] += 1

    def of(self, kind: str) -> int:
        """How often a kind has struck, alone and among others."""
        return self.alone[kind] + self.mixed[kind]

    @property
    def total(self) -> int:
        """All faults that have struck."""
        return self.alone.total() + self.mixed.total()
