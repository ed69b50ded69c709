"""Whose turn it is: records are taken from fetched partitions a record batch at a time, the one that waited longest
first.

The driver hands out what it fetched of one partition, megabytes that may be thousands of records, before it looks at
the next one (docs/decisions/0012-record batches.md). Here its buffers are read a record batch each in turn, and only
for topics whose queue has room. Small record batches are handed out only to an agent that has nothing to do: while it
works, what comes gathers in the driver's buffers, and the next batch is as large as that. Nothing is kept between those
buffers and Faust's queues: what a seek or a rebalance makes worthless is dropped by the driver, as before.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, Final

from aiokafka.consumer.fetcher import FetchResult  # type: ignore[import-untyped]
from faust.types import TP

from ft.streams.worker.record_batches import BYTES_MAX, Cut, cut

_STEPS: Final = 32
"""A record batch is taken out of the driver's buffer in so many steps: one record each where a record batch has few,
large ones."""
PIECES_MAX: Final = 64
"""Record batches that are handed over in one go, at most: the loop that takes them has other work too."""


def most_of_a_turn(records_max: int) -> int:
    """Record batches that one turn of a partition comes to, at most, whatever there is room for: records that were
    taken out of the driver's buffer cannot be put back, and each of its last step may be too large to travel with
    others."""
    return 1 + max(1, records_max // _STEPS)


class Turns:
    """Remembers which partition was served last. Pure."""

    def __init__(self) -> None:
        self._served: dict[TP, None] = {}

    def order(self, waiting: Iterable[TP]) -> list[TP]:
        """Those that were never served, then those that were, the longest ago first."""
        rank = {tp: at for at, tp in enumerate(self._served)}
        return sorted(waiting, key=lambda tp: rank.get(tp, -1))

    def served(self, tp: TP) -> None:
        """It had its turn: all the others come before it now."""
        self._served.pop(tp, None)
        self._served[tp] = None

    def keep(self, held: Container[TP]) -> None:
        """Forget partitions that are not held any more."""
        for tp in [tp for tp in self._served if tp not in held]:
            del self._served[tp]


def take(
    fetcher: Any,
    active: Iterable[TP],
    turns: Turns,
    room: Callable[[TP], int],
    records_max: Callable[[TP], int],
    hungry: Callable[[str], bool] = lambda _: True,
) -> dict[TP, list[Cut]]:
    """A record batch of each partition in turn, until queues are full or nothing is left of what was fetched. The last
    turn of a topic may be of more record batches than there was room for: see :func:`most_of_a_turn`.

    ``room``: record batches that may be handed out of a partition, which partitions of one topic share. ``hungry``:
    whether a topic's agent waits for records; else it gets some only where a whole record batch lies in one of its
    partitions.
    """
    found: dict[TP, list[Cut]] = {}
    free: dict[str, int] = {}
    active, pieces = set(active), 0
    served = {tp.topic for tp in active if hungry(tp.topic) or _unread(fetcher, tp) >= records_max(tp)}
    wanted = {tp for tp in active if tp.topic in served}
    while pieces < PIECES_MAX:
        before = pieces
        for tp in turns.order(tp for tp in fetcher._records if tp in wanted):
            if free.setdefault(tp.topic, room(tp)) <= 0 or pieces >= PIECES_MAX:
                continue
            taken = list(cut(list(_records(fetcher, tp, records_max(tp))), records_max(tp)))
            if taken:
                turns.served(tp)
                found.setdefault(tp, []).extend(taken)
                free[tp.topic] -= len(taken)
                pieces += len(taken)
        if pieces == before:
            return found
    return found


def _unread(fetcher: Any, tp: TP) -> int:
    """Records of the partition from where it is read to its end, as far as that was heard."""
    fetched = fetcher._records.get(tp)
    state = fetched._assignment.state_value(tp) if isinstance(fetched, FetchResult) else None
    if state is None or not state.has_valid_position or state.highwater is None:
        return 0
    return int(state.highwater - state.position)


def _records(fetcher: Any, tp: TP, most: int) -> Iterator[Any]:
    """The next records of what was fetched of the partition, up to ``most``, or up to a record batch's bytes and a step
    more.

    An error that the driver keeps in the place of records is left there: it is raised where nothing else is to be had.
    """
    fetched = fetcher._records.get(tp)
    if not isinstance(fetched, FetchResult):
        return
    size, count, step = 0, 0, max(1, most // _STEPS)
    while count < most and size < BYTES_MAX:
        records = fetched.getall(max_records=min(step, most - count)) if fetched.has_more() else ()
        if not records:  # read to its end, or made worthless by a seek: the driver may fetch again
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
            return
        size += sum(len(record.value or b"") for record in records)
        count += len(records)
        yield from records
