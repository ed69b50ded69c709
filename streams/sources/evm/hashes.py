"""Source, EVM: a node's block hashes at some heights, and which of them its headers make."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ft.networks import Network
from ft.streams.sources.evm.answers import ProofError, hex_int
from ft.streams.sources.evm.marks import header_of, is_sealed
from ft.streams.sources.evm.provider import NodeRefused, Provider
from ft.streams.sources.evm.rpc import RpcError


@dataclass(slots=True)
class Hashes:
    """By height."""

    hashes: dict[int, str | None] = field(default_factory=dict)
    """None where the node has no block."""
    sealed: dict[int, bool] = field(default_factory=dict)
    """Whether the header makes the hash."""

    @property
    def count(self) -> int:
        """How many blocks the node has."""
        return sum(found is not None for found in self.hashes.values())

    @property
    def known(self) -> bool:
        """Whether it has all of them."""
        return self.count == len(self.hashes)

    @property
    def sealed_all(self) -> bool:
        """Whether every header makes its hash."""
        return all(self.sealed.values())


async def hashes_of(network: Network, provider: Provider, heights: Sequence[int]) -> Hashes:
    """One node's. Raises ProviderFailed, ProofError, NodeRefused."""
    replies = await provider.of_chain([("eth_getBlockByNumber", [hex(height), False]) for height in heights])
    found = Hashes()
    for height, reply in zip(heights, replies, strict=True):
        if isinstance(reply, RpcError) and not reply.absent:
            raise NodeRefused(f"{provider.name}: block {height}: {reply}")
        header = header_of(reply)
        if header is not None and (got := hex_int(header.number, "a block's number")) != height:
            raise ProofError(f"{provider.name}: expected block {height}, got block {got}")
        found.hashes[height] = header.hash.lower() if header else None
        found.sealed[height] = is_sealed(network, header)
    return found
