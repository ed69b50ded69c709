"""Source, EVM: Polygon's state sync, whose receipt stood outside of receiptsRoot before the Madhugiri fork.

Such a receipt stands on the provider's word. It is taken if its hash is the one that number and block hash make, in a
block that can have one; any other is refused, which means left out, and the block is no worse for it. After the fork
state sync is a typed transaction with a hash of its own, proven like any other: an outside receipt beside it is the
same told twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ft.networks import Network
from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import Block, Log, ProofError, Receipt, hex_int

SPRINT: Final = 16
"""Polygon commits state every so many blocks (64 before Delhi, a multiple)."""
TYPE: Final = "0x7f"
"""Of the transaction that it is after Madhugiri."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Positions in a list of receipts or logs: under the root or filter, and outside of it. Others are refused."""

    inside: tuple[int, ...]
    outside: tuple[int, ...] = ()


def is_listed(network: Network, block: Block) -> bool:
    """Whether the block lists the pseudo-transaction, so that there is a receipt of it."""
    return network.state_sync and proof.state_sync_hash(block) in block.transaction_hashes


def is_possible(network: Network, block: Block) -> bool:
    """Whether it may have one: it lists it, or ends a sprint without the typed transaction."""
    if not network.state_sync:
        return False
    ends_sprint = hex_int(block.number, "a block's number") % SPRINT == 0
    return is_listed(network, block) or (ends_sprint and not _is_typed(block))


def split_receipts(network: Network, block: Block, receipts: Sequence[Receipt]) -> Split:
    """Which receipts are under receiptsRoot, and the one outside of it. Raises ProofError where there are two, or
    where it says that it belongs to another block."""
    if not network.state_sync:
        return Split(inside=tuple(range(len(receipts))))
    own, known = proof.state_sync_hash(block), {*block.transaction_hashes, block.hash.lower()}
    outside = [at for at, each in enumerate(receipts) if each.transaction_hash.lower() == own]
    inside = [at for at, each in enumerate(receipts) if at not in outside and each.transaction_hash.lower() in known]
    if len(outside) > 1:
        raise ProofError(f"{proof.name_of(block)}: expected at most one state-sync receipt, got {len(outside)}")
    if outside and not is_possible(network, block):
        outside = []
    for at in outside:
        proof.check_receipt(block, receipts[at])
    _tell(network, block, len(receipts) - len(inside) - len(outside))
    return Split(inside=tuple(inside), outside=tuple(outside))


def split_logs(network: Network, block: Block, logs: Sequence[Log]) -> Split:
    """Which logs are under the header's filter, and those of the pseudo-transaction outside of it."""
    if not network.state_sync:
        return Split(inside=tuple(range(len(logs))))
    own, known, possible = proof.state_sync_hash(block), set(block.transaction_hashes), is_possible(network, block)
    inside, outside = list[int](), list[int]()
    for at, each in enumerate(logs):
        tx_hash = (each.transaction_hash or "").lower()
        if tx_hash == own:
            outside += [at] if possible else []
        elif tx_hash in known or proof.fits_filter(block, each):
            inside.append(at)
    _tell(network, block, len(logs) - len(inside) - len(outside))
    return Split(inside=tuple(inside), outside=tuple(outside))


def _is_typed(block: Block) -> bool:
    return any(not isinstance(each, str) and (each.type or "").lower() == TYPE for each in block.transactions)


def _tell(network: Network, block: Block, refused: int) -> None:
    if refused:
        log.warning(
            "state sync refused", network=network.slug, block=hex_int(block.number, "a block's number"),
            entries=refused, expected=proof.state_sync_hash(block),
        )  # fmt: skip
