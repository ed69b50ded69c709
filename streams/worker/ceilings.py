"""How many events of a network may lie before the ledger, pure: a backlog is read no faster than it is worked off.

All networks share the partitions behind normalize. If a backlog were normalized as fast as it can be, a head of another
network would lie behind all of it; so only two seconds of work may lie between a backlog and the ledger, and two
between the ledger and project. What counts are events: a raw record is a block, and holds none or a hundred thousand.
Where no other network has a head that somebody waits for, ten seconds may lie there: short queues make small batches,
which cost more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ft.streams.kafka.backpressure import UNREAD_S, Backpressure
from ft.streams.worker.room import EVENTS_MIN, Room

HEAD_RECORDS: Final = 64
"""A network with more unread raw records is not at its head."""
ALIVE_S: Final = 10.0
"""A project that moved nothing for so long is down or has nothing to do: nobody waits for it."""
UNBOUNDED: Final = 1 << 62
ALONE_S: Final = 10.0
"""Seconds of work that may lie before ledger and project while no other network has a head."""
HEADS_S: Final = 60.0
"""A network that moved so long ago, or before, has no head that somebody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One raw log: where normalize stands in it, and where it ends."""

    network: str
    topic: str
    next_offset: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What follows normalize."""

    applied: Mapping[str, int]
    """Network -> raw offset up to which the ledger has applied everything."""
    ledger: bool
    """Whether a ledger has ever worked here: there is nobody to wait for otherwise."""
    projected: int = 0
    """Journal rows that project has taken."""
    unprojected: int = 0
    followed: frozenset[str] = frozenset()
    """Networks whose follower lives."""


@dataclass(slots=True)
class Heads:
    """Remembers which networks move."""

    clock: Callable[[], float]
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def observe(self, positions: Mapping[str, int]) -> None:
        """How far each network's log has come; one that is seen for the first time has not moved."""
        now = self.clock()
        for network, position in positions.items():
            seen = self._seen.get(network)
            if seen is None or seen[0] != position:
                self._seen[network] = (position, now if seen is not None else float("-inf"))

    def moving(self) -> frozenset[str]:
        """The networks that moved within the last minute."""
        now = self.clock()
        return frozenset(network for network, (_, at) in self._seen.items() if now - at < HEADS_S)


@dataclass(slots=True)
class Ceilings:
    """Remembers how fast the stages work."""

    clock: Callable[[], float]
    _paces: dict[str, Backpressure] = field(default_factory=dict)
    _project: Backpressure | None = None
    _projected: tuple[int, float] | None = None

    def at_head(self, network: str) -> int:
        """Events that may lie before the ledger, of a network that has fewer there and no backlog."""
        self._paces.pop(network, None)
        return EVENTS_MIN

    def of_backlog(
        self, network: str, room: Room, stages: Stages, *, is_project_behind: bool, unread_s: float = UNREAD_S
    ) -> int:
        """The same of any other network; ``unread_s``: seconds of work that may lie before the ledger."""
        if not stages.ledger:
            return UNBOUNDED
        pace = self._paces.setdefault(network, Backpressure(self.clock, least=EVENTS_MIN))
        pace.least = room.least
        pace.observe(room.applied, room.sent)
        return 0 if is_project_behind else pace.unread_max(unread_s)

    def is_project_behind(self, stages: Stages, *, unread_s: float = UNREAD_S) -> bool:
        """Whether project works, and has more than ``unread_s`` seconds of work before it."""
        now = self.clock()
        if self._projected is None or self._projected[0] != stages.projected:
            first = self._projected is None
            self._projected = (stages.projected, float("-inf") if first else now)
        if now - self._projected[1] > ALIVE_S:
            self._project = None
            return False
        if self._project is None:
            self._project = Backpressure(self.clock)
        end = stages.projected + stages.unprojected
        self._project.observe(stages.projected, end)
        return self._project.rate is not None and not self._project.may_append(stages.projected, end, unread_s)


def is_behind(raw: Raw) -> bool:
    """Whether more records are unread than a network at its head can have."""
    return raw.end - raw.next_offset > HEAD_RECORDS


def has_backlog(raw: Raw, room: Room) -> bool:
    """Whether it is behind, or more events are on their way than a network at its head can have: those that lie before
    the ledger, and those that the unread records are likely to hold."""
    unread = max(0, raw.end - raw.next_offset)
    return is_behind(raw) or room.before_ledger + unread * room.events_a_record >= EVENTS_MIN
