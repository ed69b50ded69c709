"""raw -> normalized, ERC-404: ERC721Transfer moves the token; its ERC20Transfer is the same in coins.

Contracts of this kind that speak ERC-721's own Transfer for their tokens are decoded as ERC-721.
"""

from ft.agents.decode.model import Log
from ft.agents.decode.words import LayoutError, Mismatch, Outcome, account, data_words, indexed_words, number

STANDARD = "erc404"


def decode(log: Log) -> Outcome:
    """One token moves; quantity 1."""
    try:
        words = indexed_words(log, 3)
        data_words(log, 0)
        return ((str(number(words, 2)), account(words, 0), account(words, 1), None, "1"),)
    except LayoutError as exc:
        return Mismatch(f"ERC-404 ERC721Transfer: {exc}")
