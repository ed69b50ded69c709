"""What ``ft status`` says of blocks that cannot be had or read again, and of those that are less proven than others."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ft.cli.said import shown

LISTED_MAX: Final = 5
"""Ranges that are named for each network; all are counted."""
_SAID_MAX: Final = 300
"""Characters of what the providers say."""

Row = tuple[Any, ...]


def waiting_lines(rows: Sequence[Row]) -> Iterable[str]:
    """Lines from the query ``waits``."""
    for network, height, seconds, error in rows:
        said = shown(error if len(error) <= _SAID_MAX else error[:_SAID_MAX] + "…")
        yield f"[red]{network} stands still: block {height} cannot be had since {seconds} s: {said}[/]"


def lacking_lines(rows: Sequence[Row]) -> Iterable[str]:
    """Lines from the query ``lacking``."""
    for network, first, last in rows:
        blocks = f"block {first} lists" if first == last else f"blocks {first} to {last} list"
        yield f"{network}: {blocks} a state sync whose receipt no provider has; a follower asks again until it is final"


def lost_lines(rows: Sequence[Row]) -> Iterable[str]:
    """Lines from the query ``lost``."""
    for topic, offset in rows:
        yield (
            f"{topic} begins at offset {offset:,}: what was read before was lost with an earlier Kafka. The journal "
            "has it; `ft rebuild ledger` cannot read it again."
        )


def lesser_lines(rows: Sequence[Row]) -> Iterable[str]:
    """Lines from the query ``lesser``, with the command that reads each range anew."""
    for at, (network, first, last, how, stretches) in enumerate(rows, 1):
        blocks = f"block {first} is" if first == last else f"blocks {first} to {last} are"
        yield (
            f"{network}: {blocks} less proven ({how}): with a provider that proves them, "
            f"`ft replace {network} --from {first} --to {last} --rpc URL`"
        )
        if stretches > LISTED_MAX and (at == len(rows) or rows[at][0] != network):
            yield f"{network}: … and {stretches - LISTED_MAX:,} more such ranges"
