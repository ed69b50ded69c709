"""Source, EVM: some heights of one node as proven blocks. The ladder of proofs:

1. eth_getBlockReceipts, in the same batch as the block                     proof receipts
2. eth_getTransactionReceipt of each transaction, where 1 is not to be had  proof receipts
3. eth_getLogs of the block, unfiltered, where neither is                   proof logs

A step down is taken where the node answers an error or nothing, never where its answer is wrong: then another node
is asked. Polygon's state-sync receipt stands outside of the root and becomes a part of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ft.networks import Network
from ft.schemas.events import RawPart
from ft.streams.sources import Block
from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.marks import is_sealed
from ft.streams.sources.evm.provider import NodeRefused, Provider
from ft.streams.sources.evm.rpc import NULL, Call, Reply, RpcError

SPRINT = 16
"""Polygon commits state every so many blocks (64 before Delhi, a multiple)."""
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class _Found:
    """A block as the node gave it."""

    height: int
    body: bytes
    header: proof.Block


async def fetch(network: Network, provider: Provider, heights: Sequence[int]) -> list[Block]:
    """Blocks at these heights, up to the first that the node does not have.

    Raises ProviderFailed, ProofError, NodeRefused.
    """
    receipts_too = network.proof == "receipts" and "eth_getBlockReceipts" not in provider.unknown
    window = network.proof == "logs" and 1 < len(heights) <= network.logs_window
    calls: list[Call] = []
    for height in heights:
        calls.append(("eth_getBlockByNumber", [hex(height), True]))
        if receipts_too:
            calls.append(("eth_getBlockReceipts", [hex(height)]))
    if window:
        calls.append(("eth_getLogs", [{"fromBlock": hex(heights[0]), "toBlock": hex(heights[-1])}]))
    replies = await provider.of_chain(calls)
    logs = _by_block(replies[-1]) if window else None
    step = 2 if receipts_too else 1
    blocks = []
    for at, height in enumerate(heights):
        body = replies[at * step]
        if body == NULL or (isinstance(body, RpcError) and body.absent):
            break
        found = _Found(height, *_header(provider, height, body))
        if logs is not None:
            blocks.append(_by_logs(network, provider, found, logs.get(found.header.hash.lower(), b"[]")))
        else:
            blocks.append(await _proven(network, provider, found, replies[at * step + 1] if receipts_too else None))
    return blocks


def _by_block(reply: Reply) -> dict[str, bytes] | None:
    """One answer about many blocks as one a block; None where the node refused, and each block is asked by itself."""
    if isinstance(reply, RpcError) or reply == NULL:
        return None
    apart: dict[str, list[msgspec.Raw]] = {}
    for log, raw in zip(proof.read_logs(reply), _RAW_LIST.decode(reply), strict=True):
        apart.setdefault((log.block_hash or "").lower(), []).append(raw)
    return {block_hash: _joined(raws) for block_hash, raws in apart.items()}


def _header(provider: Provider, height: int, body: Reply) -> tuple[bytes, proof.Block]:
    if isinstance(body, RpcError):
        raise NodeRefused(f"{provider.name}: block {height}: {body}")
    header = proof.read_block(body)
    if (got := hex_int(header.number, "a block's number")) != height:
        raise ProofError(f"{provider.name}: expected block {height}, got block {got}")
    return body, header


async def _proven(network: Network, provider: Provider, found: _Found, receipts: Reply | None) -> Block:
    """Climb down the ladder until there is a proof."""
    if network.proof == "receipts":
        if receipts is None or isinstance(receipts, RpcError) or receipts == NULL:
            receipts = await _receipts_one_by_one(provider, found)
        if receipts is not None:
            return await _by_receipts(network, provider, found, receipts)
    return _by_logs(network, provider, found, await _logs(provider, found))


async def _receipts_one_by_one(provider: Provider, found: _Found) -> bytes | None:
    """The list that eth_getBlockReceipts would have been; None if the node has not all of them."""
    if "eth_getTransactionReceipt" in provider.unknown:
        return None
    outside = proof.state_sync_hash(found.header)
    hashes = [each for each in found.header.transaction_hashes if each != outside]
    if not hashes:
        return b"[]"
    parts: list[bytes] = []
    probe = await provider.batch([("eth_getTransactionReceipt", [hashes[0]])])
    rest = [("eth_getTransactionReceipt", [each]) for each in hashes[1:]]
    if isinstance(probe[0], RpcError) or probe[0] == NULL:
        return None
    for reply in [*probe, *(await provider.batch(rest) if rest else ())]:
        if isinstance(reply, RpcError) or reply == NULL:
            return None
        parts.append(reply)
    return b"[" + b",".join(parts) + b"]"


async def _by_receipts(network: Network, provider: Provider, found: _Found, body: bytes) -> Block:
    receipts = proof.read_receipts(body)
    inside, outside = proof.split_state_sync(network.state_sync, found.header, receipts)
    proof.verify_receipts(found.header, inside)
    logs = sum(len(receipt.logs) for receipt in receipts)
    parts = [_part("block", found.body)]
    if outside is None:
        parts.append(_part("receipts", body))
        extra = await _state_sync(network, provider, found)
    else:
        apart = next(at for at, receipt in enumerate(receipts) if receipt is outside)
        raw = _RAW_LIST.decode(body)
        parts.append(_part("receipts", _joined([*raw[:apart], *raw[apart + 1 :]])))
        extra = _joined([raw[apart]])
    if extra is not None:
        parts.append(_part("state_sync", extra))
    return _block(network, provider, found, "receipts", parts, logs)


async def _state_sync(network: Network, provider: Provider, found: _Found) -> bytes | None:
    """Polygon's receipt outside of the root, where the node left it out of the block's receipts."""
    if not network.state_sync or found.height % SPRINT or "eth_getTransactionReceipt" in provider.unknown:
        return None
    reply = await provider.call("eth_getTransactionReceipt", proof.state_sync_hash(found.header))
    if isinstance(reply, RpcError) or reply == NULL:
        return None
    body = b"[" + reply + b"]"
    _, outside = proof.split_state_sync(True, found.header, proof.read_receipts(body))
    return None if outside is None else body


def _by_logs(network: Network, provider: Provider, found: _Found, body: bytes) -> Block:
    logs = proof.read_logs(body)
    inside, outside = proof.split_state_sync_logs(network.state_sync, found.header, logs)
    proof.verify_logs(found.header, inside)
    parts = [_part("block", found.body)]
    if outside:
        raw = _RAW_LIST.decode(body)
        apart = {id(log) for log in outside}
        parts.append(_part("logs", _joined([raw[at] for at, log in enumerate(logs) if id(log) not in apart])))
        parts.append(_part("state_sync", _joined([raw[at] for at, log in enumerate(logs) if id(log) in apart])))
    else:
        parts.append(_part("logs", body))
    return _block(network, provider, found, "logs", parts, len(logs))


async def _logs(provider: Provider, found: _Found) -> bytes:
    """By hash, so that a reorg between two requests cannot mix blocks; by height for nodes that do not know that."""
    reply = await provider.call("eth_getLogs", {"blockHash": found.header.hash})
    if isinstance(reply, RpcError) or reply == NULL:
        at = hex(found.height)
        again = await provider.call("eth_getLogs", {"fromBlock": at, "toBlock": at})
        if isinstance(again, RpcError) or again == NULL:
            said = reply if isinstance(reply, RpcError) else again if isinstance(again, RpcError) else "null"
            raise NodeRefused(f"{provider.name}: block {found.height}: neither receipts nor logs; eth_getLogs: {said}")
        return again
    return reply


def _block(
    network: Network, provider: Provider, found: _Found, name: str, parts: Sequence[RawPart], logs: int
) -> Block:
    header = found.header
    return Block(
        height=found.height,
        hash=header.hash.lower(),
        parent_hash=(header.parent_hash or "").lower(),
        time=hex_int(header.timestamp, "a block's timestamp"),
        proof=name,
        provider=provider.name,
        parts=tuple(parts),
        logs=logs,
        sealed=is_sealed(network, header),
    )


def _part(name: str, body: bytes) -> RawPart:
    return RawPart(name=name, encoding="json", bytes=body)


def _joined(items: Sequence[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(bytes(item) for item in items) + b"]"
