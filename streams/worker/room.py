"""How many events of one network may be sent on for now: what was sent and the ledger has not applied is counted."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

EVENTS_MIN: Final = 5_000
"""Events that may lie before the ledger whatever its rate, so that one can be measured at all."""
PAIR_MAX: Final = 20_000
"""Events of two records that may lie before the ledger whatever its rate, so that one is normalized while the other is
applied; where two have more, one has to do."""
REVERT_EVENTS: Final = 500
"""What a retracted block counts as: how many events the ledger has of it is not known here."""
_LOOK_S: Final = 0.05
_OF_NEW: Final = 0.1


class Room:
    """One network's: whoever sends asks before each record, and says afterwards what it was. A record is sent whole."""

    def __init__(self) -> None:
        self.most = EVENTS_MIN
        """Events that may lie before the ledger."""
        self.sent = 0
        """Events so far."""
        self.applied = 0
        """Those of them that the ledger has applied, as far as was heard."""
        self.events_a_record = 0.0
        """Lately, in the mean."""
        self._position = -1
        self._waiting: deque[tuple[int, int]] = deque()
        """Raw offset, and ``sent`` after it: of each record with events that is not applied."""
        self._is_full = False

    @property
    def before_ledger(self) -> int:
        """Events that lie before the ledger."""
        return self.sent - self.applied

    @property
    def least(self) -> int:
        """Events that may lie before the ledger whatever its rate."""
        return max(EVENTS_MIN, min(PAIR_MAX, int(2 * self.events_a_record)))

    def begin(self, position: int) -> None:
        """What comes after this raw offset is sent next. What was sent before it is not known, nor counted: what
        follows is not applied before it is, and until then there is room for ``EVENTS_MIN``."""
        self.forget()
        self._position, self.most = position, EVENTS_MIN

    def forget(self) -> None:
        """Nothing lies before the ledger."""
        self._waiting.clear()
        self.applied = self.sent

    def send(self, position: int, events: int) -> None:
        """The record at this raw offset was sent; one that is sent again counts once."""
        if position <= self._position:
            return
        self._position = position
        self.events_a_record += _OF_NEW * (events - self.events_a_record)
        if events:
            self.sent += events
            self._waiting.append((position, self.sent))

    def apply(self, position: int) -> None:
        """The ledger has applied everything up to this raw offset."""
        while self._waiting and self._waiting[0][0] <= position:
            _, self.applied = self._waiting.popleft()

    def is_open(self) -> bool:
        """Whether a record may be sent now. Once it is full, not before a quarter of it is free, so that normalize
        gets batches worth their transaction."""
        free = self.most - self.before_ledger
        self._is_full = free <= 0 or (self._is_full and free < self.most // 4)
        return not self._is_full

    async def opens(self, wanted_still: Callable[[], bool]) -> bool:
        """True once a record may be sent; False where none is wanted any more."""
        while not self.is_open():
            if not wanted_still():
                return False
            await asyncio.sleep(_LOOK_S)
        return True
