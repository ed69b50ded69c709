"""raw -> normalized, Polygon's state sync: deposits that no user's transaction brings.

Until the Madhugiri fork they are logged by a pseudo-transaction whose receipt lies outside of receiptsRoot; since
then by a transaction of a type of its own under the root. Some nodes tell both, with the same logs.
"""

from ft.agents.decode.model import Log
from ft.schemas.keccak import keccak


def state_sync_hash(number: int, block_hash: str) -> str:
    """The hash of the pseudo-transaction of a block: it follows from the block's number and hash."""
    text = b"matic-bor-receipt-" + number.to_bytes(8, "big") + bytes.fromhex(block_hash[2:])
    return f"0x{keccak(text).hex()}"


def without(logs: list[Log], pseudo: str) -> list[Log]:
    """The logs without those of the pseudo-transaction."""
    return [log for log in logs if log.transaction_hash.lower() != pseudo]


def settle(main: list[Log], typed: list[Log], outside: list[Log], pseudo: str) -> tuple[list[Log], list[Log]]:
    """The block's logs in order, state sync last, each counted once; and those that are refused.

    ``main``: proven with the block, but for ``typed``, those of the typed transaction. ``outside``: the logs of the
    part that lies outside. Cases:
    1. the typed transaction logged: what is told under the pseudo-transaction is the same, and does not count
    2. the main part holds the pseudo-transaction's logs: so does the part outside, which does not count
    3. else the part outside counts, but for logs of another transaction, which are refused
    """
    if typed:
        return [*without(main, pseudo), *typed], []
    inside = without(main, pseudo)
    if len(inside) < len(main):
        return [*inside, *(log for log in main if log.transaction_hash.lower() == pseudo)], []
    refused = without(outside, pseudo)
    return [*main, *(log for log in outside if log.transaction_hash.lower() == pseudo)], refused
