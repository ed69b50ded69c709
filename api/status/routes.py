"""``/api/v1/status``, ``/health``, ``/metrics``: the system about itself."""

from datetime import datetime
from typing import Annotated, Final, Literal, Protocol

from litestar import MediaType, Response, Router, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Meta, Struct

from ft.api.http.freshness import AsOf, as_of, oldest
from ft.api.http.middleware import ApiMetrics
from ft.api.http.min_block import HeadReads, await_block
from ft.api.http.parameters import MinBlockHeader
from ft.api.http.problems import Problem
from ft.api.http.responses import OF_ALL, READY, REFUSED
from ft.api.status.attention import Reason, out_of_place, reasons
from ft.api.status.rows import ChainRow, PartitionRow, Status


class StatusReads(HeadReads, Protocol):
    """What the system's own page asks the database."""

    async def status(self) -> Status: ...
    async def partitions(self) -> int: ...


class NetworkStatus(Struct, frozen=True, kw_only=True):
    """How far a network is read, and how far its node is."""

    network: str
    family: str
    head_number: int | None
    head_hash: str | None
    head_time: datetime | None
    safe: int | None
    finalized: int | None
    node_head: int | None
    lag_blocks: int | None
    covered_from: int | None
    coverage_stretches: int
    start_block: int
    quarantined: int
    as_of: AsOf


class PartitionStatus(Struct, frozen=True, kw_only=True):
    """How far one partition of one consumer is."""

    consumer: str
    network: str
    partition: int
    position: int
    head_number: int
    head_time: datetime | None
    safe: int
    finalized: int


class StatusAnswer(Struct, frozen=True, kw_only=True):
    """The whole system on a page. ``as_of`` is that of the network whose ledger is oldest."""

    status: Annotated[Literal["ok", "attention"], Meta(description="`attention` where there are reasons")]
    reasons: Annotated[list[Reason], Meta(description="why an operator is needed, as far as the database tells")]
    networks: list[NetworkStatus]
    partitions: list[PartitionStatus]
    outbox_unpublished: int
    outbox_blocked: int
    dlq_depth: int
    findings: int
    months_unindexed: int
    workers: int
    as_of: AsOf


class Health(Struct, frozen=True, kw_only=True):
    """Alive."""

    status: Literal["ok"]


_Reads = NamedDependency[SkipValidation[StatusReads]]


@get("/api/v1/status", operation_id="getStatus", summary="State of the system", responses=OF_ALL, tags=["operations"])
async def status(reads: _Reads, min_block: MinBlockHeader = None) -> StatusAnswer:
    """Heads, finality marks, lag and backlogs; `attention` where an operator is needed, and `reasons` why."""
    await await_block(reads, min_block, None)
    found = await reads.status()
    backlog = found.backlog
    spoken = {head.network: head for head in found.heads}
    needed = reasons(
        found.backlog,
        found.followers,
        found.failures,
        other=found.other,
        is_one=found.is_one,
        registry=found.registry,
    )
    return StatusAnswer(
        status="attention" if needed else "ok",
        reasons=needed,
        networks=[_network(chain, as_of(spoken.get(chain.network), chain.network)) for chain in found.chains],
        partitions=[_partition(row) for row in found.partitions],
        outbox_unpublished=int(backlog.outbox_unpublished),
        outbox_blocked=backlog.outbox_blocked,
        dlq_depth=int(backlog.dlq_depth),
        findings=backlog.findings,
        months_unindexed=backlog.months_unindexed,
        workers=backlog.workers,
        as_of=as_of(oldest(found.heads), None),
    )


@get("/health", operation_id="getHealth", summary="Alive", responses=REFUSED, tags=["operations"])
async def health() -> Health:
    """200 as long as the process answers; asks nobody."""
    return Health(status="ok")


@get("/health/ready", operation_id="getReady", summary="Ready", responses={**REFUSED, 503: READY}, tags=["operations"])
async def ready(reads: _Reads) -> Health:
    """200 if the database answers, is migrated and of one deployment with the Kafka and the registry that the API is
    told of; else 503."""
    found = await reads.status()
    if why := out_of_place(found.backlog, found.failures, other=found.other, is_one=found.is_one):
        raise Problem(503, "other_deployment", why)
    return Health(status="ok")


@get(
    "/metrics",
    operation_id="getMetrics",
    summary="Metrics",
    media_type=MediaType.TEXT,
    responses=REFUSED,
    tags=["operations"],
)
async def metrics(api_metrics: NamedDependency[SkipValidation[ApiMetrics]]) -> Response[bytes]:
    """Prometheus' text format: request rate, latency and errors of this process."""
    return Response(api_metrics.text(), media_type="text/plain; version=0.0.4")


router: Final = Router("/", route_handlers=[status, health, ready, metrics])


def _network(chain: ChainRow, at: AsOf) -> NetworkStatus:
    head = chain.head_number if chain.head_number is not None and chain.head_number >= 0 else None
    lag = max(0, chain.node_head - head) if chain.node_head is not None and head is not None else None
    return NetworkStatus(
        network=chain.network,
        family=chain.family,
        head_number=head,
        head_hash=chain.head_hash or None,
        head_time=chain.head_time,
        safe=_mark(chain.safe),
        finalized=_mark(chain.finalized),
        node_head=chain.node_head,
        lag_blocks=lag,
        covered_from=chain.covered_from,
        coverage_stretches=chain.stretches,
        start_block=chain.start_block,
        quarantined=chain.quarantined,
        as_of=at,
    )


def _partition(row: PartitionRow) -> PartitionStatus:
    return PartitionStatus(
        consumer=row.consumer,
        network=row.network,
        partition=row.partition,
        position=row.position,
        head_number=row.head_number,
        head_time=row.head_time,
        safe=row.safe,
        finalized=row.finalized,
    )


def _mark(number: int | None) -> int | None:
    return None if number is None or number < 0 else number
