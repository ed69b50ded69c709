"""Block times that every stage can store. Pure."""

from typing import Final

TIME_MIN: Final = 1_230_768_000
"""2009-01-01 UTC: no chain is older. Unix seconds."""
TIME_END: Final = 4_102_444_800
"""2100-01-01 UTC: the journal has no months from here on. Unix seconds."""


def in_range(time: int) -> bool:
    """Whether a block may have this time."""
    return TIME_MIN <= time < TIME_END


def clamped(time: int) -> int:
    """The nearest time that can be stored."""
    return min(max(time, TIME_MIN), TIME_END - 1)
