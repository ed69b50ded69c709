"""raw -> normalized, ERC-721: Transfer with three indexed arguments, hence four topics and no data."""

from ft.agents.decode.model import Log
from ft.agents.decode.words import LayoutError, Mismatch, Outcome, account, data_words, indexed_words, number

STANDARD = "erc721"


def decode(log: Log) -> Outcome:
    """One token moves; quantity 1. A self-transfer is an event like any other."""
    try:
        words = indexed_words(log, 3)
        if log.data != "0x":
            data_words(log, 0)
        return ((str(number(words, 2)), account(words, 0), account(words, 1), None, "1"),)
    except LayoutError as exc:
        return Mismatch(f"ERC-721 Transfer: {exc}")
