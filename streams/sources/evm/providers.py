"""Source, EVM: several nodes as one. Who is asked, how often, who is asked next, and when to give up.

Providers stand in the order of preference. A round asks each that may be asked; between rounds 1, 2, 4, 8 ... 60 s.
1. a node that fails or limits requests: its breaker counts, the next one is asked; for ever, or until ``give_up_s``
2. a node whose answer does not prove itself: the next one is asked; three rounds of nothing better are an error
3. a node that answers an error: the next one is asked; five rounds of nothing better are an error
4. a node of another chain: an error at once
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from ft.errors import ConfigError, FtError
from ft.streams.sources import SourceError, SourceUnavailable
from ft.streams.sources.evm.answers import ProofError
from ft.streams.sources.evm.limits import Breaker, Clock, TokenBucket, backoff_s
from ft.streams.sources.evm.rpc import Call, ProviderFailed, RateLimited, Reply, RpcClient, RpcError

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
PROOF_ROUNDS = 3
REFUSED_ROUNDS = 5
log = structlog.get_logger(__name__)


class NodeRefused(FtError):
    """The node answered an error to a call that cannot be done without."""


@dataclass(slots=True, eq=False)
class Provider:
    """One node, what it may be asked, and what it cannot do."""

    client: RpcClient
    bucket: TokenBucket
    breaker: Breaker
    sleep: Sleep = asyncio.sleep
    unknown: set[str] = field(default_factory=set)
    """Methods that it does not have."""
    checked: bool = False
    """Whether it is known to be of the right chain."""

    @property
    def name(self) -> str:
        return self.client.name

    async def batch(self, calls: Sequence[Call]) -> list[Reply]:
        """The calls, within the rate limit. Raises ProviderFailed."""
        if (wait := self.bucket.take(len(calls))) > 0:
            await self.sleep(wait)
        replies = await self.client.batch(calls)
        for (method, _), reply in zip(calls, replies, strict=True):
            if isinstance(reply, RpcError) and reply.unknown_method:
                self.unknown.add(method)
        return replies

    async def call(self, method: str, *params: Any) -> Reply:
        """One call. Raises ProviderFailed."""
        return (await self.batch([(method, list(params))]))[0]


Work = Callable[[Provider], Awaitable[T]]


class Providers:
    """All nodes of a network."""

    def __init__(
        self,
        network: str,
        chain_id: int | None,
        providers: Sequence[Provider],
        *,
        give_up_s: float | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """``give_up_s``: how long all of them may be away before that is an error; None: for ever."""
        self._network = network
        self._chain_id = chain_id
        self._providers = tuple(providers)
        self._give_up_s = give_up_s
        self._clock = clock
        self._sleep = sleep

    async def check_chain(self) -> None:
        """Ask every node for its chain. One that is away is asked again before it is used.

        Raises ConfigError for a node of another chain.
        """
        results = await asyncio.gather(*map(self._check, self._providers), return_exceptions=True)
        for provider, result in zip(self._providers, results, strict=True):
            if isinstance(result, ProviderFailed):
                log.warning("provider away", network=self._network, provider=provider.name, error=str(result))
            elif isinstance(result, BaseException):
                raise result

    async def ask(self, what: str, work: Work[T], *, enough: Callable[[T], bool] = lambda _: True) -> T:
        """Do ``work`` with the first node that can. ``what`` names it in messages.

        ``enough``: an answer that is not is kept while the others are asked; the first such is returned if none is
        better. Raises SourceUnavailable, SourceError, ConfigError.
        """
        deadline = None if self._give_up_s is None else self._clock() + self._give_up_s
        unproven = refused = attempt = 0
        heard: dict[str, FtError] = {}
        while True:
            said: list[tuple[Provider, FtError]] = []
            meagre: list[T] = []
            for provider in self._providers:
                if not provider.breaker.allow():
                    continue
                try:
                    answer = await self._one(provider, work)
                except (ProviderFailed, ProofError, NodeRefused) as exc:
                    said.append((provider, exc))
                    heard[provider.name] = exc
                    self._note(what, provider, exc, attempt)
                    continue
                if enough(answer):
                    return answer
                meagre.append(answer)
            if meagre:
                return meagre[0]
            unproven += any(isinstance(exc, ProofError) for _, exc in said)
            refused += bool(said) and all(isinstance(exc, NodeRefused) for _, exc in said)
            if unproven >= PROOF_ROUNDS or refused >= REFUSED_ROUNDS:
                raise SourceError(self._summary(what, heard))
            if deadline is not None and self._clock() >= deadline:
                raise SourceUnavailable(f"{self._summary(what, heard)}; gave up after {self._give_up_s:.0f} s")
            await self._sleep(self._pause_s(attempt))
            attempt += 1

    async def _one(self, provider: Provider, work: Work[T]) -> T:
        """One node's try, and what it means for its breaker."""
        breaker = provider.breaker
        try:
            await self._check(provider)
            answer = await work(provider)
        except RateLimited as exc:
            breaker.pause(backoff_s(0) if exc.retry_after_s is None else min(exc.retry_after_s, 300.0))
            raise
        except ProviderFailed:
            breaker.failed()
            raise
        except BaseException:
            breaker.pause(0.0)  # an error of ours, or cancelled: nothing is known about the node
            raise
        breaker.succeeded()
        return answer

    async def _check(self, provider: Provider) -> None:
        if provider.checked or self._chain_id is None:
            return
        reply = await provider.call("eth_chainId")
        if isinstance(reply, RpcError):
            log.warning("chain id not checked", network=self._network, provider=provider.name, error=str(reply))
            if not reply.unknown_method:
                raise ProviderFailed(f"{provider.name}: eth_chainId: {reply}")
            provider.checked = True
            return
        found = _quantity(reply)
        if found != self._chain_id:
            got = found if found is not None else ascii(reply[:60].decode("utf-8", "replace"))
            raise ConfigError(
                f"{provider.name}: expected a node of {self._network} (chain id {self._chain_id}), "
                f"got chain id {got}. Give another --rpc, or another network."
            )
        provider.checked = True

    def _note(self, what: str, provider: Provider, exc: FtError, attempt: int) -> None:
        level = log.warning if attempt == 0 or isinstance(exc, ProofError) else log.info
        level("provider failed", network=self._network, asked=what, provider=provider.name, error=str(exc))

    def _pause_s(self, attempt: int) -> float:
        """The back-off; no longer than until the first breaker lets a request through."""
        closed = [provider.breaker.wait_s() for provider in self._providers]
        wait = backoff_s(attempt)
        return max(0.05, min([wait, *(s for s in closed if s > 0)])) if all(closed) else wait

    def _summary(self, what: str, heard: Mapping[str, FtError]) -> str:
        """What each provider said last."""
        names = [provider.name for provider in self._providers]
        said = [f"{name} said: {heard[name]}" if name in heard else f"{name}: not asked" for name in names]
        return f"{self._network}, {what}: {'; '.join(said)}"


def _quantity(reply: bytes) -> int | None:
    """A number as nodes write it: a hex string, a decimal string, or a bare number."""
    text = reply.decode("utf-8", "replace").strip('"')
    try:
        return int(text, 16) if text[:2].lower() == "0x" else int(text)
    except ValueError:
        return None
