"""Source, EVM: one block's way down the ladder of proofs, at one node.

1. eth_getBlockReceipts, in the same batch as the block            proof receipts
2. eth_getTransactionReceipt of each transaction                   proof receipts
3. eth_getLogs of the block by its hash                            proof logs
4. eth_getLogs of its height                                       proof logs

A rung that fails in any way leads to the next: an error, nothing, an empty or a short list, one that does not make
the root or fit the filter. Fewer logs than the filter has bits for are kept until the end; of a block that is not
final they are handed on as such, to be believed once the answer stands (standing.py). None at all, of a block with
transactions, are taken only if the receipts say so too.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import msgspec

from ft.errors import FtError
from ft.networks import Network
from ft.schemas.events import RawPart
from ft.schemas.proofs import BLOOM_SUPERSET, HEADER, OUTSIDE_RECEIPTS, STATE_SYNC, STATE_SYNC_MISSING
from ft.streams.sources import Block
from ft.streams.sources.evm import proof, statesync
from ft.streams.sources.evm.answers import Lacking, ProofError, hex_int
from ft.streams.sources.evm.content import digest_of, in_order
from ft.streams.sources.evm.marks import is_sealed
from ft.streams.sources.evm.outside import outside_of
from ft.streams.sources.evm.provider import NodeRefused, NotYet, Provider, WrongChain
from ft.streams.sources.evm.rpc import NULL, ProviderFailed, RateLimited, Reply, RpcError

Ask = Callable[[], Awaitable[bytes]]
_RAW_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TIME_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Found:
    """A block as the node gave it."""

    height: int
    body: bytes
    header: proof.Block


@dataclass(frozen=True, slots=True)
class Fewer:
    """Logs that the filter may be made of, and more."""

    block: Block
    digest: str
    logs: int
    """Those under the filter."""
    said: str
    """Why that is no proof."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """One request for some heights at one node: what is known beside its answers, and what is learned from them."""

    finalized: int = -1
    """The highest final block, as far as is known."""
    fewer: list[Fewer] = field(default_factory=list)
    """Of the blocks that came: those whose answer has to stand."""
    wrong: dict[int, ProofError] = field(default_factory=dict)
    """Height -> an answer that was wrong, if the block's receiptsRoot is one of Ethereum's kind."""
    trouble: FtError | None = None
    """Why the heights behind the last one that came did not come, where the node has them."""


@dataclass(slots=True)
class Climb:
    """One block at one node. :meth:`down` once."""

    network: Network
    provider: Provider
    found: Found
    asked: Asked
    _heard: list[FtError] = field(default_factory=list)
    _fewer: Fewer | None = None
    """The most logs that fit the filter without making it."""

    async def down(self, receipts: Reply | FtError | None, logs: bytes | None = None) -> Block:
        """The block with the best proof that holds.

        ``receipts``: the answer of rung 1, None where it was not asked; ``logs``: this block's of a window that was
        asked before. Raises ProofError, NotYet, NodeRefused, ProviderFailed.
        """
        rungs: list[tuple[Ask, Callable[[bytes], Awaitable[Block]]]] = []
        if self.network.proof == "receipts":
            rungs.append((partial(self._bulk, receipts), self._by_receipts))
            rungs.append((self._one_by_one, self._by_receipts))
        if logs is not None:
            rungs.append((partial(self._given, logs), self._by_logs))
        rungs += [(partial(self._logs, query), self._by_logs) for query in self._queries()]
        for ask, prove in rungs:
            if (block := await self._try(ask, prove)) is not None:
                return block
        return await self._weakest()

    async def _try(self, ask: Ask, prove: Callable[[bytes], Awaitable[Block]]) -> Block | None:
        """A rung; None where it fails."""
        try:
            return await prove(await ask())
        except (RateLimited, WrongChain):
            raise
        except (ProofError, NodeRefused, ProviderFailed) as exc:
            self._heard.append(exc)
            if isinstance(exc, ProofError) and not isinstance(exc, Lacking):
                self.asked.wrong.setdefault(self.found.height, exc)
        return None

    async def _weakest(self) -> Block:
        """Fewer logs than the filter has bits for, if they may be all; else the error that all rungs make."""
        fewer = self._fewer
        name, height = self.provider.name, self.found.height
        said = "; ".join(dict.fromkeys(str(error) for error in self._heard))
        if fewer is not None and await self._may_be_all(fewer):
            if height > self.asked.finalized:
                self.asked.fewer.append(replace(fewer, said=f"{name}: block {height}: nothing proves it yet: {said}"))
            return fewer.block
        wrong = [error for error in self._heard if isinstance(error, ProofError) and not isinstance(error, Lacking)]
        if wrong and fewer is None:
            raise ProofError(said)
        if fewer is not None or any(isinstance(error, Lacking) for error in self._heard):
            raise NotYet(f"{name}: block {height}: nothing proves it yet: {said}")
        if failed := next((error for error in self._heard if isinstance(error, ProviderFailed)), None):
            raise failed
        raise NodeRefused(f"{name}: block {height}: neither receipts nor logs: {said}")

    async def _may_be_all(self, fewer: Fewer) -> bool:
        """None at all need the receipts' word, unless the filter is as empty."""
        is_empty = not fewer.logs and BLOOM_SUPERSET in fewer.block.reasons
        return not is_empty or await self._receipts_hold_no_logs()

    async def _receipts_hold_no_logs(self) -> bool:
        """Whether the node has a receipt of every transaction, and no log in any; true too of no transaction."""
        wanted = self._transactions()
        for ask in (self._bulk_again, self._one_by_one):
            body = await self._told(ask)
            receipts = proof.read_receipts(body) if body is not None else []
            if [receipt.transaction_hash.lower() for receipt in receipts] == wanted:
                own = all((receipt.block_hash or "").lower() == self.found.header.hash.lower() for receipt in receipts)
                return own and not any(receipt.logs for receipt in receipts)
        return False

    def _transactions(self) -> list[str]:
        """Hashes of the transactions that have a receipt under the root."""
        outside = proof.state_sync_hash(self.found.header)
        return [each for each in self.found.header.transaction_hashes if each != outside]

    def _queries(self) -> list[dict[str, str]]:
        """By hash first, so that a reorg between two requests cannot mix blocks; by height for nodes without that."""
        at = hex(self.found.height)
        return [{"blockHash": self.found.header.hash}, {"fromBlock": at, "toBlock": at}]

    async def _given(self, body: bytes) -> bytes:
        return body

    async def _bulk(self, reply: Reply | FtError | None) -> bytes:
        if isinstance(reply, FtError):
            raise reply
        return self._answered("eth_getBlockReceipts", reply)

    async def _bulk_again(self) -> bytes:
        method = "eth_getBlockReceipts"
        unknown = method in self.provider.unknown
        return self._answered(method, None if unknown else await self.provider.call(method, hex(self.found.height)))

    async def _one_by_one(self) -> bytes:
        """The list that eth_getBlockReceipts would have been."""
        method, hashes = "eth_getTransactionReceipt", self._transactions()
        if not hashes:
            return b"[]"
        if method in self.provider.unknown:
            return self._answered(method, None)
        first = self._answered(method, await self.provider.call(method, hashes[0]))
        rest = await self.provider.batch([(method, [each]) for each in hashes[1:]]) if hashes[1:] else []
        return b"[" + b",".join([first, *(self._answered(method, reply) for reply in rest)]) + b"]"

    async def _logs(self, query: dict[str, str]) -> bytes:
        return self._answered("eth_getLogs", await self.provider.call("eth_getLogs", query))

    def _answered(self, method: str, reply: Reply | None) -> bytes:
        """Raises NodeRefused for an error or a method that the node does not have, Lacking for nothing."""
        where = f"{self.provider.name}: block {self.found.height}: {method}"
        if reply is None:
            raise NodeRefused(f"{where}: the node does not have it")
        if reply == NULL or (isinstance(reply, RpcError) and reply.absent):
            raise Lacking(f"{where}: expected an answer, got nothing")
        if isinstance(reply, RpcError):
            raise NodeRefused(f"{where}: {reply}")
        return reply

    async def _by_receipts(self, body: bytes) -> Block:
        receipts, header = proof.read_receipts(body), self.found.header
        split = statesync.split_receipts(self.network, header, receipts)
        inside = [receipts[at] for at in split.inside]
        unmade = proof.verify_receipts(header, inside)
        extra = await self._state_sync(_picked(body, split.outside) if split.outside else None)
        logs = sum(len(receipts[at].logs) for at in (*split.inside, *split.outside))
        whole = len(split.inside) == len(receipts)
        block = self._block("receipts", body if whole else _picked(body, split.inside), logs, extra)
        return await self._with_outside(block, inside, unmade) if unmade else block

    async def _with_outside(self, block: Block, receipts: Sequence[proof.Receipt], unmade: int) -> Block:
        """Proven receipts, of which the filter holds more: with the logs of no transaction that make it so.

        1. the receipts' own logs make it after all; 2. a list of the block's logs, by its hash or height, has theirs
        and others; 3. no list has others: one that is missing would look the same.
        """
        header = self.found.header
        unmade = proof.unset_bits(unmade, (log for receipt in receipts for log in receipt.logs))
        for query in self._queries() if unmade else ():
            body = await self._told(partial(self._logs, query))
            try:
                logs = proof.read_logs(body) if body is not None else []
                inside = statesync.split_logs(self.network, header, logs).inside
                found = outside_of(header, receipts, [logs[at] for at in inside])
            except ProofError:
                continue
            if body is not None and found:
                places = [inside[at] for at in found]
                left = proof.unset_bits(unmade, (logs[at] for at in places))
                return replace(
                    block,
                    parts=(*block.parts, _part("outside", _picked(body, places))),
                    logs=block.logs + len(places),
                    reasons=(*block.reasons, OUTSIDE_RECEIPTS, *([BLOOM_SUPERSET] if left else [])),
                )
            if found is not None:
                break
        return replace(block, reasons=(*block.reasons, BLOOM_SUPERSET)) if unmade else block

    async def _by_logs(self, body: bytes) -> Block:
        """Raises Lacking for fewer than the filter has bits for, and keeps them."""
        logs, header = proof.read_logs(body), self.found.header
        split = statesync.split_logs(self.network, header, logs)
        inside = [logs[at] for at in split.inside]
        missing = proof.missing_bits(header, inside)
        late = not inside and bool(self._transactions()) and self._awaits_receipts()
        told = _picked(body, split.outside) if split.outside else None
        extra = await self._state_sync(told, from_logs=True)
        whole = len(split.inside) == len(logs)
        block = self._block("logs", body if whole else _picked(body, split.inside), len(inside), extra)
        if not missing and not late:
            return block
        if self._fewer is None or len(inside) > self._fewer.logs:
            reasons = (*block.reasons, BLOOM_SUPERSET) if missing else block.reasons
            self._fewer = Fewer(replace(block, reasons=reasons), digest_of(in_order(header, inside)), len(inside), "")
        raise Lacking(
            f"{proof.name_of(header)}: expected logs that make its logsBloom, got {len(inside)} that leave {missing} "
            f"bits unset{' and no receipts yet' if late else ''}"
        )

    def _awaits_receipts(self) -> bool:
        """The node has receipts of other blocks, and not yet of this one: an empty list may be as early."""
        return self.network.proof == "receipts" and any(isinstance(error, Lacking) for error in self._heard)

    async def _state_sync(self, told: bytes | None, *, from_logs: bool = False) -> tuple[bytes | None, str]:
        """Polygon's logs outside of the root, and the reason that they bring along; asked for where they may exist.

        1. as it was told; 2. the receipt by its hash; 3. of a block that lists it: the logs, which then stand for it.
        """
        header = self.found.header
        if told is not None:
            return told, STATE_SYNC
        if not statesync.is_possible(self.network, header):
            return None, ""
        if (receipt := await self._told(self._state_sync_receipt)) is not None:
            return receipt, STATE_SYNC
        if not statesync.is_listed(self.network, header):
            return None, ""
        for query in () if from_logs else self._queries():
            if (logs := await self._told(partial(self._state_sync_logs, query))) is not None:
                return logs, STATE_SYNC
        return None, STATE_SYNC_MISSING

    async def _told(self, ask: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        try:
            return await ask()
        except (RateLimited, WrongChain):
            raise
        except (ProofError, NodeRefused, ProviderFailed):
            return None

    async def _state_sync_receipt(self) -> bytes | None:
        method, header = "eth_getTransactionReceipt", self.found.header
        if method in self.provider.unknown:
            return None
        body = b"[" + self._answered(method, await self.provider.call(method, proof.state_sync_hash(header))) + b"]"
        split = statesync.split_receipts(self.network, header, proof.read_receipts(body))
        return body if split.outside else None

    async def _state_sync_logs(self, query: dict[str, str]) -> bytes | None:
        body = await self._logs(query)
        split = statesync.split_logs(self.network, self.found.header, proof.read_logs(body))
        return _picked(body, split.outside) if split.outside else None

    def _block(self, name: str, body: bytes, logs: int, extra: tuple[bytes | None, str]) -> Block:
        header, sealed = self.found.header, is_sealed(self.network, self.found.header)
        parts = [_part("block", self.found.body), _part(name, body)]
        if extra[0] is not None:
            parts.append(_part("state_sync", extra[0]))
        return Block(
            height=self.found.height,
            hash=header.hash.lower(),
            parent_hash=(header.parent_hash or "").lower(),
            time=min(hex_int(header.timestamp, "a block's timestamp"), _TIME_MAX),
            proof=name,
            reasons=tuple(reason for reason in (extra[1], "" if sealed else HEADER) if reason),
            provider=self.provider.name,
            parts=tuple(parts),
            logs=logs,
            sealed=sealed,
        )


def _part(name: str, body: bytes) -> RawPart:
    return RawPart(name=name, encoding="json", bytes=body)


def _picked(body: bytes, places: Sequence[int]) -> bytes:
    """Some entries of a list, each byte for byte."""
    raw = _RAW_LIST.decode(body)
    return joined([raw[at] for at in places])


def joined(items: Sequence[msgspec.Raw]) -> bytes:
    """A list of these."""
    return b"[" + b",".join(bytes(item) for item in items) + b"]"
