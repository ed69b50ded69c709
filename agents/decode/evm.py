"""raw -> normalized, EVM: one raw block in, its NFT events out. Pure: no clock, no network, no Kafka.

1. read the parts (block; receipts or logs; Polygon's state_sync), skipping all that decoding does not need
2. keep the logs whose topic0 a decoder knows, in the order of the chain
3. give each its n, and let the decoder of its standard read it
4. collect events as columns, mismatched logs as quarantine

Receipts and logs of the same block give the same ids: n counts only logs of one contract and topic0, so a filtered
query sees the same positions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType

import msgspec
import sha3

from ft.agents.decode import cryptopunks, erc404, erc721, erc1155, erc2309, legacy, model
from ft.agents.decode.events import CreatedContract, DecodedBlock, Events, Quarantined
from ft.agents.decode.model import ZERO_ADDRESS, Block, Header, Log, Receipt
from ft.agents.decode.topics import (
    CONSECUTIVE_TRANSFER,
    ERC721_TRANSFER,
    TRANSFER,
    TRANSFER_BATCH,
    TRANSFER_SINGLE,
)
from ft.agents.decode.words import IGNORED, Ignored, Mismatch, Outcome
from ft.errors import MalformedRecord

_DECODERS: Mapping[str, tuple[Callable[[Log], Outcome], str]] = MappingProxyType(
    {
        TRANSFER: (erc721.decode, erc721.STANDARD),
        TRANSFER_SINGLE: (erc1155.decode_single, erc1155.STANDARD),
        ERC721_TRANSFER: (erc404.decode, erc404.STANDARD),
    }
)
_LIMITED = frozenset({CONSECUTIVE_TRANSFER, TRANSFER_BATCH})
"""Events of many movements: a block has room for so many of each kind."""
_Picked = tuple[int, str, Log]


def decode_block(
    network: str,
    block: bytes,
    *,
    receipts: bytes | None = None,
    logs: bytes | None = None,
    state_sync: bytes | None = None,
) -> DecodedBlock:
    """Decode one block from its raw parts, each the node's JSON.

    ``block``: the answer of eth_getBlockByNumber. Exactly one of ``receipts`` (a list of receipts) and ``logs`` (a list
    of logs; ``block`` then has full transactions). ``state_sync``: a receipt, a list of receipts or a list of logs that
    lie outside receiptsRoot; what the other part holds already is not counted twice.
    Raises MalformedRecord if a part is not that, or names no sender for a transaction with NFT events.
    """
    if (receipts is None) == (logs is None):
        raise ValueError("expected either receipts or logs of the block, got both or neither")
    parts = _Parts(receipts=receipts, logs=logs, state_sync=state_sync)
    header, senders, created = _read(block, parts)
    work = _Pass(network=network, header=header, senders=senders, parts=parts)
    work.decode(_pick(parts.all_logs(), work.topics))
    return DecodedBlock(
        network=network,
        number=model.long_quantity(header.number, "a block's number"),
        hash=work.block_hash,
        parent_hash=model.block_or_tx_hash(header.parent_hash, "a block's parentHash"),
        time=model.long_quantity(header.timestamp, "a block's timestamp"),
        senders=senders,
        events=work.events,
        quarantined=tuple(work.quarantined),
        created=created,
    )


def state_sync_hash(number: int, block_hash: str) -> str:
    """The hash of Polygon's state-sync pseudo-transaction of a block (before the Madhugiri fork made it a real one)."""
    text = b"matic-bor-receipt-" + number.to_bytes(8, "big") + bytes.fromhex(block_hash[2:])
    return f"0x{sha3.keccak_256(text).hexdigest()}"


