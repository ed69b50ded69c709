"""Source, EVM: a network's chain through its JSON-RPC providers."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

import aiohttp
import structlog

from ft.errors import ConfigError, FtError
from ft.networks import Network
from ft.schemas.proofs import HEADER, STATE_SYNC, worth
from ft.streams.sources import Block, Marks, SourceError, SourceUnripe
from ft.streams.sources.evm.ahead import Ahead
from ft.streams.sources.evm.blocks import UNPROVEN, fetch
from ft.streams.sources.evm.content import content_of
from ft.streams.sources.evm.hashes import Hashes, hashes_of
from ft.streams.sources.evm.heads import HeadFeed
from ft.streams.sources.evm.ladder import Asked
from ft.streams.sources.evm.limits import Breaker, TokenBucket
from ft.streams.sources.evm.marks import Survey
from ft.streams.sources.evm.provider import Provider, Unripe
from ft.streams.sources.evm.providers import Providers, Work
from ft.streams.sources.evm.rpc import RpcClient
from ft.streams.sources.evm.standing import Standing

IN_FLIGHT: Final = 8
"""Requests for blocks that are under way at once."""
_CHUNK_BYTES: Final = 4 << 20
"""What one request should bring, about; small blocks go together."""
_HASHES_MAX: Final = 1_000
PATIENCE_S: Final = 15.0
"""How long one request may take where there are other providers."""
LISTEN_S: Final = 5.0
"""How long blocks behind one that waits are asked for, at most, before it is asked for again."""
UNTRUSTED_S: Final = 60.0
"""How long a provider whose answer was wrong is asked last."""
log = structlog.get_logger(__name__)
NOTHING: Final[Mapping[int, str]] = MappingProxyType({})
_HTTP: Final = ("http://", "https://")


class EvmSource:
    """Implements :class:`ft.streams.sources.Source`. Open it with :func:`open_evm`."""

    def __init__(self, network: Network, providers: Providers, feed: HeadFeed | None = None) -> None:
        self._network = network
        self._providers = providers
        self._survey = Survey(network, providers, time.monotonic)
        self._feed = feed
        self._block_bytes = 256 << 10  # a guess until blocks came
        self._head_seen = -1
        self._finalized = -1
        self._standing = Standing(time.monotonic)
        self._ahead = Ahead(self._standing)
        self._sealable = True
        """Whether some provider's headers make their hashes, as far as is known."""

    async def close(self) -> None:
        """Give up what is under way."""
        await self._survey.close()

    async def marks(self) -> Marks:
        """Head and finality as the providers together say. Raises SourceError."""
        marks = await self._survey.look()
        self._head_seen, self._finalized = marks.head, marks.finalized
        return marks

    async def hashes(self, heights: Sequence[int], expected: Mapping[int, str] = NOTHING) -> Mapping[int, str | None]:
        """By the first provider that answers; where that denies what is expected, by most of them. SourceError."""
        found: dict[int, str | None] = {}
        for at in range(0, len(heights), _HASHES_MAX):
            asked = heights[at : at + _HASHES_MAX]
            work = partial(hashes_of, self._network, heights=asked)
            said = await self._providers.ask(
                "block hashes",
                work,
                block=min(asked),
                height=max(asked),
                enough=lambda got: got.known and (got.sealed_all or not self._sealable),
                worth=lambda got: (got.count, got.sealed_all),
            )
            if denied := [h for h in asked if said.hashes[h] not in (None, expected.get(h, said.hashes[h]))]:
                said = await self._most_say(said, work, min(denied))
            found |= said.hashes
        return found

    async def _most_say(self, said: Hashes, work: Work[Hashes], disputed: int) -> Hashes:
        """The answer that most providers share at a height; of as many, that of the highest head. Others lose trust."""
        if len(self._providers.all) == 1:
            return said
        every = {p: s for p, s in (await self._providers.each("block hashes", work)).items() if s.hashes[disputed]}
        voting = {p: s for p, s in every.items() if not self._survey.left_out(p)} or every
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
        at = first
        while at <= last:
            upto = self._ahead.up_to(at, last)
            try:
                async with aclosing(self._side_by_side(at, upto)) as found:
                    async for block in found:
                        yield block
                        at = block.height + 1
            except SourceUnripe:
                await self._listen(at, last)
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
                    final = block.height <= self._finalized
                    yield block if final else replace(block, content=content_of(block.parts))
                if chunk.error is not None:
                    raise chunk.error
                if chunk.is_short:
                    return
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _listen(self, waits: int, last: int) -> None:
        """Ask for some blocks behind the one that waits, so that their answers stand from now on. Raises nothing."""
        chunks = _runs(self._ahead.unheard(waits, last), self._chunk())[:IN_FLIGHT]
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_S):
                await asyncio.gather(*(self._hear(chunk) for chunk in chunks))

    async def _hear(self, heights: range) -> None:
        with suppress(SourceError):
            found, _ = await self._ask(heights)
            for block in found:
                self._ahead.heard(block.height, block.hash)

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
                found, trouble = await self._ask(heights[len(blocks) :])
                blocks += found
                if trouble is None:
                    break
                if not found:
                    kind = SourceUnripe if isinstance(trouble, Unripe) else SourceError
                    raise kind(f"{self._network.slug}, block {heights[len(blocks)]}: {trouble}")
        except SourceError as exc:
            return _Chunk(blocks, is_short=True, error=exc)
        return _Chunk(blocks, is_short=len(blocks) < len(heights))

    async def _ask(self, heights: range) -> tuple[list[Block], FtError | None]:
        """The blocks from the first of these on; and where there are more, but nothing proves the next one, why.

        Raises SourceError.
        """
        what = f"block {heights[0]}" if len(heights) == 1 else f"blocks {heights[0]}-{heights[-1]}"
        tries, said, every = 0, dict[Provider, list[Block]](), dict[Provider, Asked]()

        async def work(provider: Provider) -> list[Block]:
            """All at once; after a failure half as many, and so on: the answer may have been too large or too slow."""
            nonlocal tries
            size = max(1, len(heights) >> tries)
            tries += 1
            asked = every[provider] = Asked(standing=self._standing, ahead=self._ahead, finalized=self._finalized)
            said[provider] = blocks = await self._some(provider, heights, size, asked)
            return blocks

        chosen = await self._providers.ask(
            what, work, block=heights[0], height=heights[-1], worth=_worth,
            enough=lambda got: len(got) == len(heights) and self._as_good_as_any(got),
        )  # fmt: skip
        chosen = _best(chosen, said.values())
        self._compare(chosen, said, every)
        if len(chosen) == len(heights):
            return chosen, None
        return chosen, next((asked.trouble for asked in every.values() if asked.trouble is not None), None)

    async def _some(self, provider: Provider, heights: range, size: int, asked: Asked) -> list[Block]:
        """``size`` at a time, up to the first that one node does not have or does not prove."""
        blocks: list[Block] = []
        for at in range(0, len(heights), size):
            some = heights[at : at + size]
            try:
                blocks += (found := await fetch(self._network, provider, some, asked))
            except UNPROVEN as exc:
                asked.trouble = exc
                if not blocks:
                    raise
                break
            if len(found) < len(some):
                break
        return blocks

    def _as_good_as_any(self, blocks: Sequence[Block]) -> bool:
        """No other provider can be expected to prove them better."""
        usual = {STATE_SYNC} if self._sealable else {STATE_SYNC, HEADER}
        best = not any(provider.has_receipts for provider in self._providers.all)
        return all((best or block.proof == self._network.proof) and usual.issuperset(block.reasons) for block in blocks)

    def _compare(
        self, chosen: Sequence[Block], said: Mapping[Provider, Sequence[Block]], every: Mapping[Provider, Asked]
    ) -> None:
        """Who said otherwise than headers that make their hashes is not believed; where none does, none has to."""
        if len(said) == len(self._providers.all) and not any(block.sealed for got in said.values() for block in got):
            if self._sealable and chosen:
                log.warning("headers do not make their hashes", network=self._network.slug, block=chosen[0].height)
            self._sealable = self._sealable and not chosen
        right = {block.height: block.hash for block in chosen if block.sealed}
        for provider, got in said.items():
            for block in got:
                if block.height in right and (block.hash, block.sealed) != (right[block.height], True):
                    made = block.hash if block.sealed else f"{block.hash} with a header that does not make it"
                    provider.lied("blocks", f"block {block.height}: expected {right[block.height]}, got {made}")
                    break
        proven = {block.height for block in chosen if block.sealed and block.proof == "receipts"}
        for provider, asked in every.items():
            if (height := min(proven & asked.wrong.keys(), default=None)) is not None:
                provider.lied("blocks", asked.wrong[height])


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some heights as all providers together have them."""

    blocks: list[Block]
    is_short: bool = False
    """There are more heights than blocks."""
    error: SourceError | None = None
    """Why the next block cannot be had, where it exists."""


def _worth(blocks: Sequence[Block]) -> tuple[int, ...]:
    """How many, then how well proven they are together."""
    each = [worth(block.proof, block.reasons) for block in blocks]
    return len(blocks), *(sum(column) for column in zip(*each, strict=True))


def _better(block: Block) -> tuple[int, ...]:
    return *_worth([block]), block.logs


def _best(chosen: Sequence[Block], said: Iterable[Sequence[Block]]) -> list[Block]:
    """The chosen ones, or the same block from whoever proves it best; of as good proofs that with most logs."""
    best = {block.height: block for block in chosen}
    for blocks in said:
        for block in blocks:
            known = best.get(block.height)
            if known is not None and known.hash == block.hash and _better(block) > _better(known):
                best[block.height] = block
    return list(best.values())


def _runs(heights: Sequence[int], size: int) -> list[range]:
    """Ascending heights as unbroken runs of at most ``size``."""
    runs: list[range] = []
    for height in heights:
        if runs and runs[-1].stop == height and len(runs[-1]) < size:
            runs[-1] = range(runs[-1].start, height + 1)
        else:
            runs.append(range(height, height + 1))
    return runs


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
    if len(http) > 1:
        timeout_s = min(timeout_s, PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=4 * IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:
        nodes = [
            Provider(
                client=RpcClient(url, session, batch_max=network.batch_max, timeout_s=timeout_s),
                bucket=TokenBucket(network.requests_per_s, time.monotonic),
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
