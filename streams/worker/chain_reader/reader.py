"""What a consumer of raw logs makes of their blocks: the part of reading a chain that is not the same for all."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ft.schemas.events import RawBlock
from ft.sql.session import Connection
from ft.streams.worker.chain_reader.envelope import Envelope

if TYPE_CHECKING:
    from ft.streams.worker.chain_reader.unit_of_work import UnitOfWork

S = TypeVar("S", bound=Sized)
"""A slice: what a block has for one partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedLog:
    """A log that is the consumer's and cannot be read: quarantined by itself, the block goes on."""

    reason: str
    """What was expected and what came."""
    log: bytes
    """As the node gave it."""
    contract: str = ""
    tx_hash: str = ""
    log_index: int = -1
    topic0: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded(Generic[S]):
    """What a block comes to."""

    slices: Mapping[int, S]
    """By partition, each with something in it."""
    quarantined: Sequence[Any] = ()
    """Of :class:`QuarantinedLog`, or with the same attributes."""
    kept: Any = None
    """For :class:`Kept`: what the consumer wants to write down of the block itself."""


class Events(Protocol[S]):
    """Blocks -> slices -> records of the consumer's topic. Pure."""

    def decode(self, record: RawBlock, offset: int, partitions: int) -> Decoded[S]:
        """Read the block of an append at this raw offset. Large ones are read in a thread. Raises MalformedRecord for
        one that cannot be read: it is quarantined whole."""
        ...

    def digest(self, part: S) -> str:
        """The same for the same content, whatever proved it; hex."""
        ...

    def fitting(self, part: S, bytes_max: int) -> tuple[S, Mapping[str, int]]:
        """The slice without the contracts that make its record too large, and how many bytes each of them takes."""
        ...

    def encode(self, envelope: Envelope, part: S | None, digest: str) -> bytes:
        """The record. ``part`` and ``digest``: of an append."""
        ...


class Kept(Protocol):
    """What the consumer keeps in Postgres beside the chain, in the same transactions."""

    async def load(self, conn: Connection, next_offset: int) -> None:
        """The partition was claimed anew, and is read from this raw offset on."""
        ...

    async def write_first(self, conn: Connection, unit: "UnitOfWork") -> None:
        """Before the chain is written."""
        ...

    async def write_last(self, conn: Connection, unit: "UnitOfWork") -> None:
        """After it."""
        ...

    def committed(self) -> None:
        """What was written counts now."""
        ...


class NothingKept:
    """Of a consumer that keeps nothing beside the chain."""

    async def load(self, conn: Connection, next_offset: int) -> None: ...

    async def write_first(self, conn: Connection, unit: "UnitOfWork") -> None: ...

    async def write_last(self, conn: Connection, unit: "UnitOfWork") -> None: ...

    def committed(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[S]):
    """A consumer's reading of one network's raw log."""

    consumer: str
    """In ``system.partition_owner``, metrics, logs and dead letters."""
    network: str
    raw_topic: str
    topic: str
    """To which the records go."""
    events: Events[S]
    kept: Kept = field(default_factory=NothingKept)
    counts_reorgs: bool = False
    """Whether the network's reorgs are counted and logged by what this consumer sees: one does."""
    schema: str = "ingest"
    """In Postgres, of the tables that hold the chain as it was read."""