@dataclass(slots=True, kw_only=True)
class _Parts:
    """The parts of a raw block, and the logs they hold in the parts' order."""

    receipts: bytes | None
    logs: bytes | None
    state_sync: bytes | None
    main_logs: list[Log] = field(default_factory=list)
    extra_logs: list[Log] = field(default_factory=list)
    extra_from_receipts: bool = False
    extra_body: bytes = b"[]"
    _positions: dict[int, int] = field(default_factory=dict)
    _raw: list[msgspec.Raw] = field(default_factory=list)

    def all_logs(self) -> Iterable[Log]:
        """The logs to decode. A state-sync log that the main part holds too comes once."""
        if not self.extra_logs:
            return self.main_logs
        known = {log.transaction_hash.lower() for log in self.main_logs}
        return [*self.main_logs, *(log for log in self.extra_logs if log.transaction_hash.lower() not in known)]

    def raw(self, log: Log) -> bytes:
        """The bytes of a log. Reads the parts once more, the first time: quarantine is rare."""
        if not self._raw:
            main = self.logs if self.receipts is None else self.receipts
            self._raw.extend(model.raw_logs(main or b"[]", from_receipts=self.receipts is not None))
            self._raw.extend(model.raw_logs(self.extra_body, from_receipts=self.extra_from_receipts))
            self._positions.update({id(each): at for at, each in enumerate([*self.main_logs, *self.extra_logs])})
        return bytes(self._raw[self._positions[id(log)]])


def _read(block: bytes, parts: _Parts) -> tuple[Header, dict[str, str], tuple[CreatedContract, ...]]:
    """Step 1: the header, who sent each transaction, what was created; the logs go into ``parts``."""
    found: list[Receipt] = []
    if parts.receipts is not None:
        found = model.parse(model.RECEIPTS, parts.receipts, "a list of receipts")
    complete = parts.receipts is not None and all(receipt.sender is not None for receipt in found)
    header: Header = (
        model.parse(model.HEADER, block, "a block") if complete else model.parse(model.BLOCK, block, "a block")
    )
    senders: dict[str, str] = {}
    if isinstance(header, Block):
        for transaction in header.transactions or ():
            if not isinstance(transaction, str) and transaction.sender is not None:
                senders[_tx_hash(transaction.hash)] = _sender(transaction.sender)
    if parts.logs is not None:
        parts.main_logs = model.parse(model.LOGS, parts.logs, "a list of logs")
    else:
        parts.main_logs = [log for receipt in found if receipt.logs for log in receipt.logs]
    if parts.state_sync is not None:
        found = [*found, *_read_state_sync(parts)]
    for receipt in found:
        if receipt.sender is not None:
            senders[_tx_hash(receipt.transaction_hash)] = _sender(receipt.sender)
    return header, senders, tuple(_created(found))


