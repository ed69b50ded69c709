"""Source, EVM proofs: what a provider sends is checked against the block's header before it becomes a raw record.

- proof ``receipts``: receiptsRoot is recomputed from the receipts, so no log can be dropped, added or changed unseen
- proof ``logs``: the fallback, logs against the header's logsBloom; a log whose bits others set too can be missing
- block hash: recomputed from the header, so header and receipts cannot be forged together

Nothing rests on a node's logIndex: some count anew in each transaction, some from elsewhere. Whether a network's
headers mean what Ethereum's mean (Ethermint's do not) is the network's configuration.
"""

from collections.abc import Iterable, Sequence

from ft.schemas.keccak import keccak
from ft.schemas.rlp import encode_bytes, encode_int, encode_list, ordered_root
from ft.streams.sources.evm.answers import (
    Block,
    Lacking,
    Log,
    ProofError,
    Receipt,
    hex_bytes,
    hex_int,
    read_block,
    read_logs,
    read_receipts,
)
from ft.streams.sources.evm.bloom import BLOOM_BYTES, bloom_of

__all__ = [
    "Block",
    "Lacking",
    "Log",
    "ProofError",
    "Receipt",
    "block_hash",
    "check_log",
    "check_receipt",
    "encode_receipt",
    "fits_filter",
    "logs_bloom",
    "missing_bits",
    "name_of",
    "read_block",
    "read_logs",
    "read_receipts",
    "receipts_root",
    "state_sync_hash",
    "unset_bits",
    "verify_block_hash",
    "verify_logs",
    "verify_receipts",
]

_DEPOSIT = 0x7E
_TOPIC_LISTS = {count: encode_list([b"\xa0" + bytes(32)] * count)[: -33 * count or None] for count in range(5)}
"""The RLP prefix of a list of so many topics."""


def receipts_root(receipts: Sequence[Receipt]) -> bytes:
    """The root of the trie of these receipts, which must be the block's, all and in order. Raises ProofError.

    Each receipt's logsBloom is taken as given: the root covers it.
    """
    return ordered_root([encode_receipt(receipt) for receipt in receipts])


def encode_receipt(receipt: Receipt) -> bytes:
    """The consensus encoding of a receipt: legacy, or its type byte and the same list (EIP-2718). Raises ProofError.

    OP-stack deposits carry their nonce and version in it since Canyon, which is when the node states a version.
    """
    return _encoded(receipt, _bloom_of(receipt))


def _encoded(receipt: Receipt, bloom: bytes) -> bytes:
    fields = [
        _outcome(receipt),
        encode_int(hex_int(receipt.cumulative_gas_used, "cumulativeGasUsed")),
        encode_bytes(bloom),
        encode_list([_encode_log(log) for log in receipt.logs]),
    ]
    kind = 0 if receipt.type is None else hex_int(receipt.type, "a receipt's type")
    if kind == _DEPOSIT and receipt.deposit_receipt_version is not None:
        fields.append(encode_int(hex_int(receipt.deposit_nonce, "depositNonce")))
        fields.append(encode_int(hex_int(receipt.deposit_receipt_version, "depositReceiptVersion")))
    if kind > 0x7F:
        raise ProofError(f"expected a receipt's type of at most 0x7f, got {kind:#x}")
    return encode_list(fields) if kind == 0 else bytes((kind,)) + encode_list(fields)


def verify_receipts(block: Block, receipts: Sequence[Receipt]) -> int:
    """Prove a block's receipts: one a transaction, in order, placed where they say, and of the header's receiptsRoot.

    Returns the bits of the header's logsBloom that are in none of theirs: logs outside of them may set these.

    Polygon's state-sync receipt must be split off first; its transaction is not expected to have a receipt. A last one
    under the block's own hash holds what the chain itself has logged (Celo). Raises ProofError; Lacking for too few.
    """
    outside = state_sync_hash(block)
    hashes = [each for each in block.transaction_hashes if each != outside]
    if len(receipts) == len(hashes) + 1 and receipts[-1].transaction_hash.lower() == block.hash.lower():
        hashes.append(block.hash.lower())
    if len(receipts) != len(hashes):
        kind = Lacking if len(receipts) < len(hashes) else ProofError
        raise kind(f"{name_of(block)}: expected {len(hashes)} receipts, one a transaction, got {len(receipts)}")
    for index, (receipt, tx_hash) in enumerate(zip(receipts, hashes, strict=True)):
        if receipt.transaction_hash.lower() != tx_hash:
            raise ProofError(
                f"{name_of(block)}: expected receipt {index} of {tx_hash}, got {receipt.transaction_hash[:80]}"
            )
        if hex_int(receipt.transaction_index, "transactionIndex") != index:
            raise ProofError(f"{name_of(block)}: expected transactionIndex {index}, got {receipt.transaction_index}")
        check_receipt(block, receipt)
    blooms = [_bloom_of(receipt) for receipt in receipts]
    expected = hex_bytes(block.receipts_root, "receiptsRoot", 32)
    computed = ordered_root([_encoded(receipt, bloom) for receipt, bloom in zip(receipts, blooms, strict=True)])
    if computed != expected:
        raise ProofError(f"{name_of(block)}: expected receiptsRoot 0x{expected.hex()}, computed 0x{computed.hex()}")
    made = 0
    for bloom in set(blooms):
        made |= int.from_bytes(bloom, "big")
    return _filter_if_any(block) & ~made


