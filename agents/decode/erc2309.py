"""raw -> normalized, ERC-2309: ConsecutiveTransfer moves an inclusive range of tokens with one log."""

from ft.agents.decode.model import Log
from ft.agents.decode.words import LayoutError, Mismatch, Outcome, account, data_words, indexed_words, number

STANDARD = "erc721"
RANGE_IDS_MAX = 10_000
"""Ids of one range, at most; a longer one is quarantined."""
BLOCK_IDS_MAX = 100_000
"""Ids of all ranges of one block, at most; ranges beyond are quarantined."""


def decode(log: Log, *, room: int = BLOCK_IDS_MAX) -> Outcome:
    """One movement an id, ascending. ``room``: how many ids this block may still expand."""
    try:
        words = indexed_words(log, 3)
        first, last = number(words, 0), number(data_words(log, 1), 0)
        from_account, to_account = account(words, 1), account(words, 2)
        count = last - first + 1
        if count < 1:
            raise LayoutError(f"expected toTokenId of at least fromTokenId ({first}), got {last}")
        if count > RANGE_IDS_MAX:
            raise LayoutError(f"expected a range of at most {RANGE_IDS_MAX} ids, got {count} ({first} to {last})")
        if count > room:
            raise LayoutError(
                f"expected at most {BLOCK_IDS_MAX} ids of ranges a block (room for {room}), got {count} more"
            )
    except LayoutError as exc:
        return Mismatch(f"ERC-2309 ConsecutiveTransfer: {exc}")
    return [(str(token_id), from_account, to_account, None, "1") for token_id in range(first, last + 1)]
