"""raw -> normalized, the parts of a raw block: its logs in the order of the chain, and who sent each transaction.

The order is ours. Receipts come in the order of their transactions (receiptsRoot says so), and logs in their receipts;
listed logs follow the transactions of the block, and the node's index within a transaction only. What a node says of a
log's place in the block is not believed, so that an index that counts anew, is shifted, unsorted or missing harms
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import msgspec

from ft.agents.decode import model, statesync
from ft.agents.decode.model import Block, Header, Log, Receipt
from ft.errors import MalformedRecord


@dataclass(slots=True, kw_only=True)
class Parts:
    """What was read. Make it with :func:`read`."""

    header: Header
    number: int
    block_hash: str
    senders: Mapping[str, str]
    """Transaction hash -> sender, as the receipts or the block's transactions say."""
    receipts: Sequence[Receipt]
    logs: list[Log]
    """In the order of the chain: the position of a log is that in this list."""
    refused: list[Log]
    """Logs told outside of the block's root under a hash that this block does not make."""
    _bodies: tuple[tuple[bytes, bool], ...] = ()
    _told: list[Log] = field(default_factory=list)
    _raw: dict[int, bytes] = field(default_factory=dict)

    def raw(self, log: Log) -> bytes:
        """The bytes of a log. Reads the parts once more, the first time: quarantine is rare."""
        if not self._raw:
            found = [raw for body, told in self._bodies for raw in model.raw_logs(body, from_receipts=told)]
            self._raw = {id(each): bytes(raw) for each, raw in zip(self._told, found, strict=True)}
        return self._raw[id(log)]


def read(
    block: bytes,
    *,
    receipts: bytes | None,
    logs: bytes | None,
    state_sync: bytes | None,
    outside: bytes | None = None,
) -> Parts:
    """Read the parts. ``outside``: logs of no transaction beside receipts, after those of all transactions.

    Raises MalformedRecord for what is no such part.
    """
    found: list[Receipt] = []
    if receipts is not None:
        found = model.parse(model.RECEIPTS, receipts, "a list of receipts")
    complete = receipts is not None and all(receipt.sender is not None for receipt in found)
    header: Header = (
        model.parse(model.HEADER, block, "a block") if complete else model.parse(model.BLOCK, block, "a block")
    )
    number = model.long_quantity(header.number, "a block's number")
    block_hash = model.block_or_tx_hash(header.hash, "a block's hash")
    body, outside_receipts, extra = _outside(state_sync)
    if logs is not None:
        told: list[Log] = [*model.listed_logs(logs, block_hash)]
        main, typed = _ordered(told, header)
    else:
        told = [log for receipt in found if receipt.logs for log in receipt.logs]
        main, typed = _by_receipts(found, told)
    others = [] if outside is None else model.outside_logs(outside, block_hash)
    main = [*main, *_by_index(_standing(others))] if others else main
    refused: list[Log] = []
    if typed or extra:
        pseudo = statesync.state_sync_hash(number, block_hash)
        main, refused = statesync.settle(main, typed, _standing(_by_index(extra)), pseudo)
    return Parts(
        header=header,
        number=number,
        block_hash=block_hash,
        senders=_senders(header, [*found, *outside_receipts]),
        receipts=found,
        logs=main,
        refused=refused,
        _bodies=((logs or receipts or b"[]", logs is None), (outside or b"[]", False), (body, bool(outside_receipts))),
        _told=[*told, *others, *extra],
    )


def _by_receipts(receipts: Sequence[Receipt], told: list[Log]) -> tuple[list[Log], list[Log]]:
    """The logs of the receipts, those of a typed state-sync transaction apart."""
    main = _standing(told)
    sync = [receipt for receipt in receipts if receipt.type == model.STATE_SYNC_TYPE and receipt.logs]
    if not sync:
        return main, []
    typed = _standing([log for receipt in sync for log in receipt.logs or ()])
    apart = {id(log) for log in typed}
    return [log for log in main if id(log) not in apart], typed


def _ordered(told: list[Log], header: Header) -> tuple[list[Log], list[Log]]:
    """Listed logs by the place of their transaction, then by the node's index within it, where it has one for all.

    Logs of no transaction of the block, among them those under the block's own hash, come after all others.
    """
    transactions = (header.transactions if isinstance(header, Block) else None) or ()
    places: dict[str, int] = {}
    sync: set[str] = set()
    for place, transaction in enumerate(transactions):
        tx_hash = transaction if isinstance(transaction, str) else transaction.hash
        places[tx_hash.lower()] = place
        if not isinstance(transaction, str) and transaction.type == model.STATE_SYNC_TYPE:
            sync.add(tx_hash.lower())
    last = len(places)
    standing = _standing(told)
    indexes = [model.log_index_of(log) for log in standing]
    found = [places.get(log.transaction_hash.lower(), last) for log in standing]
    unplaced = {place for place, index in zip(found, indexes, strict=True) if index < 0} if -1 in indexes else ()
    keys = [(place, 0 if place in unplaced else index) for place, index in zip(found, indexes, strict=True)]
    main = [standing[at] for at in sorted(range(len(standing)), key=keys.__getitem__)]
    if not sync:
        return main, []
    typed = [log for log in main if log.transaction_hash.lower() in sync]
    return [log for log in main if log.transaction_hash.lower() not in sync], typed


def _outside(part: bytes | None) -> tuple[bytes, list[Receipt], Sequence[Log]]:
    """Of the part outside of the root: its bytes as a list, its receipts if it has any, and its logs."""
    body = (part or b"").strip()
    if body in (b"", b"null", b"[]"):
        return b"[]", [], []
    if body.startswith(b"{"):
        body = b"[" + body + b"]"
    items = model.parse(model.RAW_LIST, body, "a state-sync receipt, a list of receipts or a list of logs")
    try:
        from_receipts = "logs" in msgspec.json.decode(items[0], type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as exc:
        raise MalformedRecord(f"expected a state-sync receipt or log as a JSON object: {exc}") from exc
    if not from_receipts:
        return body, [], model.parse(model.LOGS, body, "a list of state-sync logs")
    receipts = model.parse(model.RECEIPTS, body, "a list of state-sync receipts")
    return body, receipts, [log for receipt in receipts for log in receipt.logs or ()]


def _standing(logs: Sequence[Log]) -> list[Log]:
    """The logs that the node does not mark as removed."""
    return [log for log in logs if not log.removed]


def _by_index(logs: Sequence[Log]) -> Sequence[Log]:
    """Logs of one transaction by the node's index, where all have one: those of a receipt stay as they are."""
    indexes = [model.log_index_of(log) for log in logs]
    if min(indexes, default=-1) < 0:
        return logs
    return [log for _, log in sorted(zip(indexes, logs, strict=True), key=itemgetter(0))]


def _senders(header: Header, receipts: Sequence[Receipt]) -> dict[str, str]:
    senders: dict[str, str] = {}
    if isinstance(header, Block):
        for transaction in header.transactions or ():
            if not isinstance(transaction, str) and transaction.sender is not None:
                senders[model.tx_hash(transaction.hash)] = _sender(transaction.sender)
    for receipt in receipts:
        if receipt.sender is not None:
            senders[model.tx_hash(receipt.transaction_hash)] = _sender(receipt.sender)
    return senders


def _sender(text: str) -> str:
    return model.address(text, "a transaction's from")