def unset_bits(bits: int, logs: Iterable[Log]) -> int:
    """Those of the bits of a filter that none of these logs sets. Raises ProofError."""
    known = dict[bytes, int]()
    for log in logs:
        bits &= ~_bits_of(log, known)
    return bits


def state_sync_hash(block: Block) -> str:
    """The hash of Polygon's state-sync pseudo-transaction in this block, were there one."""
    number = hex_int(block.number, "a block's number")
    if number >= 1 << 64:
        raise ProofError(f"expected a block's number of at most 64 bits, got {block.number}")
    return f"0x{keccak(b'matic-bor-receipt-' + number.to_bytes(8, 'big') + _hash(block)).hex()}"


def logs_bloom(logs: Iterable[Log]) -> bytes:
    """The bloom filter of these logs, 256 bytes. Raises ProofError."""
    items = {item for log in logs for item in _bloom_items(log)}
    return bloom_of(items).to_bytes(BLOOM_BYTES, "big")


def verify_logs(block: Block, logs: Sequence[Log]) -> None:
    """Check that these logs of the block (unfiltered eth_getLogs) make its logsBloom. Raises ProofError."""
    if missing := missing_bits(block, logs):
        raise Lacking(
            f"{name_of(block)}: expected logs that make its logsBloom, got {len(logs)} that leave {missing} bits unset"
        )


def missing_bits(block: Block, logs: Sequence[Log]) -> int:
    """How many bits of the header's logsBloom are set by none of these logs; 0: together they make it.

    1. each is of this block; 2. each is in the filter, also one of no transaction, as some chains log by themselves;
    3. none comes twice. Polygon's state-sync logs must be split off first. Raises ProofError.
    """
    expected = _filter(block)
    computed, known = 0, dict[bytes, int]()
    for log in logs:
        check_log(block, log)
        bits = _bits_of(log, known)
        if bits & ~expected:
            items = (item for item in _bloom_items(log) if known[item] & ~expected)
            raise ProofError(
                f"{name_of(block)}: expected log {log.log_index} in logsBloom, got 0x{next(items).hex()}, "
                "which is not in it"
            )
        computed |= bits
    _check_repeats(block, logs)
    return (expected & ~computed).bit_count()


def fits_filter(block: Block, log: Log) -> bool:
    """Whether the header's logsBloom can hold the log. Raises ProofError."""
    return not _bits_of(log, {}) & ~_filter(block)


def block_hash(block: Block) -> bytes:
    """The hash of a block's header, recomputed. Raises ProofError where the node left out one of its fields."""
    fields = [
        encode_bytes(hex_bytes(block.parent_hash, "parentHash", 32)),
        encode_bytes(hex_bytes(block.sha3_uncles, "sha3Uncles", 32)),
        encode_bytes(hex_bytes(block.miner, "miner", 20)),
        encode_bytes(hex_bytes(block.state_root, "stateRoot", 32)),
        encode_bytes(hex_bytes(block.transactions_root, "transactionsRoot", 32)),
        encode_bytes(hex_bytes(block.receipts_root, "receiptsRoot", 32)),
        encode_bytes(hex_bytes(block.logs_bloom, "logsBloom", BLOOM_BYTES)),
        encode_int(hex_int(block.difficulty, "difficulty")),
        encode_int(hex_int(block.number, "number")),
        encode_int(hex_int(block.gas_limit, "gasLimit")),
        encode_int(hex_int(block.gas_used, "gasUsed")),
        encode_int(hex_int(block.timestamp, "timestamp")),
        encode_bytes(hex_bytes(block.extra_data, "extraData")),
        encode_bytes(hex_bytes(block.mix_hash, "mixHash", 32)),
        encode_bytes(hex_bytes(block.nonce, "nonce", 8)),
    ]
    return keccak(encode_list([*fields, *_later_fields(block)]))


def verify_block_hash(block: Block) -> None:
    """Check that the header's fields make the hash the node states. Raises ProofError."""
    expected, computed = _hash(block), block_hash(block)
    if computed != expected:
        raise ProofError(f"{name_of(block)}: expected a header of hash 0x{expected.hex()}, computed 0x{computed.hex()}")


