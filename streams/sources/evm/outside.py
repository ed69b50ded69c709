"""Source, EVM, pure: logs of no transaction that lie outside of proven receipts, as Celo's chain logs by itself.

Receipts that make the root hold every log of every transaction. A header's filter that holds more than they make says
that there may be other logs. Those are believed only from a list that has the logs of the receipts too: a list that is
late, or of a node that names no transactions, has not.
"""

from collections.abc import Sequence
from typing import Final

from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import Block, Log, Receipt
from ft.streams.sources.evm.content import digest_of, in_order

_ZERO: Final = "0x" + "0" * 64


def outside_of(block: Block, receipts: Sequence[Receipt], listed: Sequence[Log]) -> tuple[int, ...] | None:
    """The places of the logs of no transaction in a list of the block's logs; None where it is not to be believed.

    1. it has every log of the receipts, and no other of their transactions; 2. the others are of this block and of no
    transaction, and the header's filter can hold each. Raises ProofError.
    """
    hashes = {receipt.transaction_hash.lower() for receipt in receipts}
    own = [log for receipt in receipts for log in receipt.logs]
    places = [at for at, log in enumerate(listed) if (log.transaction_hash or "").lower() not in hashes]
    others = [listed[at] for at in places]
    rest = set(places)
    told = in_order(block, [log for at, log in enumerate(listed) if at not in rest])
    if digest_of(told) != digest_of(own):
        return None
    nobodys = {"", _ZERO, block.hash.lower()}
    for log in others:
        proof.check_log(block, log)
        if (log.transaction_hash or "").lower() not in nobodys or not proof.fits_filter(block, log):
            return None
    return tuple(places)
