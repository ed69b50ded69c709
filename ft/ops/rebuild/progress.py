"""How far a rebuild is, for whoever waits for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True, kw_only=True)
class Progress:
    """``done`` of ``total`` of what ``unit`` names; the total grows while the pipeline goes on."""

    what: str
    unit: str = "records"
    done: int = 0
    total: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def percent(self) -> float:
        return 100 * self.done / self.total if self.total else 100.0

    @property
    def per_second(self) -> float:
        return self.done / max(time.monotonic() - self.began, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        """None while nobody can tell."""
        return max(self.total - self.done, 0) / self.per_second if self.done else None

    def __str__(self) -> str:
        left = "" if self.seconds_left is None else f", {self.seconds_left:,.0f} s left"
        return (
            f"{self.what}: {self.done:,} of {self.total:,} {self.unit} ({self.percent:.0f} %), "
            f"{self.per_second:,.0f} {self.unit}/s{left}"
        )


Report: TypeAlias = Callable[[Progress | str], None]
"""Told of every step, and often of the progress: whoever shows it decides how often."""