def _later_fields(block: Block) -> list[bytes]:
    """The header's fields that forks appended: up to the last one present, absent ones before it as empty."""
    later = [
        None if block.base_fee_per_gas is None else encode_int(hex_int(block.base_fee_per_gas, "baseFeePerGas")),
        _optional_hash(block.withdrawals_root, "withdrawalsRoot"),
        None if block.blob_gas_used is None else encode_int(hex_int(block.blob_gas_used, "blobGasUsed")),
        None if block.excess_blob_gas is None else encode_int(hex_int(block.excess_blob_gas, "excessBlobGas")),
        _optional_hash(block.parent_beacon_block_root, "parentBeaconBlockRoot"),
        _optional_hash(block.requests_hash, "requestsHash"),
    ]
    while later and later[-1] is None:
        later.pop()
    return [b"\x80" if field is None else field for field in later]


def _optional_hash(text: str | None, what: str) -> bytes | None:
    return None if text is None else encode_bytes(hex_bytes(text, what, 32))


def _outcome(receipt: Receipt) -> bytes:
    """Status 0 or 1, or before Byzantium the state root after the transaction."""
    if receipt.status is not None:
        status = hex_int(receipt.status, "a receipt's status")
        if status > 1:
            raise ProofError(f"expected a receipt's status of 0x0 or 0x1, got {receipt.status}")
        return encode_int(status)
    return encode_bytes(hex_bytes(receipt.root, "a receipt's status or root", 32))


def _encode_log(log: Log) -> bytes:
    topics = log.topics
    prefix = _TOPIC_LISTS.get(len(topics))
    if prefix is None:
        raise ProofError(f"expected at most 4 topics of a log, got {len(topics)}")
    address = hex_bytes(log.address, "a log's address", 20)
    words = [b"\xa0" + hex_bytes(topic, "a topic", 32) for topic in topics]
    data = hex_bytes(log.data or "0x", "a log's data")
    return encode_list((b"\x94", address, prefix, *words, encode_bytes(data)))


def _bloom_items(log: Log) -> Iterable[bytes]:
    yield hex_bytes(log.address, "a log's address", 20)
    for topic in log.topics:
        yield hex_bytes(topic, "a topic", 32)


def _bloom_of(receipt: Receipt) -> bytes:
    return hex_bytes(receipt.logs_bloom, "a receipt's logsBloom", BLOOM_BYTES)


def _filter_if_any(block: Block) -> int:
    """0 where the node tells no filter: receipts need none, and the header does not make its hash."""
    try:
        return _filter(block)
    except ProofError:
        return 0


def _filter(block: Block) -> int:
    return int.from_bytes(hex_bytes(block.logs_bloom, "a block's logsBloom", BLOOM_BYTES), "big")


def _bits_of(log: Log, known: dict[bytes, int]) -> int:
    """The bits that a log sets; each item's are computed once."""
    bits = 0
    for item in _bloom_items(log):
        if item not in known:
            known[item] = bloom_of((item,))
        bits |= known[item]
    return bits


def check_receipt(block: Block, receipt: Receipt) -> None:
    """The receipt and its logs say that they are of this block, and the logs of this receipt. Raises ProofError."""
    if (receipt.block_hash or "").lower() != block.hash.lower():
        raise ProofError(f"{name_of(block)}: expected a receipt of this block, got one of {receipt.block_hash}")
    tx_hash = receipt.transaction_hash.lower()
    for log in receipt.logs:
        check_log(block, log)
        if (log.transaction_hash or "").lower() != tx_hash:
            raise ProofError(f"{name_of(block)}: expected log {log.log_index} of {tx_hash}, got {log.transaction_hash}")


def check_log(block: Block, log: Log) -> None:
    """The log is of this block, and not removed. Raises ProofError."""
    if (log.block_hash or "").lower() != block.hash.lower():
        raise ProofError(f"{name_of(block)}: expected log {log.log_index} of this block, got one of {log.block_hash}")
    if log.removed:
        raise ProofError(
            f"{name_of(block)}: expected logs of the block as it is, got log {log.log_index} marked as removed"
        )


def _check_repeats(block: Block, logs: Sequence[Log]) -> None:
    """The same log twice, where the node numbers the logs of a transaction apart: a filter would not show it."""
    placed: dict[tuple[str | None, str | None], Log] = {}
    repeated: Log | None = None
    for log in logs:
        other = placed.setdefault((log.transaction_hash, log.log_index), log)
        if other is log:
            continue
        if (other.address, other.topics, other.data) != (log.address, log.topics, log.data):
            return  # its logIndex tells nothing apart
        repeated = log
    if repeated is not None:
        raise ProofError(
            f"{name_of(block)}: expected each log once, got log {repeated.log_index} of "
            f"{repeated.transaction_hash} twice"
        )


def _hash(block: Block) -> bytes:
    return hex_bytes(block.hash, "a block's hash", 32)


def name_of(block: Block) -> str:
    return f"block {block.number[:20]} ({block.hash[:66]})"
