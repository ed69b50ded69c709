"""node -> source: what every network family's adapter answers, and nothing about Kafka or Postgres.

One folder a family. An adapter proves what it hands over as far as the family allows, keeps the node's bytes as they
came, and hides that there are several providers which fail now and then.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ft.errors import FtError
from ft.schemas.events import RawPart


class SourceError(FtError):
    """No provider gave an answer that can be used; the message names the providers and what each said."""


class SourceUnavailable(SourceError):
    """Every provider is away, or refuses for reasons that pass."""

    retryable: ClassVar[bool] = True


class SourceUnripe(SourceError):
    """A block's answer has to stand for a while before it is believed. Nothing is wrong: ask again."""

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, stands_s: float = 0.0) -> None:
        """``stands_s``: how long it has to stand."""
        super().__init__(message)
        self.stands_s = stands_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far the node is. Heights are -1 where it does not say."""

    head: int
    """Highest block."""
    safe: int
    """Highest confirmed height."""
    finalized: int
    """Highest final height."""
    time: int | None = None
    """Time of the head, unix seconds; None where the node did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One proven block, with the node's own bytes."""

    height: int
    hash: str
    parent_hash: str
    time: int
    """Unix seconds."""
    proof: str
    """``receipts`` | ``logs``."""
    provider: str
    """Who answered, without credentials."""
    parts: tuple[RawPart, ...]
    logs: int = 0
    """Logs in it, for the progress line."""
    sealed: bool = True
    """Whether the header makes the hash; False also where it cannot be known."""
    reasons: tuple[str, ...] = ()
    """Why a part of it stands on the provider's word; words of ``ft.schemas.proofs``."""
    content: str = ""
    """Of a block that is not final: equal where it says the same, whatever proves it."""

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(len(part.bytes) for part in self.parts)


class Source(Protocol):
    """A network's chain, as its providers tell it. All methods raise SourceError."""

    async def marks(self) -> Marks:
        """Where the head and the finality marks are now."""

    async def hashes(
        self, heights: Sequence[int], expected: Mapping[int, str] = ..., *, everyone: bool = False
    ) -> Mapping[int, str | None]:
        """The canonical block's hash at each height; None where the node has no block.

        ``expected``: what the caller believes; an answer against it is not taken from one provider alone. ``everyone``:
        nor is one for it.
        """

    def blocks(self, first: int, last: int) -> AsyncIterator[Block]:
        """The blocks of ``first`` to ``last``, ascending and proven, fetched ahead.

        Ends early at a height that no provider has. Whether each is the parent of the next is for the caller to check.
        Raises SourceUnripe at one whose answer has to stand yet; of those behind it some were asked for as well.
        """

    async def wait_for_head(self, timeout_s: float) -> None:
        """Return once the head may have moved, at the latest after ``timeout_s``."""
