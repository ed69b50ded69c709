"""raw -> normalized, CryptoPunks: the contract before the standards, and the one before that (V1).

Their three-topic Transfer counts punks and names none, so it is never a movement; but it fills in what PunkBought
forgets. In the known contract an accepted bid names no buyer (the bid is cleared before it is read): that is the
receiver of the Transfer just before. In V1 every sale names the buyer twice (the offer is overwritten before it is
read): the seller is the sender of the Transfer before.
"""

from typing import Final

from ft.agents.decode.model import ZERO_ADDRESS, Log
from ft.agents.decode.topics import ASSIGN, PUNK_BOUGHT, PUNK_TRANSFER
from ft.agents.decode.words import (
    IGNORED,
    LayoutError,
    Mismatch,
    Movement,
    Outcome,
    account,
    data_words,
    indexed_words,
    number,
)

STANDARD = "cryptopunks"
V1: Final = "cryptopunks_v1"
LAYOUTS: Final = frozenset({"cryptopunks", V1})
TOPICS: Final = frozenset({ASSIGN, PUNK_TRANSFER, PUNK_BOUGHT})


def decode(log: Log, layout: str | None, *, topic0: str, preceding: Log | None) -> Outcome:
    """One punk moves, or the log is something else of that contract. ``layout``: one of :data:`LAYOUTS`.

    ``preceding``: the contract's last three-topic Transfer before this log in its transaction, if any.
    1. Assign: minted; 2. PunkTransfer: given; 3. PunkBought: sold; 4. anything else: ignored.
    """
    try:
        if topic0 == ASSIGN:
            movement = _assigned(log)
        elif topic0 == PUNK_TRANSFER:
            movement = _transferred(log)
        elif topic0 == PUNK_BOUGHT:
            movement = _bought_v1(log, preceding) if layout == V1 else _bought(log, preceding)
        else:
            return IGNORED
        return (movement,)
    except LayoutError as exc:
        return Mismatch(f"CryptoPunks: {exc}")


def _assigned(log: Log) -> Movement:
    words, data = indexed_words(log, 1), data_words(log, 1)
    return str(number(data, 0)), ZERO_ADDRESS, account(words, 0), None, "1"


def _transferred(log: Log) -> Movement:
    words, data = indexed_words(log, 2), data_words(log, 1)
    return str(number(data, 0)), account(words, 0), account(words, 1), None, "1"


def _bought(log: Log, preceding: Log | None) -> Movement:
    words = indexed_words(log, 3)
    data_words(log, 1)
    seller, buyer = account(words, 1), account(words, 2)
    if buyer == ZERO_ADDRESS:
        buyer = _buyer_of_accepted_bid(seller, preceding)
    return str(number(words, 0)), seller, buyer, None, "1"


def _buyer_of_accepted_bid(seller: str, preceding: Log | None) -> str:
    sender, receiver = _ends(preceding, "without a buyer")
    if sender != seller:
        raise LayoutError(f"expected the Transfer before PunkBought to be from its seller {seller}, got {sender}")
    return receiver


def _bought_v1(log: Log, preceding: Log | None) -> Movement:
    words = indexed_words(log, 3)
    data_words(log, 1)
    buyer = account(words, 2)
    seller, receiver = _ends(preceding, "of the first contract, which names no seller")
    if receiver != buyer:
        raise LayoutError(f"expected the Transfer before PunkBought to be to its buyer {buyer}, got {receiver}")
    return str(number(words, 0)), seller, buyer, None, "1"


def _ends(preceding: Log | None, what: str) -> tuple[str, str]:
    if preceding is None:
        raise LayoutError(f"expected a Transfer before a PunkBought {what}, got none")
    words = indexed_words(preceding, 2)
    return account(words, 0), account(words, 1)
