"""Source, EVM: one node. What it may be asked, what it cannot do, how quick it is, and whether it is believed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import structlog

from ft.errors import FtError
from ft.streams.sources.evm.rpc import Call, ProviderFailed, RateLimited, Reply, RpcClient, RpcError
from ft.streams.sources.limits import Breaker, Clock, TokenBucket, backoff_s

Sleep = Callable[[float], Awaitable[None]]
SLOW_S: Final = 2.0
"""A node that takes longer, and much longer than another, is asked after it."""
_SLOW_FACTOR: Final = 4.0
_FORGET_S: Final = 60.0
_CHAIN_EVERY_S: Final = 5.0
"""How often a node that takes no batches is asked for its chain."""
_CHAIN: Final = "eth_chainId"
log = structlog.get_logger(__name__)


class NodeRefused(FtError):
    """The node answered an error to a call that cannot be done without."""


class NotYet(FtError):
    """The node has the block, and not yet what proves it: the same question later, or another node, may bring it."""

    retryable: ClassVar[bool] = True


class Unripe(NotYet):
    """The node's answer fits, and is believed once it has stood for a while (standing.py)."""


class WrongChain(ProviderFailed):
    """The node is one of another chain."""


@dataclass(slots=True, eq=False)
class Provider:
    """One node of a network."""

    client: RpcClient
    bucket: TokenBucket
    breaker: Breaker
    """Whether it answers."""
    trust: Breaker
    """Whether its answers prove themselves; while this one is open, it is asked where nobody else answers."""
    network: str = ""
    chain_id: int | None = None
    sleep: Sleep = asyncio.sleep
    clock: Clock = time.monotonic
    unknown: set[str] = field(default_factory=set)
    """Methods that it does not have."""
    tags: set[str] = field(default_factory=set)
    """Block tags that it has answered."""
    head: int = -1
    """The highest block that it has told of."""
    left_out: bool = False
    """Its head stands still while another's moves."""
    _checked_at: float = float("-inf")
    _took_s: float = 0.0
    _took_at: float = float("-inf")
    _waiting: list[float] = field(default_factory=list)
    """When the requests that are under way were sent."""

    @property
    def name(self) -> str:
        """Host and port."""
        return self.client.name

    @property
    def has_receipts(self) -> bool:
        """Whether receipts may be had from it, as far as is known."""
        return not {"eth_getBlockReceipts", "eth_getTransactionReceipt"} <= self.unknown

    async def batch(self, calls: Sequence[Call]) -> list[Reply]:
        """The calls, within the rate limit. Raises ProviderFailed."""
        if (wait := self.bucket.take(len(calls))) > 0:
            await self.sleep(wait)
        with self._timed():
            replies = await self.client.batch(calls)
        for (method, _), reply in zip(calls, replies, strict=True):
            if isinstance(reply, RpcError) and reply.unknown_method:
                self.unknown.add(method)
        return replies

    async def call(self, method: str, *params: Any) -> Reply:
        """One call. Raises ProviderFailed."""
        return (await self.batch([(method, list(params))]))[0]

    async def of_chain(self, calls: Sequence[Call]) -> list[Reply]:
        """The calls, and with them whether the node is of the right chain, now. Raises ProviderFailed, WrongChain."""
        if self.chain_id is None or _CHAIN in self.unknown:
            return await self.batch(calls)
        if self.client.batch_max == 1:
            if self.clock() - self._checked_at > _CHAIN_EVERY_S:
                await self.check_chain()
            return await self.batch(calls)
        chain, *replies = await self.batch([(_CHAIN, []), *calls])
        self._right(chain)
        return replies

    async def check_chain(self) -> None:
        """Raises WrongChain, ProviderFailed."""
        if self.chain_id is not None and _CHAIN not in self.unknown:
            self._right(await self.call(_CHAIN))

    def _right(self, reply: Reply) -> None:
        if isinstance(reply, RpcError):
            if not reply.unknown_method:
                raise ProviderFailed(f"{self.name}: {_CHAIN}: {reply}")
            log.warning("chain id not checked", network=self.network, provider=self.name, error=str(reply))
            return
        found = _quantity(reply)
        if found != self.chain_id:
            got = found if found is not None else ascii(reply[:60].decode("utf-8", "replace"))
            raise WrongChain(
                f"{self.name}: expected a node of {self.network} (chain id {self.chain_id}), got chain id {got}. "
                "Give another --rpc, or another network."
            )
        self._checked_at = self.clock()

    def failed(self, what: str, error: FtError) -> None:
        """No answer, or one of another chain."""
        if isinstance(error, RateLimited):
            self.breaker.pause(backoff_s(0) if error.retry_after_s is None else min(error.retry_after_s, 300.0))
        elif self.breaker.open() if isinstance(error, WrongChain) else self.breaker.failed():
            log.warning(
                "provider rests", network=self.network, provider=self.name, seconds=self.breaker.rest_s, asked=what,
                error=str(error),
            )  # fmt: skip

    def lied(self, what: str, error: FtError | str) -> None:
        """Its answer does not prove itself, or other providers contradict it."""
        if self.trust.failed():
            log.warning(
                "provider is not believed", network=self.network, provider=self.name, seconds=self.trust.rest_s,
                asked=what, error=str(error),
            )  # fmt: skip

    def took_s(self) -> float:
        """How long it takes to answer, by its last answers and by what is waited for; 0 where nothing is known."""
        now = self.clock()
        known = self._took_s if now - self._took_at < _FORGET_S else 0.0
        return max(known, now - min(self._waiting, default=now))

    @property
    def is_slow(self) -> bool:
        """Whether it takes two seconds, or lets somebody wait for so long now."""
        return self.took_s() > SLOW_S

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = self.clock()
        self._waiting.append(began)
        try:
            yield
        finally:
            self._waiting.remove(began)
            now = self.clock()
            known = self._took_s if now - self._took_at < _FORGET_S else now - began
            self._took_s, self._took_at = 0.5 * (known + now - began), now


def in_order(providers: Sequence[Provider], height: int | None = None) -> list[Provider]:
    """Who is asked first: 1. who is believed, 2. whose head moves, 3. who has come as far as ``height``, 4. who is not
    slow; then as given.

    Slow is who takes two seconds, and four times as long as the quickest.
    """
    took = {provider: provider.took_s() for provider in providers}
    quickest = min(took.values(), default=0.0)

    def later(provider: Provider) -> tuple[bool, bool, bool, bool]:
        behind = height is not None and 0 <= provider.head < height
        slow = took[provider] > max(SLOW_S, _SLOW_FACTOR * quickest)
        return provider.trust.wait_s() > 0, provider.left_out, behind, slow

    return sorted(providers, key=later)


def _quantity(reply: bytes) -> int | None:
    """A number as nodes write it: a hex string, a decimal string, or a bare number."""
    text = reply.decode("utf-8", "replace").strip('"')
    try:
        return int(text, 16) if text[:2].lower() == "0x" else int(text)
    except ValueError:
        return None
