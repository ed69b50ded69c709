"""Whether a worker's agents move, pure: one that hangs is told from one that reads other partitions meanwhile."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ft.streams.worker.fence import Claim

Agent: TypeAlias = tuple[str, str]
"""Consumer and topic: what one agent reads, batch after batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """Who stood still for the whole patience while records waited."""

    hung: Claim | None = None
    """The first claim of an agent none of whose claims moved."""
    starved: tuple[Claim, ...] = ()
    """Claims that stood still while others of the same agent moved."""


class Progress:
    """Notices claims whose offset stands still while records wait. The clock is the caller's."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._seen: dict[tuple[str, str, int], tuple[int, int, float]] = {}
        self._moved: dict[Agent, float] = {}

    def look(self, claims: Mapping[Claim, int], now: float, held_back: Container[Agent] = ()) -> Standstill:
        """Who stands still, given every claim's end offset. Claims that went away are forgotten.

        ``held_back``: those that do not read on for now, on purpose; what waits there does not wait for them.
        """
        seen, self._seen = self._seen, {}
        moved, self._moved = self._moved, {}
        waiting = []
        for claim, end in claims.items():
            agent, key = (claim.consumer, claim.topic), (claim.consumer, claim.topic, claim.partition)
            epoch, offset, since = seen.get(key, (-1, -1, now))
            if (epoch, offset) != (claim.epoch, claim.next_offset):
                since = moved[agent] = now
            elif claim.next_offset >= end or agent in held_back:
                since = now
            self._seen[key] = (claim.epoch, claim.next_offset, since)
            self._moved[agent] = moved.get(agent, now)
            if now - since >= self._patience_s:
                waiting.append(claim)
        hung = [claim for claim in waiting if now - moved[claim.consumer, claim.topic] >= self._patience_s]
        return Standstill(
            hung=hung[0] if hung else None, starved=tuple(claim for claim in waiting if claim not in hung)
        )

    def forgive(self) -> None:
        """Time in which nobody could work counts for nothing."""
        self._seen = {}
        self._moved = {}
