"""raw -> normalized, EVM: one raw block in, its NFT events out. Pure: no clock, no network, no Kafka.

1. read the parts (block; receipts or logs; what lies outside of them, Polygon's state_sync too), skipping all that
   decoding does not need, and put the logs in the order of the chain
2. keep the logs whose topic0 a decoder knows; a log's place among all of the block is its position
3. give each its n, and let the decoder of its standard read it
4. collect events as columns, mismatched logs as quarantine; mark the echoes

Receipts and logs of the same block give the same ids: n counts only logs of one contract and topic0, so a filtered
query sees the same positions in a transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ft.agents.decode import cryptopunks, echoes, erc404, erc721, erc1155, erc2309, legacy, model, parts
from ft.agents.decode.creations import created_in
from ft.agents.decode.events import DecodedBlock, Events, Quarantined
from ft.agents.decode.legacy import NOTHING_LISTED, Listed
from ft.agents.decode.model import ZERO_ADDRESS, Log
from ft.agents.decode.parts import Parts
from ft.agents.decode.statesync import state_sync_hash
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
_TOPICS = _LIMITED | frozenset(_DECODERS)
_REFUSED = Mismatch("state sync: expected the transaction hash that the block's number and hash make, got another")
_Picked = tuple[int, str, Log]


def decode_block(
    network: str,
    block: bytes,
    *,
    receipts: bytes | None = None,
    logs: bytes | None = None,
    state_sync: bytes | None = None,
    outside: bytes | None = None,
    listed: Listed = NOTHING_LISTED,
) -> DecodedBlock:
    """Decode one block from its raw parts, each the node's JSON.

    ``block``: the answer of eth_getBlockByNumber. Exactly one of ``receipts`` (a list of receipts) and ``logs`` (a list
    of logs; ``block`` then has full transactions). ``state_sync``: a receipt, a list of receipts or a list of logs that
    lie outside receiptsRoot; what the other part holds already is not counted twice. ``outside``: logs of no
    transaction, beside receipts that do not hold them. ``listed``: the network's contracts that are older than the
    standards.
    Raises MalformedRecord if a part is not that, or names no sender for a transaction with NFT events.
    """
    if (receipts is None) == (logs is None):
        raise ValueError("expected either receipts or logs of the block, got both or neither")
    read = parts.read(block, receipts=receipts, logs=logs, state_sync=state_sync, outside=outside)
    work = _Pass(parts=read, listed=listed)
    topics = _TOPICS | listed.topics
    work.decode(_pick(read.logs, topics))
    for position, topic0, log in _pick(read.refused, topics):
        work.refuse(len(read.logs) + position, topic0, log)
    work.events.echo = echoes.echoes_of(work.events)
    return DecodedBlock(
        network=network,
        number=read.number,
        hash=read.block_hash,
        parent_hash=model.block_or_tx_hash(read.header.parent_hash, "a block's parentHash"),
        time=model.long_quantity(read.header.timestamp, "a block's timestamp"),
        senders=read.senders,
        events=work.events,
        quarantined=tuple(work.quarantined),
        created=created_in(block, read.receipts),
    )


def _pick(logs: Sequence[Log], topics: frozenset[str]) -> list[_Picked]:
    """Step 2: the logs worth a look, each with its position among all logs of the block."""
    return [
        (position, topic0, log)
        for position, log in enumerate(logs)
        if log.topics and (topic0 := log.topics[0].lower()) in topics
    ]


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One pass over a block's picked logs."""

    parts: Parts
    listed: Listed
    events: Events = field(default_factory=Events)
    quarantined: list[Quarantined] = field(default_factory=list)
    _ids_room: int = erc2309.BLOCK_IDS_MAX
    _entries_room: int = erc1155.BLOCK_ENTRIES_MAX
    _punk_transfers: dict[tuple[str, str], Log] = field(default_factory=dict)

    def decode(self, picked: Iterable[_Picked]) -> None:
        """Steps 3 and 4. Addresses and hashes are checked and lowered once for each spelling."""
        counts: dict[tuple[str, str, str], int] = {}
        contracts: dict[str, str] = {}
        tx_hashes: dict[str, str] = {}
        layouts = self.listed.layouts
        for log_index, topic0, log in picked:
            contract = contracts.get(log.address)
            if contract is None:
                contract = contracts[log.address] = model.address(log.address, "a log's address")
            tx_hash = tx_hashes.get(log.transaction_hash)
            if tx_hash is None:
                tx_hash = tx_hashes[log.transaction_hash] = model.tx_hash(log.transaction_hash)
            source = (tx_hash, contract, topic0)
            n = counts.get(source, 0)
            counts[source] = n + 1
            if topic0 == TRANSFER and len(log.topics) != 4 and contract not in layouts:
                continue  # ERC-20 or unknown: counted, nothing else
            outcome, standard = self._outcome(source, log)
            if isinstance(outcome, Mismatch):
                self._quarantine(source, log_index, log, outcome)
            elif outcome is not IGNORED and outcome:
                self.events.add(source, n, log_index, self._sender_of(tx_hash), standard, outcome)

    def _outcome(self, source: tuple[str, str, str], log: Log) -> tuple[Outcome, str]:
        """What the log's decoder says, and its standard. Cases: CryptoPunks, listed, a range, a batch, any other."""
        tx_hash, contract, topic0 = source
        layout = self.listed.layouts.get(contract)
        if layout in cryptopunks.LAYOUTS:
            if topic0 == TRANSFER:
                self._punk_transfers[tx_hash, contract] = log
                return IGNORED, cryptopunks.STANDARD
            preceding = self._punk_transfers.get((tx_hash, contract))
            return cryptopunks.decode(log, layout, topic0=topic0, preceding=preceding), cryptopunks.STANDARD
        if layout is not None and topic0 in legacy.TOPICS:
            return legacy.decode(log, layout, topic0=topic0)
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
            return IGNORED, ""  # a topic of listed contracts, of another contract
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

    def refuse(self, position: int, topic0: str, log: Log) -> None:
        """Quarantine a log that was told outside of the block's root and is not of this block."""
        source = (model.tx_hash(log.transaction_hash), model.address(log.address, "a log's address"), topic0)
        self._quarantine(source, position, log, _REFUSED)

    def _sender_of(self, tx_hash: str) -> str:
        """Who sent it. Nobody sends state sync, nor what the chain logs by itself under the block's hash."""
        sender = self.parts.senders.get(tx_hash)
        if sender is not None:
            return sender
        block_hash = self.parts.block_hash
        if tx_hash in (block_hash, state_sync_hash(self.parts.number, block_hash)):
            return ZERO_ADDRESS
        raise MalformedRecord(f"expected the sender of {tx_hash} in the receipts or the block's transactions, got none")
