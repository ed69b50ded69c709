"""Source: where a node's chain parts from the log, below a final block that it denies; and the command that follows.

One search for whoever finds the contradiction and for `ft replace`, so that the one advises what the other takes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from ft.stopping import Stopping
from ft.streams.ingest.reconcile import FinalityContradicted, anchor
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.sources import Source, SourceError

_LOOK_BELOW: Final = 1_000
"""Hashes asked at once."""
_HIGHEST: Final = 2**62

InLog = Callable[[int, int], Awaitable[Mapping[int, str]]]
"""The log's hashes of the heights from, to."""
AtNode = Callable[[Sequence[int], Mapping[int, str]], Awaitable[Mapping[int, str | None]]]


async def parts_at(in_log: InLog, at_node: AtNode, top: int) -> int:
    """The lowest height of the stretch from ``top`` down that the node denies; ``top + 1`` where it denies none."""
    parted, high = top + 1, top
    while high >= 0:
        low = high if high == top else max(high - _LOOK_BELOW + 1, 0)
        known = await in_log(low, high)
        says = await at_node(list(known), known)
        denied = [height for height, found in known.items() if says[height] not in (None, found)]
        parted = min(denied, default=parted)
        if len(denied) < high - low + 1:
            break
        high = low - 1
    return parted


async def advised(
    exc: FinalityContradicted, network: str, source: Source, tail: UnfinalizedBlocks, stopping: Stopping
) -> FinalityContradicted:
    """The same error with the range that `ft replace` takes. Raises Stopped, DatabaseError."""
    standing = anchor(await tail.rows())
    final = await tail.known_final(0, _HIGHEST, 1)
    last = max([exc.height, *final, *([] if standing is None else [standing.height])])

    async def in_log(low: int, high: int) -> Mapping[int, str]:
        return await tail.known_final(low, high, high - low + 1)

    async def at_node(heights: Sequence[int], known: Mapping[int, str]) -> Mapping[int, str | None]:
        return await stopping.unless(source.hashes(heights, known))

    try:
        first = await parts_at(in_log, at_node, exc.height - 1)
        marks = await stopping.unless(source.marks())
    except SourceError:
        part = f"`ft replace {network} --from N --to {last}` makes the log agree, from where the chains part"
        return FinalityContradicted(f"{exc} If it is right, {part}.", exc.height)
    later = f", once block {last} is final at the node (now {marks.finalized})" if marks.finalized < last else ""
    return FinalityContradicted(
        f"{exc} If it is right, `ft replace {network} --from {first} --to {last}` makes the log agree{later}.",
        exc.height,
    )
