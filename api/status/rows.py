"""What reads of the system itself find."""

from datetime import datetime

from msgspec import Struct

from ft.api.http.heads import HeadRow


class DeploymentRow(Struct, frozen=True, kw_only=True):
    """What the database says of the deployment that it is of."""

    topic_prefix: str
    unfinished: str | None
    """The command that goes on with a restore which has begun."""


class ChainRow(Struct, frozen=True, kw_only=True):
    """A network's folded chain, its node and its coverage."""

    network: str
    family: str
    start_block: int
    head_number: int | None
    head_hash: str | None
    head_time: datetime | None
    safe: int | None
    finalized: int | None
    position: int | None
    node_head: int | None
    node_time: datetime | None
    stretches: int
    covered_from: int | None
    quarantined: int


class PartitionRow(Struct, frozen=True, kw_only=True):
    """How far one partition of one consumer is."""

    consumer: str
    network: str
    partition: int
    position: int
    head_number: int
    head_time: datetime | None
    safe: int
    finalized: int


class FollowerRow(Struct, frozen=True, kw_only=True):
    """A network and who is at it; ages in seconds, null where there is nothing to be that old."""

    network: str
    followed: bool
    broken: bool
    waits_for: int | None
    block_time_s: float
    seen_s: float | None
    waits_s: float | None
    head_age_s: float | None
    bulk_stalled: bool


class FailureRow(Struct, frozen=True, kw_only=True):
    """Processes of one kind that ended by one kind of error."""

    role: str
    what: str
    kind: str
    error: str
    lately: int
    settled: bool
    last_s: float
    of_last_follower: bool = False
    """Whether the process was the last one that followed the network."""


class BacklogRow(Struct, frozen=True, kw_only=True):
    """What waits somewhere in the system."""

    outbox_unpublished: str
    outbox_blocked: int
    dlq_depth: str
    findings: int
    months_unindexed: int
    workers: int
    agents: str
    """What those workers run, with commas between."""


class Status(Struct, frozen=True, kw_only=True):
    chains: list[ChainRow]
    partitions: list[PartitionRow]
    backlog: BacklogRow
    heads: list[HeadRow]
    followers: list[FollowerRow]
    failures: list[FailureRow]
    other: str | None
    """Why the database is not that of this deployment; None: nothing says so."""
    is_one: bool = False
    """Whether Kafka and registry were looked at, and are of the same."""
    registry: str | None = None
    """What is amiss with the registry; None: nothing, or it was not looked at."""
