"""Source, EVM: a network's chain through its JSON-RPC providers."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiohttp
import msgspec

from ft.errors import ConfigError
from ft.networks import Mark, Network
from ft.streams.sources import Block, Marks
from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.blocks import fetch
from ft.streams.sources.evm.heads import HeadFeed
from ft.streams.sources.evm.limits import Breaker, TokenBucket
from ft.streams.sources.evm.providers import Provider, Providers
from ft.streams.sources.evm.rpc import NULL, Call, Reply, RpcClient, RpcError

IN_FLIGHT: Final = 8
"""Requests for blocks that are under way at once."""
_CHUNK_BYTES: Final = 4 << 20
"""What one request should bring, about; small blocks go together."""
_HASHES_MAX: Final = 1_000
_HTTP: Final = ("http://", "https://")


class _Header(msgspec.Struct):
    number: str
    hash: str = ""
    timestamp: str = "0x0"


_HEADER: Final = msgspec.json.Decoder(_Header)


class EvmSource:
    """Implements :class:`ft.streams.sources.Source`. Open it with :func:`open_evm`."""

    def __init__(self, network: Network, providers: Providers, feed: HeadFeed | None = None) -> None:
        self._network = network
        self._providers = providers
        self._feed = feed
        self._block_bytes = 256 << 10  # a guess until blocks came
        self._head_seen = -1

    async def marks(self) -> Marks:
        """Head and finality by tags, by depth where the node answers none. Raises SourceError."""
        confirmed, finalized = self._network.confirmed, self._network.finalized
        tags = ["latest", *dict.fromkeys(m.tag for m in (confirmed, finalized) if m.tag and m.tag != "latest")]

        async def work(provider: Provider) -> Marks:
            calls: list[Call] = [("eth_getBlockByNumber", [tag, False]) for tag in tags]
            replies = await provider.batch([("eth_blockNumber", []), *calls])
            found = {tag: _header(reply) for tag, reply in zip(tags, replies[1:], strict=True)}
            latest = found["latest"]
            head = hex_int(latest.number, "a height") if latest else _number(replies[0])
            heights = {tag: hex_int(header.number, "a height") if header else -1 for tag, header in found.items()}
            final = _mark(finalized, heights, head)
            return Marks(
                head=head,
                finalized=final,
                safe=max(final, _mark(confirmed, heights, head)),
                time=hex_int(latest.timestamp, "a time") if latest else None,
            )

        marks = await self._providers.ask("head", work)
        self._head_seen = marks.head
        return marks

    async def hashes(self, heights: Sequence[int]) -> Mapping[int, str | None]:
        """Raises SourceError."""
        found: dict[int, str | None] = {}
        for at in range(0, len(heights), _HASHES_MAX):
            asked = heights[at : at + _HASHES_MAX]

            async def work(provider: Provider, asked: Sequence[int] = asked) -> list[str | None]:
                replies = await provider.batch([("eth_getBlockByNumber", [hex(height), False]) for height in asked])
                return [header.hash.lower() if (header := _header(reply)) else None for reply in replies]

            found |= zip(asked, await self._providers.ask("block hashes", work), strict=True)
        return found

    async def blocks(self, first: int, last: int) -> AsyncIterator[Block]:
        """Chunks are fetched side by side and given out in order; a chunk that is cut short ends it. SourceError."""
        under_way: deque[asyncio.Task[list[Block]]] = deque()
        expected: deque[int] = deque()
        ahead = first
        try:
            while ahead <= last or under_way:
                while ahead <= last and len(under_way) < IN_FLIGHT:
                    heights = range(ahead, min(last, ahead + self._chunk() - 1) + 1)
                    under_way.append(asyncio.create_task(self._chunk_of(heights)))
                    expected.append(len(heights))
                    ahead = heights[-1] + 1
                blocks = await under_way[0]
                under_way.popleft()
                for block in blocks:
                    self._block_bytes += (block.size - self._block_bytes) // 8
                    yield block
                if len(blocks) < expected.popleft():
                    return
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def wait_for_head(self, timeout_s: float) -> None:
        """By new heads where a provider pushes them; else by waiting."""
        if self._feed is None:
            await asyncio.sleep(timeout_s)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._feed.moved(), timeout_s)

    def _chunk(self) -> int:
        """Blocks in one request."""
        most = max(1, self._network.batch_max // 2)
        return max(1, min(most, _CHUNK_BYTES // max(1, self._block_bytes)))

    async def _chunk_of(self, heights: range) -> list[Block]:
        what = f"block {heights[0]}" if len(heights) == 1 else f"blocks {heights[0]}-{heights[-1]}"
        tries = 0

        async def work(provider: Provider) -> list[Block]:
            """All at once; after a failure half as many, and so on: the answer may have been too large or too slow."""
            nonlocal tries
            size = max(1, len(heights) >> tries)
            tries += 1
            blocks: list[Block] = []
            for at in range(0, len(heights), size):
                asked = heights[at : at + size]
                blocks += (found := await fetch(self._network, provider, asked))
                if len(found) < len(asked):
                    break
            return blocks

        return await self._providers.ask(what, work, enough=lambda got: len(got) == len(heights))


@asynccontextmanager
async def open_evm(
    network: Network, urls: Sequence[str] = (), *, give_up_s: float | None = None, timeout_s: float = 30.0
) -> AsyncIterator[EvmSource]:
    """The network through these providers (default: those configured); every one's chain id is checked.

    ``give_up_s``: how long all may be away, default for ever. Raises ConfigError.
    """
    urls = tuple(urls) or network.rpc_urls
    http = [url for url in urls if url.startswith(_HTTP)]
    pushing = [url for url in urls if not url.startswith(_HTTP)]
    if not http:
        raise ConfigError(
            f"{network.slug}: expected at least one http(s) provider, got {', '.join(pushing) or 'none'}. "
            f"Give --rpc URL, or rpc_urls of the network in the file that FT_NETWORKS names."
        )
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=4 * IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:
        nodes = [
            Provider(
                client=RpcClient(url, session, batch_max=network.batch_max, timeout_s=timeout_s),
                bucket=TokenBucket(network.requests_per_s, time.monotonic),
                breaker=Breaker(time.monotonic),
            )
            for url in http
        ]
        providers = Providers(network.slug, network.chain_id, nodes, give_up_s=give_up_s)
        await providers.check_chain()
        feed = HeadFeed(network.slug, pushing, session) if pushing else None
        async with feed or _nothing():
            yield EvmSource(network, providers, feed)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def _header(reply: Reply) -> _Header | None:
    """None where the node answers null or an error: it does not know this block or tag."""
    if isinstance(reply, RpcError) or reply == NULL:
        return None
    try:
        return _HEADER.decode(reply)
    except (msgspec.MsgspecError, ValueError) as exc:
        raise ProofError(f"expected a block as the node's JSON, got {len(reply)} other bytes: {exc}") from exc


def _number(reply: Reply) -> int:
    """The answer of eth_blockNumber; -1 where there is none."""
    if isinstance(reply, RpcError) or reply == NULL:
        return -1
    return hex_int(reply.decode("utf-8", "replace").strip('"'), "eth_blockNumber")


def _mark(mark: Mark, heights: Mapping[str, int], head: int) -> int:
    """The tag's height, else the depth below the head; -1 where the node says neither."""
    tagged = heights.get(mark.tag, -1) if mark.tag else -1
    if tagged >= 0:
        return tagged if head < 0 else min(tagged, head)
    return max(-1, head - mark.depth) if head >= 0 else -1
