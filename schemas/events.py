"""The records of the topics, in the order of the flow: one dataclass a topic.

Field names are those of the .avsc files, but for ``from`` and ``to``, which are ``from_account`` and
``to_account`` here (a reorg's are ``from_block`` and ``to_block``). Heights are -1 where unknown; times
are unix seconds; 256-bit numbers are decimal strings.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar, get_args

from ft.schemas.registered import Registered

SCHEMA_VERSION: Final = 1
_RENAMED: Final = {"from_account": "from", "to_account": "to", "from_block": "from", "to_block": "to"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPart:
    """What a node said about one side of a block, byte for byte."""

    name: str
    encoding: str
    bytes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBlock:
    """``chain.<network>.raw``: one step of a network's chain. ``op``: claim | append | revert | finalize."""

    network: str
    op: str
    lease: int = 0
    height: int = -1
    hash: str = ""
    parent_hash: str = ""
    time: int = 0
    finalized: int = -1
    safe: int = -1
    covers_from: int = -1
    starts_range: bool = False
    proof: str = "none"
    provider: str = ""
    reason: str = ""
    parts: list[RawPart] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizedBatch:
    """``ledger.normalized``: a block's slice for one partition, or a control record.

    ``op``: append | revert | watermark. The list fields are columns of equal length, empty but for append; ``echo`` is
    empty also where no event is one.
    """

    network: str
    op: str
    position: int
    partition: int
    reason: str = ""
    block_number: int = -1
    block_hash: str = ""
    block_time: int = 0
    proof: str = "none"
    digest: str = ""
    head_number: int = -1
    head_hash: str = ""
    head_time: int = 0
    safe: int = -1
    finalized: int = -1
    tx_hash: list[str] = field(default_factory=list)
    tx_from: list[str] = field(default_factory=list)
    contract: list[str] = field(default_factory=list)
    topic0: list[str] = field(default_factory=list)
    n: list[int] = field(default_factory=list)
    sub_index: list[int] = field(default_factory=list)
    log_index: list[int] = field(default_factory=list)
    standard: list[str] = field(default_factory=list)
    token_id: list[str] = field(default_factory=list)
    from_account: list[str] = field(default_factory=list)
    to_account: list[str] = field(default_factory=list)
    operator: list[str | None] = field(default_factory=list)
    quantity: list[str] = field(default_factory=list)
    echo: list[bool] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipChanged:
    """``ledger.ownership_changed``: one change, or (``kind`` finality) the head of a partition.

    ``kind``: mint | transfer | burn | none | finality. ``op``: apply | revert | finality.
    """

    seq: int
    prev_seq: int
    kind: str
    op: str
    network: str
    block_number: int
    block_hash: str
    block_time: int
    revision: int = 1
    event_id: str = ""
    asset_id: str = ""
    contract: str = ""
    token_id: str = ""
    standard: str = ""
    from_account: str = ""
    to_account: str = ""
    operator: str | None = None
    quantity: str = "0"
    tx_hash: str = ""
    log_n: int = 0
    sub_index: int = 0
    log_index: int = -1
    finality_status: str = "pending"
    safe: int = -1
    finalized: int = -1
    position: int = -1
    holder: str | None = None
    holder_before: str | None = None
    holder_block: int | None = None
    holder_time: int | None = None
    block_end: bool | None = None
    generation: int = 0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Finality:
    """``ledger.finality``: a partition's head or marks moved; at most one a second and network.

    ``ownership_seq``: nothing lies between that record of ``ownership_changed`` and this head.
    """

    seq: int
    prev_seq: int
    network: str
    head_number: int
    head_hash: str
    head_time: int
    safe: int = -1
    finalized: int = -1
    position: int = -1
    generation: int = 0
    ownership_seq: int = 0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorgDetected:
    """``ledger.reorg_detected``: blocks ``from_block`` down to ``to_block`` were undone, above ``ancestor``: the
    common ancestor, which the reorg left standing."""

    seq: int
    prev_seq: int
    network: str
    from_block: int
    to_block: int
    depth: int
    ancestor: int
    ancestor_hash: str = ""
    time: int = 0
    generation: int = 0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetCreated:
    """``catalog.asset_created``: a mint (``op`` apply), or its retraction (``op`` revert)."""

    seq: int
    prev_seq: int
    op: str
    event_id: str
    asset_id: str
    network: str
    contract: str
    token_id: str
    standard: str
    to_account: str
    quantity: str
    block_number: int
    block_hash: str
    block_time: int
    revision: int = 1
    uuid: str = ""
    tx_hash: str = ""
    finality_status: str = "pending"
    generation: int = 0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """``system.dead_letter`` and ``ingest.quarantine``: what could not be read, whole, with the reason."""

    stage: str
    reason: str
    error: str
    payload: bytes
    network: str = ""
    topic: str = ""
    partition: int = -1
    offset: int = -1
    block_number: int = -1
    block_hash: str = ""
    contract: str = ""
    tx_hash: str = ""
    log_index: int = -1
    time: int = 0
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSaid:
    """``system.deployment``: whose topics those under the prefix are.

    ``made_at``: unix seconds; ``schema_ids``: subject -> id of its last version; ``topic_ids``: topic -> Kafka's id of
    it; ``schemas``: every version of the subjects; ``generations``: those that are over, as the .avsc says.
    """

    id: str
    topic_prefix: str
    cluster_id: str
    partitions: int
    made_at: int
    epoch: int = 0
    networks: list[str] = field(default_factory=list)
    schema_ids: dict[str, int] = field(default_factory=dict)
    topic_ids: dict[str, str] = field(default_factory=dict)
    schemas: list[Registered] = field(default_factory=list)
    generations: list[dict[str, Any]] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION


Event = (
    RawBlock
    | NormalizedBatch
    | OwnershipChanged
    | Finality
    | ReorgDetected
    | AssetCreated
    | DeadLetter
    | DeploymentSaid
)
E = TypeVar("E", bound=Event)


_NAMES: Final[Mapping[type[Any], tuple[tuple[str, str], ...]]] = {
    kind: tuple((f.name, _RENAMED.get(f.name, f.name)) for f in fields(kind)) for kind in get_args(Event)
}
"""Record -> (name here, name in the .avsc) of each field."""


def to_record(event: Event) -> dict[str, Any]:
    """The event as the dict that its .avsc describes."""
    record = {avro: getattr(event, name) for name, avro in _NAMES[type(event)]}
    if isinstance(event, RawBlock):
        record["parts"] = [{"name": p.name, "encoding": p.encoding, "bytes": p.bytes} for p in event.parts]
    if isinstance(event, DeploymentSaid):
        record["schemas"] = [asdict(row) for row in event.schemas]
    return record


def from_record(kind: type[E], record: Mapping[str, Any]) -> E:
    """The dict that :meth:`ft.schemas.codec.Codec.decode` returns, as its dataclass."""
    values = {name: record[avro] for name, avro in _NAMES[kind]}
    if kind is RawBlock:
        values["parts"] = [RawPart(**part) for part in values["parts"]]
    if kind is DeploymentSaid:
        values["schemas"] = [Registered(**row) for row in values["schemas"]]
    return kind(**values)
