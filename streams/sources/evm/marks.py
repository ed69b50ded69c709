"""Source, EVM: how far the chain is. Every provider is asked, since one alone may be stuck, behind, or wrong.

1. each node's own marks; a tag that it has answered before must be answered, a depth does not stand in for it
2. left out are nodes whose latest header does not make its hash while another's does, and those whose head stands
   still while another's moves
3. head: the highest, since its blocks must prove themselves anyway; finality: the middle one, the lower of two
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ft.errors import FtError
from ft.networks import Mark, Network
from ft.streams.sources import Marks
from ft.streams.sources.evm import proof
from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.provider import Provider
from ft.streams.sources.evm.providers import Providers
from ft.streams.sources.evm.rpc import NULL, Call, ProviderFailed, Reply, RpcError
from ft.streams.sources.limits import Clock

GRACE_S: Final = 0.1
"""How long to wait for the others once one has answered; what comes later counts the next time."""
FIRST_GRACE_S: Final = 2.0
KNOWN_S: Final = 2.0
"""How long to wait for the first, if what was told before is not old yet."""
_FRESH_S: Final = 15.0
_STUCK_S: Final = 30.0
_STUCK_BLOCKS: Final = 20
_SAID: Final = (ProviderFailed, ProofError)
log = structlog.get_logger(__name__)


async def marks_of(network: Network, provider: Provider) -> tuple[Marks, bool]:
    """One node's: by tags, by depth where it has never answered the tag. ``head`` is -1 where it knows none.

    And whether its latest header makes its hash. Raises ProviderFailed, ProofError.
    """
    confirmed, finalized = network.confirmed, network.finalized
    tags = ["latest", *dict.fromkeys(m.tag for m in (confirmed, finalized) if m.tag and m.tag != "latest")]
    calls: list[Call] = [("eth_getBlockByNumber", [tag, False]) for tag in tags]
    count, *replies = await provider.of_chain([("eth_blockNumber", []), *calls])
    if isinstance(count, RpcError) and isinstance(replies[0], RpcError):
        raise ProviderFailed(f"{provider.name}: expected a head, got: {count}")
    found = {tag: header_of(reply) for tag, reply in zip(tags, replies, strict=True)}
    latest = found["latest"]
    head = hex_int(latest.number, "a height") if latest else _number(count)
    heights = {tag: hex_int(header.number, "a height") for tag, header in found.items() if header is not None}
    if lost := provider.tags - heights.keys():
        raise ProviderFailed(f"{provider.name}: expected its block of tag {min(lost)}, as before, got none")
    provider.tags |= heights.keys()
    final = _mark(finalized, heights, head)
    time = hex_int(latest.timestamp, "a time") if latest else None
    marks = Marks(head=head, finalized=final, safe=max(final, _mark(confirmed, heights, head)), time=time)
    return marks, is_sealed(network, latest)


def header_of(reply: Reply) -> proof.Block | None:
    """A header; None where the node answers null or an error. Raises ProofError."""
    return None if isinstance(reply, RpcError) or reply == NULL else proof.read_block(reply)


def is_sealed(network: Network, header: proof.Block | None) -> bool:
    """Whether a header makes the hash that it states, on networks whose headers are Ethereum's.

    A node may leave fields out, a fork may bring one that is not known here: it is no proof of a lie. Another
    provider's header that makes its hash is believed before it.
    """
    if header is None or network.proof != "receipts":
        return True
    try:
        proof.verify_block_hash(header)
    except ProofError:
        return False
    return True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one node said last."""

    provider: str
    marks: Marks
    at: float
    moved_at: float
    """When its head was first seen where it is."""
    sealed: bool = True
    """Whether its latest header makes its hash."""


def agreed(told: Sequence[Told], stuck_s: float) -> Marks:
    """What several nodes come to; see the module. ``told`` is not empty."""
    moving = [each.marks for each in told if not stuck(each, told, stuck_s)]
    highest = max(moving, key=lambda marks: marks.head)
    final = min(_middle([marks.finalized for marks in moving]), highest.head)
    safe = min(_middle([marks.safe for marks in moving]), highest.head)
    return Marks(head=highest.head, finalized=final, safe=max(safe, final), time=highest.time)


def stuck(one: Told, told: Sequence[Told], stuck_s: float) -> bool:
    """Whether its head stands so long already while another's has moved."""
    return max(each.moved_at for each in told) - one.moved_at >= stuck_s


def _middle(heights: Sequence[int]) -> int:
    return sorted(heights)[(len(heights) - 1) // 2]


class Survey:
    """Asks every node whenever somebody looks, one request a node at a time. :meth:`close` it."""

    def __init__(self, network: Network, providers: Providers, clock: Clock) -> None:
        self._network = network
        self._providers = providers
        self._clock = clock
        self._stuck_s = max(_STUCK_S, _STUCK_BLOCKS * network.block_time_s)
        self._tasks: dict[Provider, asyncio.Task[None]] = {}
        self._told: dict[Provider, Told] = {}

    async def close(self) -> None:
        """Ask no longer."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def look(self) -> Marks:
        """Where head and finality are now. Raises SourceUnavailable, SourceError."""
        rounds = self._providers.rounds("head")
        while True:
            self._ask()
            for provider, error in await self._listen():
                rounds.note(provider, error)
            if known := self._fresh():
                return self._agreed(known)
            if not self._tasks:
                await self._providers.pause(rounds)

    def _ask(self) -> None:
        """Whoever may be asked and is not being asked."""
        for provider in self._providers.all:
            if provider not in self._tasks and provider.breaker.allow():
                self._tasks[provider] = asyncio.create_task(self._hear(provider))

    async def _hear(self, provider: Provider) -> None:
        marks, sealed = await self._providers.one(provider, "head", lambda p: marks_of(self._network, p))
        now, before = self._clock(), self._told.get(provider)
        moved_at = before.moved_at if before is not None and before.marks.head == marks.head else now
        provider.head = marks.head
        self._told[provider] = Told(provider=provider.name, marks=marks, at=now, moved_at=moved_at, sealed=sealed)

    async def _listen(self) -> list[tuple[Provider, FtError]]:
        """Until one has answered, and a little for the others; for the first not too long, if something is known."""
        began, grace_s = self._clock(), GRACE_S if self._told else FIRST_GRACE_S
        until = began + KNOWN_S if self._fresh() else None
        failed, answered = list[tuple[Provider, FtError]](), False
        while self._tasks and (until is None or self._clock() < until):
            left = None if until is None else max(0.0, until - self._clock())
            done, _ = await asyncio.wait(self._tasks.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for provider in [provider for provider, task in self._tasks.items() if task in done]:
                error = self._tasks.pop(provider).exception()
                if error is None:
                    continue
                if not isinstance(error, _SAID):
                    raise error
                failed.append((provider, error))
            if not answered and any(told.at >= began for told in self._told.values()):
                answered, until = True, self._clock() + grace_s
        return failed

    def _fresh(self) -> list[Told]:
        """What was told lately; by those that know a head, and one that proves itself, if there are any."""
        now = self._clock()
        fresh = [told for told in self._told.values() if now - told.at < _FRESH_S]
        known = [told for told in fresh if told.marks.head >= 0] or fresh
        return [told for told in known if told.sealed] or known

    def _agreed(self, known: Sequence[Told]) -> Marks:
        for provider, told in self._told.items():
            before, provider.left_out = provider.left_out, told in known and stuck(told, known, self._stuck_s)
            if provider.left_out and not before:
                log.warning("provider stands still", network=self._network.slug, provider=provider.name, left_out=True)
        return agreed(known, self._stuck_s)
