"""Source, EVM: some heights of all providers together: the best that any has, as far as it is proven or believed.

1. provider by provider, until one has all of them as well proven as can be (blocks.py, ladder.py)
2. of each height the best proof, of as good ones that with most logs
3. up to the first whose answer has to stand yet (standing.py)
4. who said otherwise than what is proven is not believed for a while
"""

import time
from collections.abc import Iterable, Mapping, Sequence

import structlog

from ft.errors import FtError
from ft.networks import Network
from ft.schemas.proofs import AS_GOOD_AS_ANY, HEADER, worth
from ft.streams.sources import Block
from ft.streams.sources.evm.ahead import Ahead
from ft.streams.sources.evm.blocks import UNPROVEN, fetch
from ft.streams.sources.evm.ladder import Asked, Fewer
from ft.streams.sources.evm.provider import Provider, Unripe
from ft.streams.sources.evm.providers import Providers
from ft.streams.sources.evm.standing import Standing
from ft.streams.sources.limits import Clock

log = structlog.get_logger(__name__)


class Asking:
    """One network's."""

    def __init__(self, network: Network, providers: Providers, clock: Clock = time.monotonic) -> None:
        self.finalized = -1
        """The highest final block, as far as is known."""
        self.sealable = True
        """Whether some provider's headers make their hashes, as far as is known."""
        self.standing = Standing(clock)
        self.ahead = Ahead(self.standing)
        self._network = network
        self._providers = providers

    async def blocks(self, heights: range) -> tuple[list[Block], FtError | None]:
        """The blocks from the first of these on; and where there are more, but nothing proves the next one, why.

        Whose patience has an end waits until the first one's answer has stood. Raises SourceError; SourceUnripe where
        it has to stand, and others have other things to do meanwhile.
        """
        rounds = self._providers.rounds(_named(heights), heights[0])
        while True:
            blocks, waiting, trouble = await self._once(heights)
            if blocks or not waiting:
                return blocks, trouble
            for provider, error in waiting.items():
                rounds.note(provider, error)
            await self._providers.pause(rounds)

    async def hear(self, provider: Provider, heights: range) -> None:
        """Ask one provider only so that what it says stands from now on.

        Raises ProviderFailed, ProofError, NodeRefused, NotYet.
        """
        asked = Asked(finalized=self.finalized)
        blocks = await self._providers.one(
            provider, _named(heights), lambda one: self._some(one, heights, len(heights), asked)
        )
        self._note(provider, blocks, asked.fewer)

    async def _once(self, heights: range) -> tuple[list[Block], dict[Provider, Unripe], FtError | None]:
        """The blocks; where the next one's answer has to stand, what each provider says of it; and why they end."""
        tries, said, every = 0, dict[Provider, list[Block]](), dict[Provider, Asked]()

        async def work(provider: Provider) -> list[Block]:
            """All at once; after a failure half as many, and so on: the answer may have been too large or too slow."""
            nonlocal tries
            asked = every[provider] = Asked(finalized=self.finalized)
            said.pop(provider, None)
            try:
                said[provider] = blocks = await self._some(provider, heights, max(1, len(heights) >> tries), asked)
            except FtError:
                tries += 1
                raise
            return blocks

        def enough(got: list[Block]) -> bool:
            stands = any(blocks is got and every[provider].fewer for provider, blocks in said.items())
            return len(got) == len(heights) and not stands and self._as_good_as_any(got)

        chosen = await self._providers.ask(
            _named(heights), work, block=heights[0], height=heights[-1], worth=_worth, enough=enough
        )
        chosen = _best(_trusted(chosen, said), said.values())
        self._compare(chosen, said, every)
        fewer = {id(each.block): each for asked in every.values() for each in asked.fewer}
        if fewer:
            for provider, blocks in said.items():
                self._note(provider, blocks, every[provider].fewer)
        for at, block in enumerate(chosen):
            if (known := fewer.get(id(block))) is not None and not self._is_believed(known):
                waiting = {
                    provider: Unripe(each.said)
                    for provider, asked in every.items()
                    for each in asked.fewer
                    if each.block.height == block.height
                }
                return chosen[:at], waiting, Unripe(known.said)
        if len(chosen) == len(heights):
            return chosen, {}, None
        return chosen, {}, next((asked.trouble for asked in every.values() if asked.trouble is not None), None)

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

    def _note(self, provider: Provider, blocks: Sequence[Block], fewer: Sequence[Fewer]) -> None:
        """What a provider said, where something has to stand: the proven ones too, so that they are asked for once."""
        for each in fewer:
            self.standing.note(each.block.hash, provider.name, each.digest, each.logs)
        for block in blocks:
            self.ahead.heard(provider.name, block.height, block.hash)

    def _is_believed(self, fewer: Fewer) -> bool:
        return self.standing.believes(fewer.block.hash, fewer.block.provider, fewer.digest)

    def _as_good_as_any(self, blocks: Sequence[Block]) -> bool:
        """No other provider can be expected to prove them better."""
        usual = AS_GOOD_AS_ANY if self.sealable else AS_GOOD_AS_ANY | {HEADER}
        best = not any(provider.has_receipts for provider in self._providers.all)
        return all((best or block.proof == self._network.proof) and usual.issuperset(block.reasons) for block in blocks)

    def _compare(
        self, chosen: Sequence[Block], said: Mapping[Provider, Sequence[Block]], every: Mapping[Provider, Asked]
    ) -> None:
        """Who said otherwise than headers that make their hashes is not believed; where none does, none has to."""
        if len(said) == len(self._providers.all) and not any(block.sealed for got in said.values() for block in got):
            if self.sealable and chosen:
                log.warning("headers do not make their hashes", network=self._network.slug, block=chosen[0].height)
            self.sealable = self.sealable and not chosen
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


def _named(heights: range) -> str:
    return f"block {heights[0]}" if len(heights) == 1 else f"blocks {heights[0]}-{heights[-1]}"


def _worth(blocks: Sequence[Block]) -> tuple[int, ...]:
    """How many, then how well proven they are together."""
    each = [worth(block.proof, block.reasons) for block in blocks]
    return len(blocks), *(sum(column) for column in zip(*each, strict=True))


def _trusted(chosen: list[Block], said: Mapping[Provider, list[Block]]) -> list[Block]:
    """The chosen ones; where they are of one who is not believed now, and others have other blocks, these, though they
    are fewer."""
    if any(blocks is chosen and provider.trust.wait_s() <= 0 for provider, blocks in said.items()):
        return chosen
    hashes = {block.height: block.hash for block in chosen}
    others = [
        blocks
        for provider, blocks in said.items()
        if provider.trust.wait_s() <= 0 and any(hashes.get(b.height, b.hash) != b.hash for b in blocks)
    ]
    return max(others, key=_worth, default=chosen)


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
