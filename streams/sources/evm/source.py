"""Source, EVM: a network's chain through its JSON-RPC providers."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

import aiohttp
import structlog

from ft.networks import Network
from ft.providers import require_http
from ft.streams.sources import Block, Marks, SourceError, SourceUnripe
from ft.streams.sources.evm import standing
from ft.streams.sources.evm.asking import Asking
from ft.streams.sources.evm.content import content_of
from ft.streams.sources.evm.hashes import Hashes, hashes_of
from ft.streams.sources.evm.heads import HeadFeed
from ft.streams.sources.evm.listening import Listening
from ft.streams.sources.evm.marks import Survey
from ft.streams.sources.evm.provider import Provider, Unripe
from ft.streams.sources.evm.providers import Providers, Work
from ft.streams.sources.evm.rpc import RpcClient
from ft.streams.sources.limits import Breaker, TokenBucket, rate_of

IN_FLIGHT: Final = 8
"""Requests for blocks that are under way at once."""
_CHUNK_BYTES: Final = 4 << 20
"""What one request should bring, about; small blocks go together."""
_HASHES_MAX: Final = 1_000
PATIENCE_S: Final = 15.0
"""How long one request may take where there are other providers."""
UNTRUSTED_S: Final = 60.0
"""How long a provider whose answer was wrong is asked last."""
log = structlog.get_logger(__name__)
NOTHING: Final[Mapping[int, str]] = MappingProxyType({})


class EvmSource:
    """Implements :class:`ft.streams.sources.Source`. Open it with :func:`open_evm`."""

    def __init__(self, network: Network, providers: Providers, feed: HeadFeed | None = None) -> None:
        self._network = network
        self._providers = providers
        self._survey = Survey(network, providers, time.monotonic)
        self._feed = feed
        self._block_bytes = 256 << 10  # a guess until blocks came
        self._head_seen = -1
        self._asking = Asking(network, providers)
        self._listening = Listening(providers, self._asking, IN_FLIGHT)
        self._unripe = -1
        """The block that had to stand when it was asked for last."""

    async def close(self) -> None:
        """Give up what is under way."""
        await self._listening.close()
        await self._survey.close()

    def held_s(self) -> float:
        """Seconds so far in which ``requests_per_s`` held requests back, at the provider where it did so longest."""
        return max(provider.bucket.held_s() for provider in self._providers.all)

    async def marks(self) -> Marks:
        """Head and finality as the providers together say. Raises SourceError."""
        marks = await self._survey.look()
        self._head_seen, self._asking.finalized = marks.head, marks.finalized
        return marks

    async def hashes(
        self, heights: Sequence[int], expected: Mapping[int, str] = NOTHING, *, everyone: bool = False
    ) -> Mapping[int, str | None]:
        """By the first provider that answers; where that denies what is expected, by most of them. SourceError.

        ``everyone``: all are asked, but for those that are slow now, and most of them decide where they differ.
        """
        found: dict[int, str | None] = {}
        several = len(self._providers.all) > 1
        for at in range(0, len(heights), _HASHES_MAX):
            asked = heights[at : at + _HASHES_MAX]
            work = partial(hashes_of, self._network, heights=asked)
            every = await self._providers.each("block hashes", work, quick=True) if everyone and several else {}
            said = max(every.values(), key=_worth) if every else await self._first_says(work, asked)
            denied = [h for h in asked if said.hashes[h] not in (None, expected.get(h, said.hashes[h]))]
            if denied and several:
                every = await self._providers.each("block hashes", work)
            parted = [h for h in asked if len({s.hashes[h] for s in every.values()} - {None}) > 1]
            if disputed := [*denied, *parted]:
                said = self._most_say(said, every, min(disputed))
            found |= said.hashes
        return found

    async def _first_says(self, work: Work[Hashes], heights: Sequence[int]) -> Hashes:
        return await self._providers.ask(
            "block hashes",
            work,
            block=min(heights),
            height=max(heights),
            enough=lambda got: got.known and (got.sealed_all or not self._asking.sealable),
            worth=_worth,
        )

    def _most_say(self, said: Hashes, answers: Mapping[Provider, Hashes], disputed: int) -> Hashes:
        """The answer that most providers share at a height; of as many, that of the highest head. Others lose trust."""
        every = {p: s for p, s in answers.items() if s.hashes[disputed]}
        voting = {p: s for p, s in every.items() if not p.left_out} or every
        voting = {p: s for p, s in voting.items() if s.sealed[disputed]} or voting
        if not voting:
            return said
        votes = Counter(each.hashes[disputed] for each in voting.values())
        winner = max(voting, key=lambda p: (votes[voting[p].hashes[disputed]], p.head))
        right = voting[winner].hashes[disputed]
        for provider, each in every.items():
            if each.hashes[disputed] != right:
                provider.lied(
                    "block hashes",
                    f"block {disputed}: expected {right}, which {votes[right]} say, got {each.hashes[disputed]}",
                )
        return voting[winner]

    async def blocks(self, first: int, last: int) -> AsyncIterator[Block]:
        """Up to the next one whose answer has to stand yet, then that one; those behind it are asked for ahead.

        Raises SourceError.
        """
        at, ahead = first, self._asking.ahead
        while at <= last:
            upto = at if at == self._unripe else ahead.up_to(at, last)
            stood = ahead.standing(at, upto)
            try:
                async with aclosing(self._side_by_side(at, upto)) as found:
                    async for block in found:
                        yield block
                        at = block.height + 1
            except SourceUnripe:
                self._unripe = at
                if at in stood and ahead.waits(at):
                    ahead.astray(at)
                await self._listening.listen(at, last, self._chunk())
                raise
            if at <= upto:
                return

    async def _side_by_side(self, first: int, last: int) -> AsyncGenerator[Block, None]:
        """Chunks are fetched side by side and given out in order; a chunk that is cut short ends it. SourceError."""
        under_way: deque[asyncio.Task[_Chunk]] = deque()
        ahead = first
        try:
            while ahead <= last or under_way:
                while ahead <= last and len(under_way) < IN_FLIGHT:
                    heights = range(ahead, min(last, ahead + self._chunk() - 1) + 1)
                    under_way.append(asyncio.create_task(self._chunk_of(heights)))
                    ahead = heights[-1] + 1
                chunk = await under_way[0]
                under_way.popleft()
                for block in chunk.blocks:
                    self._block_bytes += (block.size - self._block_bytes) // 8
                    final = block.height <= self._asking.finalized
                    yield block if final else replace(block, content=content_of(block.parts))
                if chunk.error is not None:
                    raise chunk.error
                if chunk.is_short:
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
        await self._feed.news(self._head_seen, timeout_s)

    def _chunk(self) -> int:
        """Blocks in one request."""
        most = max(1, (self._network.batch_max - 1) // 2)  # a block and its receipts; the chain id once
        return max(1, min(most, _CHUNK_BYTES // max(1, self._block_bytes)))

    async def _chunk_of(self, heights: range) -> "_Chunk":
        """What comes before a block that cannot be had comes all the same. Raises nothing of its own."""
        blocks: list[Block] = []
        try:
            while len(blocks) < len(heights):
                found, trouble = await self._asking.blocks(heights[len(blocks) :])
                blocks += found
                if trouble is None:
                    break
                if not found:
                    why = f"{self._network.slug}, block {heights[len(blocks)]}: {trouble}"
                    raise SourceUnripe(why, standing.STANDS_S) if isinstance(trouble, Unripe) else SourceError(why)
        except SourceError as exc:
            return _Chunk(blocks, is_short=True, error=exc)
        return _Chunk(blocks, is_short=len(blocks) < len(heights))


def _worth(hashes: Hashes) -> tuple[int, bool]:
    return hashes.count, hashes.sealed_all


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some heights as all providers together have them."""

    blocks: list[Block]
    is_short: bool = False
    """There are more heights than blocks."""
    error: SourceError | None = None
    """Why the next block cannot be had, where it exists."""


