"""What ``ft status`` says of the pipeline: heads and coverage, lag a partition, what waits, what was refused."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]
from rich.console import Console
from rich.table import Table

from ft.cli.said import shown, table
from ft.cli.status_attention import attention_lines
from ft.cli.status_bulk import bulk_lines
from ft.cli.status_contracts import contract_lines
from ft.cli.status_proofs import LISTED_MAX, lacking_lines, lesser_lines, lost_lines, waiting_lines
from ft.config import Config
from ft.errors import ConfigError, FtError
from ft.sql.queries import load
from ft.streams.deployment.comparing import require_one
from ft.streams.kafka.admin import Admin
from ft.streams.kafka.topics import Topics

_TIMEOUT_S: Final = 5.0
_STALE_S: Final = 300
"""Age of a head, seconds, from which it is shown in red; the alert of ingest_lag."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The rows of sql/status.sql, and where each topic's partitions end (missing where Kafka did not answer)."""

    networks: Sequence[Row]
    consumers: Sequence[Row]
    outbox: Sequence[Row]
    dead_letters: Sequence[Row]
    workers: Sequence[Row]
    announcing: Sequence[Row] = ()
    waits: Sequence[Row] = ()
    lacking: Sequence[Row] = ()
    lesser: Sequence[Row] = ()
    lost: Sequence[Row] = ()
    bulk: Sequence[Row] = ()
    months: Sequence[Row] = ()
    building: Sequence[Row] = ()
    undecoded: Sequence[Row] = ()
    ends: Mapping[tuple[str, int], int]


def show(config: Config, console: Console) -> None:
    """Print the pipeline's state; one line where there is none yet."""
    try:
        status = read(config)
    except psycopg.errors.UndefinedTable:
        console.print(f"\n{_empty(config)}", markup=False, soft_wrap=True)
        return
    except psycopg.Error as exc:
        console.print("\n[red]attention: database: Postgres does not tell of the pipeline:[/]", soft_wrap=True)
        console.print(str(exc).strip(), markup=False, soft_wrap=True)
        return
    for line in lines(status):
        console.print(line)
    for line in attention_lines(config):
        console.print(line, soft_wrap=True)


def _empty(config: Config) -> str:
    """What helps: a migration, unless there are topics of a deployment whose database this is not."""
    try:
        require_one(config)
    except ConfigError as exc:
        return f"The database is empty: {shown(str(exc))}"
    except FtError as exc:
        return f"The database is empty, and whether there are topics of a deployment cannot be said: {shown(str(exc))}"
    return "The database is empty: run `ft migrate`, then `faust -A ft worker`."


def read(config: Config) -> Status:
    """Ask Postgres, and Kafka for the ends of the logs. Raises psycopg.Error."""
    sql, topics = dict(load("status")), Topics(config.topic_prefix)
    values = {"prefix": config.topic_prefix, "normalized": topics.normalized, "most": LISTED_MAX}
    with psycopg.connect(config.postgres_as("ft_writer"), connect_timeout=int(_TIMEOUT_S)) as conn:
        building = sql.pop("building")
        found = {name: conn.execute(query, values).fetchall() for name, query in sql.items()}
    # What a session does is shown to its own login only, and indexes are built by that of FT_POSTGRES.
    with psycopg.connect(config.postgres, connect_timeout=int(_TIMEOUT_S)) as conn:
        found["building"] = conn.execute(building).fetchall()
    return Status(**found, ends=_ends(config, [(row[1], row[2]) for row in found["consumers"]]))


def lines(status: Status) -> Iterable[str | Table]:
    """What :func:`show` prints, from top to bottom."""
    yield ""
    if status.networks:
        yield _networks(status.networks)
    else:
        yield "No block was read yet: `ft ingest --help` shows how."
    yield from waiting_lines(status.waits)
    yield from lacking_lines(status.lacking)
    yield from lesser_lines(status.lesser)
    yield from lost_lines(status.lost)
    if status.consumers:
        yield ""
        yield _consumers(status)
    yield ""
    yield from _waiting(status)


def _networks(rows: Sequence[Row]) -> Table:
    headings = ("network", "head", "safe", "final", "age", "covered", "holes", "ledger", "project", "quarantined")
    listed = table(*headings, "findings")
    for network, head, safe, final, age_s, heights, stretches, low, high, ledger, project, *rest in rows:
        broken, holes, quarantined, found = rest
        covered = f"{heights:,} of {low}-{high}, {stretches} stretches" if stretches > 1 else f"{low}-{high}"
        listed.add_row(
            f"[red]{network} (waits for a claim)[/]" if broken else network,
            *(str(head), _height(safe), _height(final), _age(age_s)),
            covered if stretches else "",
            _bad(holes),
            *(_behind(ledger, head), _behind(project, head)),
            *(_bad(quarantined), _bad(found)),
        )
    return listed


def _consumers(status: Status) -> Table:
    listed = table("consumer", "topic", "owners", "lag", "lag a partition")
    partitions: dict[tuple[str, str], list[Row]] = {}
    for row in status.consumers:
        partitions.setdefault((row[0], row[1]), []).append(row)
    for (consumer, topic), rows in partitions.items():
        if all(row[3] == status.ends.get((topic, row[2])) == 0 for row in rows):
            continue  # a network that nobody ingests
        lags = [_lag(status.ends.get((topic, row[2])), row[3]) for row in rows]
        known = [lag for lag in lags if lag is not None]
        total = f"{sum(known):,}" if len(known) == len(lags) else "?"
        each = " ".join("?" if lag is None else str(lag) for lag in lags)
        listed.add_row(consumer, topic, str(len({row[4] for row in rows if row[4]})), total, each)
    return listed


def _waiting(status: Status) -> Iterable[str]:
    unpublished = [row[1] for row in status.outbox]
    if unpublished:
        held = ", held back until the bulk backfill is indexed" if status.bulk else ""
        yield f"publisher: {sum(unpublished):,} rows wait{held} (a partition: {' '.join(map(str, unpublished))})"
    for partition, _, blocked in status.outbox:
        if blocked is not None:
            yield f"[red]publisher: partition {partition} waits for `ft dlq replay`: {shown(blocked)}[/]"
    for topic, count, seconds in status.announcing:
        yield f"publisher of {shown(topic)}: {count:,} records wait; nothing went out for {seconds:,} s"
    yield from bulk_lines(status.bulk, status.months, status.building, partitions=len(unpublished))
    yield from contract_lines(status.undecoded)
    for consumer, reason, count, oldest in status.dead_letters:
        yield f"[red]dead letters: {count:,} of {consumer}, {shown(reason)}, since {oldest:%Y-%m-%d %H:%M:%S %Z}[/]"
    if not status.dead_letters:
        yield "dead letters: none"
    for worker, agents, metrics_url, seen_s, doing in status.workers:
        yield f"worker {worker}: {agents} {metrics_url} (seen {seen_s} s ago)"
        if doing:
            yield f"[yellow]  it {shown(doing)}; the ledger's partitions of this worker wait meanwhile[/]"
    if not status.workers:
        yield "no worker runs: faust -A ft worker"


def _ends(config: Config, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(topic, partition): latest for topic, partition in partitions}
    if not wanted:
        return {}
    admin = Admin(config)
    found = {}
    for place, future in admin.list_offsets(wanted, request_timeout=_TIMEOUT_S).items():
        try:
            found[(place.topic, place.partition)] = int(future.result(_TIMEOUT_S).offset)
        except (KafkaException, TimeoutError):
            continue
    return found


def _lag(end: int | None, next_offset: int) -> int | None:
    return None if end is None else max(end - next_offset, 0)


def _height(height: int) -> str:
    return "" if height < 0 else str(height)


def _age(seconds: int | None) -> str:
    if seconds is None:
        return ""
    text = f"{seconds} s" if seconds < 7200 else f"{seconds // 3600} h"
    return f"[red]{text}[/]" if seconds > _STALE_S else text


def _behind(head: int | None, chain_head: int) -> str:
    if head is None:
        return ""
    return str(head) if head == chain_head else f"{head} ({head - chain_head:+})"


def _bad(count: int) -> str:
    return f"[red]{count:,}[/]" if count else "0"
