"""Source, EVM: some heights of one node as proven blocks: asked for together, then each down the ladder (ladder.py)."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from ft.errors import FtError
from ft.networks import Network
from ft.streams.sources import Block
from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.ladder import Asked, Climb, Found, joined
from ft.streams.sources.evm.provider import NodeRefused, NotYet, Provider, WrongChain
from ft.streams.sources.evm.rpc import NULL, Call, ProviderFailed, RateLimited, Reply, RpcError

UNPROVEN: Final = (ProofError, NodeRefused, NotYet)
"""What a node's answers about one block may come to."""
Receipts: TypeAlias = Reply | FtError | None
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])


async def fetch(
    network: Network, provider: Provider, heights: Sequence[int], asked: Asked | None = None
) -> list[Block]:
    """Blocks at these heights, up to the first that the node does not have, or of which nothing proves more.

    What is wrong with that one is in ``asked.trouble``; raised where it is the first: ProofError, NotYet, NodeRefused.
    Those whose answer has to stand are in ``asked.fewer`` too: who asks believes them or not. Raises ProviderFailed.
    """
    asked = Asked() if asked is None else asked
    replies, window = await _replies(network, provider, heights)
    blocks: list[Block] = []
    for height, (body, receipts) in zip(heights, replies, strict=True):
        if body == NULL or (isinstance(body, RpcError) and body.absent):
            break
        try:
            found = Found(height, *_header(provider, height, body))
            logs = None if window is None else window.get(found.header.hash.lower(), b"[]")
            blocks.append(await Climb(network, provider, found, asked).down(receipts, logs))
        except UNPROVEN as exc:
            asked.trouble = exc
            break
    if asked.trouble is not None and not blocks:
        raise asked.trouble
    return blocks


async def _replies(
    network: Network, provider: Provider, heights: Sequence[int]
) -> tuple[list[tuple[Reply, Receipts]], dict[str, bytes] | None]:
    """Each height's block, and what was asked for together with it: its receipts, or the logs of all of them.

    Where one block's answers together do not come, the block is asked for alone: its receipts may be too much.
    """
    blocks: list[Call] = [("eth_getBlockByNumber", [hex(height), True]) for height in heights]
    if network.proof != "receipts" or "eth_getBlockReceipts" in provider.unknown:
        spans = network.proof == "logs" and 1 < len(heights) <= network.logs_window
        window: Call = ("eth_getLogs", [{"fromBlock": hex(heights[0]), "toBlock": hex(heights[-1])}])
        replies = await provider.of_chain([*blocks, window] if spans else blocks)
        bodies: list[tuple[Reply, Receipts]] = [(body, None) for body in replies[: len(blocks)]]
        return bodies, _by_block(replies[-1]) if spans else None
    receipts: list[Call] = [("eth_getBlockReceipts", [hex(height)]) for height in heights]
    try:
        replies = await provider.of_chain([call for both in zip(blocks, receipts, strict=True) for call in both])
    except (RateLimited, WrongChain):
        raise
    except ProviderFailed as exc:
        if len(heights) > 1:
            raise
        return [(body, exc) for body in await provider.of_chain(blocks)], None
    return list(zip(replies[::2], replies[1::2], strict=True)), None


def _by_block(reply: Reply) -> dict[str, bytes] | None:
    """One answer about many blocks as one a block; None where it is none, and each block is asked by itself."""
    if isinstance(reply, RpcError) or reply == NULL:
        return None
    apart: dict[str, list[msgspec.Raw]] = {}
    try:
        for log, raw in zip(proof.read_logs(reply), _RAW_LIST.decode(reply), strict=True):
            apart.setdefault((log.block_hash or "").lower(), []).append(raw)
    except ProofError:
        return None
    return {block_hash: joined(raws) for block_hash, raws in apart.items()}


def _header(provider: Provider, height: int, body: Reply) -> tuple[bytes, proof.Block]:
    if isinstance(body, RpcError):
        raise NodeRefused(f"{provider.name}: block {height}: {body}")
    header = proof.read_block(body)
    if (got := hex_int(header.number, "a block's number")) != height:
        raise ProofError(f"{provider.name}: expected block {height}, got block {got}")
    return body, header
