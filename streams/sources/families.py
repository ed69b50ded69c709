"""Which adapter opens a network's chain: one entry a family. What is not opened is not imported."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from types import MappingProxyType
from typing import Final, Protocol

from ft.errors import ConfigError
from ft.networks import Network
from ft.streams.sources import Source

_OPENED_BY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"evm": ("ft.streams.sources.evm.source", "open_evm")}
)
"""Family -> module and function."""


class HeldSource(Source, Protocol):
    """A source that tells how much its own limits hold it back."""

    def held_s(self) -> float:
        """Seconds so far in which ``requests_per_s`` held requests back."""
        ...


Opener = Callable[..., AbstractAsyncContextManager[HeldSource]]


def require_source(network: Network) -> None:
    """Raises ConfigError for a network of a family that has no source."""
    if network.family not in _OPENED_BY:
        expected = ", ".join(_OPENED_BY)
        raise ConfigError(
            f"{network.slug}: expected a network of family {expected}, got one of family {network.family}"
        )


def open_source(
    network: Network, urls: Sequence[str], *, give_up_s: float | None = None
) -> AbstractAsyncContextManager[HeldSource]:
    """The network through these providers (default: those configured).

    ``give_up_s``: how long all may be away, default for ever. Raises ConfigError for a family that has no source; what
    is returned raises ConfigError where the providers are not of this network.
    """
    require_source(network)
    module, name = _OPENED_BY[network.family]
    opener: Opener = getattr(import_module(module), name)
    return opener(network, urls, give_up_s=give_up_s)
