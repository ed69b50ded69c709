"""A record as Kafka has it, by whichever client it was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Message:
    """One record as Kafka has it. ``value`` is framed Avro, or None for a record without one."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Mapping[str, bytes]
    decoded: Any = field(default=None, compare=False, repr=False)
    """What a hop has made of the value, kept for others in this process that read the same record."""
