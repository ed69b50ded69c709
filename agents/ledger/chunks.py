"""The records of a batch -> which go into one transaction of the ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ft.agents.ledger.posting import NetworkKey, SliceKey
from ft.agents.ledger.validated_input import AnyInput, Append, Revert
from ft.streams.kafka.message import Message

Incoming: TypeAlias = tuple[Message, AnyInput]
"""A record, and what it says."""


@dataclass(slots=True)
class _Chunk:
    """Records that go into one transaction."""

    incoming: list[Incoming] = field(default_factory=list)
    appended: set[SliceKey] = field(default_factory=set)
    reverted_to: dict[NetworkKey, int] = field(default_factory=dict)
    """The lowest height that a revert names."""
    events: int = 0

    def takes(self, step: AnyInput, events_max: int) -> bool:
        """Whether the step may go into the same transaction.

        1. not over the limit of events
        2. no older block after reverts: what they leave is not settled before the transaction ends
        3. no revert of a slice that the transaction appends: its rows are read back
        """
        if isinstance(step, Append):
            if self.incoming and self.events + len(step.columns) > events_max:
                return False
            return step.block.number >= self.reverted_to.get((step.partition, step.network), 0)
        return not isinstance(step, Revert) or (step.partition, step.network, step.block.hash) not in self.appended

    def add(self, incoming: Incoming) -> None:
        step = incoming[1]
        self.incoming.append(incoming)
        if isinstance(step, Append):
            self.events += len(step.columns)
            self.appended.add((step.partition, step.network, step.block.hash))
        elif isinstance(step, Revert):
            key, number = (step.partition, step.network), step.block.number
            self.reverted_to[key] = min(self.reverted_to.get(key, number), number)


def cut(incoming: Iterable[Incoming], events_max: int) -> Iterator[list[Incoming]]:
    """The records of a batch in order, in as few transactions as the limit and the reverts allow."""
    chunk = _Chunk()
    for one in incoming:
        if not chunk.takes(one[1], events_max):
            yield chunk.incoming
            chunk = _Chunk()
        chunk.add(one)
    if chunk.incoming:
        yield chunk.incoming