def _read_state_sync(parts: _Parts) -> list[Receipt]:
    body = (parts.state_sync or b"").strip()
    if body in (b"", b"null", b"[]"):
        return []
    if body.startswith(b"{"):
        body = b"[" + body + b"]"
    parts.extra_body = body
    items = model.parse(model.RAW_LIST, body, "a state-sync receipt, a list of receipts or a list of logs")
    try:
        parts.extra_from_receipts = "logs" in msgspec.json.decode(items[0], type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as exc:
        raise MalformedRecord(f"expected a state-sync receipt or log as a JSON object: {exc}") from exc
    if not parts.extra_from_receipts:
        parts.extra_logs = model.parse(model.LOGS, body, "a list of state-sync logs")
        return []
    receipts = model.parse(model.RECEIPTS, body, "a list of state-sync receipts")
    parts.extra_logs = [log for receipt in receipts for log in receipt.logs or ()]
    return receipts


def _created(receipts: Iterable[Receipt]) -> Iterable[CreatedContract]:
    """Contracts of successful receipts; before Byzantium a receipt has no status, and a failed one logs nothing."""
    for receipt in receipts:
        text, status = receipt.contract_address, receipt.status
        if not text or text == "0x" or (status and model.long_quantity(status, "a receipt's status") != 1):
            continue
        contract = model.address(text, "a receipt's contractAddress")
        if contract != ZERO_ADDRESS:
            yield CreatedContract(contract=contract, tx_hash=_tx_hash(receipt.transaction_hash))


def _pick(logs: Iterable[Log], topics: frozenset[str]) -> list[_Picked]:
    """Step 2: the logs worth a look, by log_index; ties (some chains count anew in a transaction) keep their order."""
    picked = [
        (model.log_index_of(log), topic0, log)
        for log in logs
        if log.topics and (topic0 := log.topics[0].lower()) in topics and not log.removed
    ]
    picked.sort(key=itemgetter(0))
    return picked


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One pass over a block's picked logs."""

    network: str
    header: Header
    senders: Mapping[str, str]
    parts: _Parts
    events: Events = field(default_factory=Events)
    quarantined: list[Quarantined] = field(default_factory=list)
    block_hash: str = ""
    topics: frozenset[str] = _LIMITED | frozenset(_DECODERS)
    layouts: Mapping[str, legacy.Layout] = field(default_factory=dict)
    punks: str = ""
    _ids_room: int = erc2309.BLOCK_IDS_MAX
    _entries_room: int = erc1155.BLOCK_ENTRIES_MAX
    _punk_transfers: dict[str, Log] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.block_hash = model.block_or_tx_hash(self.header.hash, "a block's hash")
        self.layouts = legacy.layouts_of(self.network)
        if self.network == cryptopunks.NETWORK:
            self.punks = cryptopunks.CONTRACT
            self.topics |= cryptopunks.TOPICS

    def decode(self, picked: Iterable[_Picked]) -> None:
        """Steps 3 and 4. Addresses and hashes are checked and lowered once for each spelling."""
        counts: dict[tuple[str, str, str], int] = {}
        contracts: dict[str, str] = {}
        tx_hashes: dict[str, str] = {}
        for log_index, topic0, log in picked:
            contract = contracts.get(log.address)
            if contract is None:
                contract = contracts[log.address] = model.address(log.address, "a log's address")
            tx_hash = tx_hashes.get(log.transaction_hash)
            if tx_hash is None:
                tx_hash = tx_hashes[log.transaction_hash] = _tx_hash(log.transaction_hash)
            source = (tx_hash, contract, topic0)
            n = counts.get(source, 0)
            counts[source] = n + 1
            if topic0 == TRANSFER and len(log.topics) != 4 and contract not in self.layouts and contract != self.punks:
                continue  # ERC-20 or unknown: counted, nothing else
            outcome, standard = self._outcome(source, log)
            if isinstance(outcome, Mismatch):
                self._quarantine(source, log_index, log, outcome)
            elif outcome is not IGNORED and outcome:
                self.events.add(source, n, log_index, self._sender_of(tx_hash), standard, outcome)

    def _outcome(self, source: tuple[str, str, str], log: Log) -> tuple[Outcome, str]:
        """What the log's decoder says, and its standard. Cases: CryptoPunks, listed, a range, a batch, any other."""
        tx_hash, contract, topic0 = source
        if contract == self.punks:
            if topic0 == TRANSFER:
                self._punk_transfers[tx_hash] = log
                return IGNORED, cryptopunks.STANDARD
            preceding = self._punk_transfers.get(tx_hash)
            return cryptopunks.decode(log, topic0=topic0, preceding=preceding), cryptopunks.STANDARD
        if topic0 == TRANSFER and (layout := self.layouts.get(contract)) is not None:
            return legacy.decode(log, layout=layout), legacy.STANDARD
        if topic0 == CONSECUTIVE_TRANSFER:
            outcome = erc2309.decode(log, room=self._ids_room)
            self._ids_room -= 0 if isinstance(outcome, (Mismatch, Ignored)) else len(outcome)
            return outcome, erc2309.STANDARD
        if topic0 == TRANSFER_BATCH:
            outcome = erc1155.decode_batch(log, room=self._entries_room)
            self._entries_room -= 0 if isinstance(outcome, (Mismatch, Ignored)) else len(outcome)
            return outcome, erc1155.STANDARD
        known = _DECODERS.get(topic0)
        if known is None:
            return IGNORED, ""  # a CryptoPunks topic of another contract
        decoder, standard = known
        return decoder(log), standard

    def _quarantine(self, source: tuple[str, str, str], log_index: int, log: Log, mismatch: Mismatch) -> None:
        tx_hash, contract, topic0 = source
        self.quarantined.append(
            Quarantined(
                contract=contract,
                tx_hash=tx_hash,
                log_index=log_index,
                topic0=topic0,
                reason=mismatch.reason,
                log=self.parts.raw(log),
            )
        )

    def _sender_of(self, tx_hash: str) -> str:
        sender = self.senders.get(tx_hash)
        if sender is not None:
            return sender
        if tx_hash == state_sync_hash(model.long_quantity(self.header.number, "a block's number"), self.block_hash):
            return ZERO_ADDRESS
        raise MalformedRecord(f"expected the sender of {tx_hash} in the receipts or the block's transactions, got none")


def _tx_hash(text: str) -> str:
    return model.block_or_tx_hash(text, "a transaction's hash")


def _sender(text: str) -> str:
    return model.address(text, "a transaction's from")
