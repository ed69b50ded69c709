"""Source, EVM: several nodes as one. Who is asked, who is asked next, and when to give up.

Providers stand in the order of preference; who lied lately, is behind or slow comes last. A round asks each that may
be asked; between rounds 1, 2, 4, 8 ... 60 s.
1. a node that fails, limits requests, takes too long or is of another chain: its breaker counts, the next one is
   asked; until ``give_up_s``, or (no such limit) for about a minute, and who asked asks again
2. a node whose answer does not prove itself: it is asked last for a while; three rounds of nothing better are an error
3. a node that answers an error: the next one is asked; five rounds of nothing better are an error
4. a node that does not have all of it yet: the next one is asked; until ``give_up_s``, or three rounds for whoever has
   no such limit and other things to do meanwhile
5. a node whose answer has to stand: as 4, but who has no such limit is told after one round
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from ft.errors import ConfigError, FtError
from ft.streams.sources import SourceError, SourceUnavailable, SourceUnripe
from ft.streams.sources.evm import standing
from ft.streams.sources.evm.answers import ProofError
from ft.streams.sources.evm.provider import SLOW_S, NodeRefused, NotYet, Provider, Sleep, Unripe, WrongChain, in_order
from ft.streams.sources.evm.rpc import ProviderFailed
from ft.streams.sources.limits import Clock, backoff_s

T = TypeVar("T")
Work = Callable[[Provider], Awaitable[T]]
PROOF_ROUNDS: Final = 3
REFUSED_ROUNDS: Final = 5
LATE_ROUNDS: Final = 3
AWAY_ROUNDS: Final = 6
"""Of 1, 2, 4 ... s, for whoever has no limit."""
_SAID: Final = (ProviderFailed, ProofError, NodeRefused, NotYet)
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Rounds:
    """What was heard so far to one question, and whether to ask again."""

    what: str
    network: str
    block: int | None
    deadline: float | None
    attempt: int = 0
    unproven: int = 0
    refused: int = 0
    late: int = 0
    unripe: bool = False
    """Of the last round: an answer has to stand."""
    heard: dict[str, FtError] = field(default_factory=dict)
    said: list[FtError] = field(default_factory=list)
    """In this round."""

    def note(self, provider: Provider, error: FtError) -> None:
        self.said.append(error)
        self.heard[provider.name] = error
        if isinstance(error, Unripe):
            return
        level = log.warning if self.attempt == 0 or isinstance(error, ProofError) else log.info
        level(
            "provider failed", network=self.network, asked=self.what, block=self.block, provider=provider.name,
            error=str(error),
        )  # fmt: skip

    def over(self) -> bool:
        """Count the round. Whether enough was heard to give up."""
        self.unproven += any(isinstance(error, ProofError) for error in self.said)
        self.refused += bool(self.said) and all(isinstance(error, NodeRefused) for error in self.said)
        self.late += any(isinstance(error, NotYet) for error in self.said)
        self.unripe = any(isinstance(error, Unripe) for error in self.said)
        self.said.clear()
        self.attempt += 1
        too_late = self.deadline is None and (self.unripe or self.late >= LATE_ROUNDS)
        return too_late or self.unproven >= PROOF_ROUNDS or self.refused >= REFUSED_ROUNDS


class Providers:
    """All nodes of a network."""

    def __init__(
        self,
        network: str,
        providers: Sequence[Provider],
        *,
        give_up_s: float | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``give_up_s``: how long all of them may be away before that is an error; None: AWAY_ROUNDS."""
        self.all = tuple(providers)
        self._network = network
        self._give_up_s = give_up_s
        self._clock = clock
        self._sleep = sleep

    async def check_chain(self) -> None:
        """Ask every node for its chain. One that is away is asked again whenever it is used.

        Raises ConfigError for a node of another chain.
        """
        results = await asyncio.gather(*(each.check_chain() for each in self.all), return_exceptions=True)
        for provider, result in zip(self.all, results, strict=True):
            if isinstance(result, WrongChain):
                raise ConfigError(str(result)) from result
            if isinstance(result, ProviderFailed):
                log.warning("provider away", network=self._network, provider=provider.name, error=str(result))
            elif isinstance(result, BaseException):
                raise result

    async def ask(
        self,
        what: str,
        work: Work[T],
        *,
        block: int | None = None,
        height: int | None = None,
        enough: Callable[[T], bool] = lambda _: True,
        worth: Callable[[T], Any] = lambda _: 0,
    ) -> T:
        """Do ``work`` with the first node that can. ``what`` and ``block`` name it in messages.

        ``height``: nodes that have not come so far are asked last. ``enough``: an answer that is not is kept while
        the others are asked; of such the one that is ``worth`` most is returned if none is better. Raises
        SourceUnavailable, SourceError.
        """
        rounds = self.rounds(what, block)
        while True:
            meagre: list[T] = []
            for provider in in_order(self.all, height):
                if not provider.breaker.allow():
                    continue
                try:
                    answer = await self.one(provider, what, work)
                except _SAID as exc:
                    rounds.note(provider, exc)
                    continue
                if enough(answer):
                    return answer
                meagre.append(answer)
            if meagre:
                return max(meagre, key=worth)
            await self.pause(rounds)

    async def each(self, what: str, work: Work[T], *, quick: bool = False) -> dict[Provider, T]:
        """What every node says that may be asked and answers, side by side. Raises nothing.

        ``quick``: but for those that are slow now; they would hold up the others.
        """
        asked = [provider for provider in self.all if not (quick and provider.is_slow) and provider.breaker.allow()]
        tries = {provider: asyncio.create_task(self.one(provider, what, work)) for provider in asked}
        if not tries:
            return {}
        try:
            await asyncio.wait(tries.values(), timeout=SLOW_S if quick else None)
        finally:
            late = [task for task in tries.values() if task.cancel()]
            await asyncio.gather(*late, return_exceptions=True)
        found = {provider: task for provider, task in tries.items() if not task.cancelled()}
        for task in found.values():
            if (error := task.exception()) is not None and not isinstance(error, _SAID):
                raise error
        return {provider: task.result() for provider, task in found.items() if task.exception() is None}

    async def one(self, provider: Provider, what: str, work: Work[T]) -> T:
        """One node's try, and what it means for its breakers.

        Raises ProviderFailed, ProofError, NodeRefused, NotYet.
        """
        try:
            answer = await work(provider)
        except ProviderFailed as exc:
            provider.failed(what, exc)
            raise
        except BaseException as exc:
            provider.breaker.pause(0.0)  # it answered, or an error of ours, or cancelled
            if isinstance(exc, ProofError):
                provider.lied(what, exc)
            raise
        provider.breaker.succeeded()
        return answer

    def rounds(self, what: str, block: int | None = None) -> Rounds:
        """One question."""
        deadline = None if self._give_up_s is None else self._clock() + self._give_up_s
        return Rounds(what, self._network, block, deadline)

    async def pause(self, rounds: Rounds) -> None:
        """After a round in which nobody answered. Raises SourceUnavailable, SourceError."""
        if rounds.over():
            said = self._summary(rounds)
            raise SourceUnripe(said, standing.STANDS_S) if rounds.unripe else SourceError(said)
        if rounds.deadline is not None and self._clock() >= rounds.deadline:
            raise SourceUnavailable(f"{self._summary(rounds)}; gave up after {self._give_up_s:.0f} s")
        if rounds.deadline is None and rounds.attempt >= AWAY_ROUNDS:
            raise SourceUnavailable(f"{self._summary(rounds)}; {rounds.attempt} rounds")
        await self._sleep(self._pause_s(rounds.attempt - 1))

    def _pause_s(self, attempt: int) -> float:
        """The back-off; no longer than until the first breaker lets a request through."""
        closed = [provider.breaker.wait_s() for provider in self.all]
        wait = backoff_s(attempt)
        return max(0.05, min([wait, *(s for s in closed if s > 0)])) if all(closed) else wait

    def _summary(self, rounds: Rounds) -> str:
        """What each provider said last."""
        heard: Mapping[str, FtError] = rounds.heard
        names = [provider.name for provider in self.all]
        said = [f"{name} said: {heard[name]}" if name in heard else f"{name}: not asked" for name in names]
        return f"{self._network}, {rounds.what}: {'; '.join(said)}"
