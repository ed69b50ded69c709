"""The chain of a recording at one of its steps: blocks found by height, tag, hash and log filter."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from ft.demo.recording import Place, RecordedBlock, Recording, RecordingError, place_of
from ft.errors import FtError

_HASH_LENGTH: Final = 66


class RpcFault(FtError):
    """An error that a node answers with: ``code`` and ``message`` of JSON-RPC."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class View:
    """What the node says at one step; never changed, so readers in other threads see one step or the next."""

    step: int
    head: int
    safe: int
    finalized: int
    canonical: Mapping[int, str]
    seen: frozenset[str]
    """Every block that was canonical once."""


@dataclass(frozen=True, slots=True)
class _Log:
    address: str
    topics: tuple[str, ...]
    text: msgspec.Raw


class _LogFields(msgspec.Struct):
    address: str
    topics: tuple[str, ...] = ()


class _ReceiptFields(msgspec.Struct):
    transactionHash: str  # noqa: N815 (the node's word)
    logs: list[msgspec.Raw] = []


class _TransactionFields(msgspec.Struct):
    hash: str


class ReplayedBlock:
    """One block's answers; what a node would cut out of them is cut out once."""

    def __init__(self, recorded: RecordedBlock) -> None:
        self._recorded = recorded
        self.place: Place = place_of(recorded.block)

    @property
    def with_transactions(self) -> bytes:
        """The recorded block, byte for byte."""
        return bytes(self._recorded.block)

    @property
    def receipts(self) -> bytes:
        """The recorded receipts, byte for byte."""
        return bytes(self._recorded.receipts)

    @cached_property
    def with_hashes(self) -> bytes:
        """The block with transaction hashes in place of transactions."""
        fields = msgspec.json.decode(self._recorded.block, type=dict[str, msgspec.Raw])
        transactions = msgspec.json.decode(fields["transactions"], type=list[_TransactionFields])
        fields["transactions"] = msgspec.Raw(msgspec.json.encode([each.hash for each in transactions]))
        return msgspec.json.encode(fields)

    @cached_property
    def receipt_of(self) -> dict[str, bytes]:
        """Each receipt, by transaction hash."""
        texts = msgspec.json.decode(self._recorded.receipts, type=list[msgspec.Raw])
        return {msgspec.json.decode(text, type=_ReceiptFields).transactionHash: bytes(text) for text in texts}

    @cached_property
    def logs(self) -> list[_Log]:
        """The logs of all receipts, in order."""
        receipts = msgspec.json.decode(self._recorded.receipts, type=list[_ReceiptFields])
        texts = [text for receipt in receipts for text in receipt.logs]
        fields = [msgspec.json.decode(text, type=_LogFields) for text in texts]
        return [
            _Log(each.address.lower(), tuple(topic.lower() for topic in each.topics), text)
            for each, text in zip(fields, texts, strict=True)
        ]


class Chain:
    """A recording, ready to be asked."""

    def __init__(self, recording: Recording) -> None:
        if not recording.steps:
            raise RecordingError("expected a recording with at least one step, got none.")
        self._recording = recording
        self._blocks: dict[str, ReplayedBlock] = {}
        self.chain_id = recording.chain_id
        self.steps = len(recording.steps)

    def view_at(self, step: int, before: View | None = None) -> View:
        """The view at a step (from 0), going on from an earlier one. Raises RecordingError for no such step."""
        if not 0 <= step < self.steps:
            raise RecordingError(f"expected a step from 0 to {self.steps - 1}, got {step}.")
        canonical = dict(before.canonical) if before else {}
        seen = set(before.seen) if before else set()
        for each in self._recording.steps[before.step + 1 if before else 0 : step + 1]:
            canonical.update(each.chain)
            seen.update(each.chain.values())
            for height in [height for height in canonical if height > each.head]:
                del canonical[height]
        last = self._recording.steps[step]
        return View(step, last.head, last.safe, last.finalized, canonical, frozenset(seen))

    def find(self, view: View, at: str) -> ReplayedBlock | None:
        """The block at a height (hex), a tag or a hash; None if the node does not have it (yet). May raise RpcFault."""
        if len(at) == _HASH_LENGTH:
            return self._block(at.lower()) if at.lower() in view.seen else None
        block_hash = view.canonical.get(self.height(view, at))
        return None if block_hash is None else self._block(block_hash)

    def height(self, view: View, at: str) -> int:
        """The height that a hex number or a tag names. RpcFault for anything else."""
        match at:
            case "latest" | "pending":
                return view.head
            case "safe":
                return view.safe
            case "finalized":
                return view.finalized
            case "earliest":
                return min(view.canonical)
        try:
            return int(at, 16)
        except ValueError as exc:
            raise RpcFault(-32602, f"expected a block number in hex or a tag, got {at!r}") from exc

    def receipt(self, view: View, tx: str) -> bytes | None:
        """The receipt of a canonical transaction."""
        for block_hash in view.canonical.values():
            if found := self._block(block_hash).receipt_of.get(tx.lower()):
                return found
        return None

    def logs(self, view: View, wanted: dict[str, Any]) -> bytes:
        """eth_getLogs: by ``blockHash`` or by ``fromBlock`` and ``toBlock``, with ``address`` and ``topics``."""
        addresses = _any_of(wanted.get("address"))
        topics = [_any_of(choice) for choice in wanted.get("topics") or ()]
        found = [
            log.text
            for block in self._range(view, wanted)
            for log in block.logs
            if (addresses is None or log.address in addresses) and _matches(log.topics, topics)
        ]
        return msgspec.json.encode(found)

    def _range(self, view: View, wanted: dict[str, Any]) -> list[ReplayedBlock]:
        if block_hash := wanted.get("blockHash"):
            found = self.find(view, block_hash)
            if found is None:
                raise RpcFault(-32000, f"unknown block {block_hash}")
            return [found]
        low = self.height(view, wanted.get("fromBlock") or "latest")
        high = self.height(view, wanted.get("toBlock") or "latest")
        if low > high:
            raise RpcFault(-32602, f"invalid block range: from {low} to {high}")
        heights = sorted(height for height in view.canonical if low <= height <= high)
        return [self._block(view.canonical[height]) for height in heights]

    def _block(self, block_hash: str) -> ReplayedBlock:
        if (known := self._blocks.get(block_hash)) is None:
            if (recorded := self._recording.blocks.get(block_hash)) is None:
                raise RecordingError(f"a step names block {block_hash}, which the recording does not hold.")
            known = self._blocks[block_hash] = ReplayedBlock(recorded)
        return known


def _any_of(choice: object) -> frozenset[str] | None:
    """One value, a list of values, or None and the empty list for any."""
    if not choice:
        return None
    return frozenset(str(each).lower() for each in (choice if isinstance(choice, list) else [choice]))


def _matches(topics: tuple[str, ...], wanted: list[frozenset[str] | None]) -> bool:
    if len(topics) < len(wanted):
        return False
    return all(choice is None or topic in choice for topic, choice in zip(topics, wanted, strict=False))
