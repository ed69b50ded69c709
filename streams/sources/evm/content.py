"""Source, EVM: what a block's parts come to, whatever proves them: two answers of equal content have the same logs.

Logs stand in the order of their transactions, then as in the receipt, or by logIndex where only logs are known; those
of no transaction after them, and Polygon's state sync last.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from ft.schemas.events import RawPart
from ft.streams.sources.evm.answers import Block, Log, ProofError, hex_int, read_block, read_logs, read_receipts

_LAST = 1 << 62


def content_of(parts: Sequence[RawPart]) -> str:
    """A digest of the block's place and time and of its logs. Raises ProofError for parts that were not proven."""
    bodies = {part.name: part.bytes for part in parts}
    block = read_block(bodies["block"])
    logs = _of_receipts(bodies["receipts"]) if "receipts" in bodies else in_order(block, read_logs(bodies["logs"]))
    outside = read_logs(bodies["outside"]) if "outside" in bodies else ()
    extra = _either(bodies["state_sync"]) if "state_sync" in bodies else ()
    place = f"{block.number} {block.hash} {block.parent_hash} {block.timestamp}\n"
    return blake2b((place + digest_of((*logs, *outside, *extra))).lower().encode(), digest_size=16).hexdigest()


def digest_of(logs: Iterable[Log]) -> str:
    """A digest of these logs, in this order. A log of no transaction is under its block's hash, told or not."""
    lines = (
        f"{log.transaction_hash or log.block_hash} {log.address} {' '.join(log.topics)} {log.data or '0x'}\n"
        for log in logs
    )
    return blake2b("".join(lines).lower().encode(), digest_size=16).hexdigest()


def in_order(block: Block, logs: Sequence[Log]) -> list[Log]:
    """Logs of eth_getLogs by transaction, and within it by logIndex; equals keep their order."""
    places = {tx_hash: at for at, tx_hash in enumerate(block.transaction_hashes)}
    return sorted(logs, key=lambda log: (places.get((log.transaction_hash or "").lower(), _LAST), _index(log)))


def _index(log: Log) -> int:
    """Some nodes leave it out: then what stands first is first."""
    try:
        return hex_int(log.log_index, "a log's logIndex")
    except ProofError:
        return 0


def _of_receipts(body: bytes) -> list[Log]:
    return [log for receipt in read_receipts(body) for log in receipt.logs]


def _either(body: bytes) -> list[Log]:
    """State sync is kept as a list of receipts, or of logs where the node has no receipt of it."""
    try:
        return _of_receipts(body)
    except ProofError:
        return read_logs(body)