@asynccontextmanager
async def open_evm(
    network: Network, urls: Sequence[str] = (), *, give_up_s: float | None = None, timeout_s: float = 30.0
) -> AsyncIterator[EvmSource]:
    """The network through these providers (default: those configured); every one's chain id is checked.

    ``give_up_s``: how long all may be away, default for ever. Raises ConfigError.
    """
    urls = tuple(urls) or network.rpc_urls
    http = require_http(network, urls)
    pushing = [url for url in urls if url not in http]
    if len(http) > 1:
        timeout_s = min(timeout_s, PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=4 * IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:
        nodes = [
            Provider(
                client=RpcClient(url, session, batch_max=network.batch_max, timeout_s=timeout_s),
                bucket=TokenBucket(rate_of(url, network.requests_per_s), time.monotonic),
                breaker=Breaker(time.monotonic),
                trust=Breaker(time.monotonic, failures_max=1, rest_s=UNTRUSTED_S),
                network=network.slug,
                chain_id=network.chain_id,
            )
            for url in http
        ]
        providers = Providers(network.slug, nodes, give_up_s=give_up_s)
        await providers.check_chain()
        feed = HeadFeed(network.slug, pushing, session) if pushing else None
        async with feed or _nothing():
            source = EvmSource(network, providers, feed)
            try:
                yield source
            finally:
                await source.close()


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield
