"""What the system watches itself: Prometheus metrics of this process, served at /metrics.

The names are a contract. What only rises is a Gauge all the same: a Counter would be exposed as ``<name>_total``.
"""

from typing import Final

from prometheus_client import REGISTRY, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

INGEST_LAG: Final = Gauge(
    "ingest_lag",
    "The node's head minus the normalized head, in blocks; age of the normalized head, in seconds",
    ["network", "unit"],
)
INGEST_WAITS: Final = Gauge(
    "ingest_waits",
    "Seconds since a follower waits for a block that no provider gives or proves; 0: it does not",
    ["network"],
)
NORMALIZER_LAG: Final = Gauge(
    "normalizer_lag", "Raw records that normalize has not committed", ["network", "partition"]
)
PROJECTION_LAG: Final = Gauge("projection_lag", "Records that a consumer has not committed", ["consumer", "partition"])
PARTITIONS_STARVED: Final = Gauge(
    "partitions_starved", "Partitions that stood still while others of the consumer were read", ["consumer"]
)
PARTITIONS_APART: Final = Gauge(
    "partitions_apart",
    "Partitions that a consumer reads apart, as it is behind the others of their topic",
    ["consumer"],
)
OUTBOX_UNPUBLISHED: Final = Gauge("outbox_unpublished", "Journal rows that are not announced yet", ["partition"])
OUTBOX_WAITING: Final = Gauge("outbox_waiting", "Records of a domain that are not announced yet", ["domain"])
BULK_JOBS: Final = Gauge("bulk_jobs", "Open bulk backfills; while there is one, nothing is announced", ["state"])
DLQ_DEPTH: Final = Gauge("dlq_depth", "Open dead letters")
EVENTS_PROCESSED: Final = Gauge("events_processed", "Records that an agent has committed", ["agent"])
BUSY_SECONDS: Final = Gauge("busy_seconds", "Seconds that an agent has spent on its batches", ["agent"])
REORGS_DETECTED: Final = Gauge("reorgs_detected", "Runs of reverted blocks that normalize has read", ["network"])
REORG_DEPTH: Final = Gauge("reorgs_detected_depth", "Blocks that the last reorg reverted", ["network"])
PROCESS_FAILURES: Final = Gauge(
    "process_failures", "Ends by an error in the last 15 minutes, of workers and ingestions", ["role", "what"]
)
FINALITY_CONTRADICTED: Final = Gauge(
    "finality_contradicted", "1 where the node denies a final block, until the network is followed again", ["network"]
)
STUB_ASSETS: Final = Gauge("stub_assets_total", "Assets known by their existence only")


def exposition() -> tuple[bytes, str]:
    """The metrics of this process in Prometheus' text format, and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
