"""raw -> normalized, ERC-1155: TransferSingle and TransferBatch, indexed operator, from, to."""

from ft.agents.decode.model import Log
from ft.agents.decode.words import (
    LayoutError,
    Mismatch,
    Outcome,
    account,
    data_bytes,
    data_words,
    indexed_words,
    number,
    uint_array,
)

STANDARD = "erc1155"
BLOCK_ENTRIES_MAX = 250_000
"""Entries of all batches of one block, at most; batches beyond are quarantined. An entry is 64 bytes of a block, less
where its arrays overlap, and several hundred of what follows."""


def decode_single(log: Log) -> Outcome:
    """One id moves. Quantity zero is an event that changes no balance, and stays an event."""
    try:
        words = indexed_words(log, 3)
        values = data_words(log, 2)
        operator, from_account, to_account = account(words, 0), account(words, 1), account(words, 2)
        return ((str(number(values, 0)), from_account, to_account, operator, str(number(values, 1))),)
    except LayoutError as exc:
        return Mismatch(f"ERC-1155 TransferSingle: {exc}")


def decode_batch(log: Log, *, room: int = BLOCK_ENTRIES_MAX) -> Outcome:
    """Each position of the two arrays is one movement, repeated ids included; an empty batch moves nothing.

    ``room``: how many entries this block may still have.
    """
    try:
        words = indexed_words(log, 3)
        data = data_bytes(log)
        ids, amounts = uint_array(data, 0, "ids", room), uint_array(data, 1, "values", room)
        if len(ids) != len(amounts):
            raise LayoutError(f"expected as many values as ids ({len(ids)}), got {len(amounts)}")
        operator, from_account, to_account = account(words, 0), account(words, 1), account(words, 2)
    except LayoutError as exc:
        return Mismatch(f"ERC-1155 TransferBatch: {exc}")
    return [
        (str(token_id), from_account, to_account, operator, str(amount))
        for token_id, amount in zip(ids, amounts, strict=True)
    ]
