"""raw -> normalized, CryptoPunks: the contract before the standards, on Ethereum only.

Its three-topic Transfer counts punks and names none, so it is never a movement; but when a bid is accepted,
PunkBought names neither buyer nor price (they are read after the bid was cleared), and the buyer is then the
receiver of the Transfer just before it.
"""

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
NETWORK = "ethereum"
CONTRACT = "0xb47e3cd837ddf8e4c57f05d70ab865de6e193bbb"
TOPICS = frozenset({ASSIGN, PUNK_TRANSFER, PUNK_BOUGHT})


def decode(log: Log, *, topic0: str, preceding: Log | None) -> Outcome:
    """One punk moves, or the log is something else of that contract.

    ``preceding``: the contract's last three-topic Transfer before this log in its transaction, if any.
    1. Assign: minted; 2. PunkTransfer: given; 3. PunkBought: sold; 4. anything else: ignored.
    """
    try:
        if topic0 == ASSIGN:
            movement = _assigned(log)
        elif topic0 == PUNK_TRANSFER:
            movement = _transferred(log)
        elif topic0 == PUNK_BOUGHT:
            movement = _bought(log, preceding)
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
    if preceding is None:
        raise LayoutError("expected a Transfer before a PunkBought without a buyer, got none")
    words = indexed_words(preceding, 2)
    sender = account(words, 0)
    if sender != seller:
        raise LayoutError(f"expected the Transfer before PunkBought to be from its seller {seller}, got {sender}")
    return account(words, 1)
