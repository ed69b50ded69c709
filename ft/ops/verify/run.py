"""journal, ownership, projections -> proof: what must hold between the tables, counted anew from the journal.

Everything is read in one snapshot (REPEATABLE READ), so a running pipeline may go on meanwhile. Findings are written
afterwards, in a transaction of their own.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import psycopg

from ft.config import Config
from ft.errors import ConfigError, DatabaseError, DatabaseUnavailable
from ft.ops.verify.findings import Finding, judge, keep
from ft.ops.verify.notes import coverage_notes
from ft.ops.verify.subscriber import OnRecords
from ft.ops.verify.topics import read_topics
from ft.schemas import domains, ids
from ft.schemas.domains import declared
from ft.schemas.standards import SINGLE
from ft.sql.queries import load
from ft.streams.deployment.comparing import require_one, stored_deployment
from ft.streams.deployment.identity import require_same
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topics import Topics

DIFFERENCES_MAX: Final = 20
"""Differences of one check that are listed; all are counted."""
_POLL_S: Final = 0.5
_ROWS_AT_ONCE: Final = 10_000
_SESSION: Final = """
    SET LOCAL work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL statement_timeout = 0; SET LOCAL enable_nestloop = off
"""
"""Checks look at everything there is: a loop over an index, planned for a few rows, takes hours where they are many."""

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to prove. ``claim`` is filled with the counts of the query ``<name>_facts``."""

    name: str
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it must be."""

    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a check. ``count`` differences in all, the first :data:`DIFFERENCES_MAX` of them listed."""

    name: str
    claim: str
    count: int = 0
    differences: Sequence[Difference] = ()
    seconds: float = 0.0
    looked_at: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    """Everything that was proved, and what was not."""

    outcomes: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    healed: int = 0
    unread_events: int = 0
    """Journal events that project had not read in the snapshot."""
    notes: list[str] = field(default_factory=list)
    """What is no difference and must be known to read the others."""

    @property
    def differences(self) -> int:
        return sum(outcome.count for outcome in self.outcomes)


CHECKS: Final = (
    Check(name="journal", claim="{0:,} journal rows in {1} partitions: seq runs from 1 without a gap or a repeat"),
    Check(name="ids", claim="{0:,} live events: no id is live twice; {1:,} retractions repeat what they retract"),
    Check(name="retracted", claim="{0:,} retractions are listed for the next revision"),
    Check(
        name="copies",
        claim="{0:,} transaction hashes were live in two blocks: {1:,} further copies are, each by itself",
    ),
    Check(name="slices", claim="{0:,} block slices hold exactly their rows; {1:,} are in force"),
    Check(name="chain", claim="{0:,} canonical blocks are linked up to the head; {1:,} are reverted"),
    Check(name="stretches", claim="{0:,} stretches of coverage are {1:,} canonical blocks, each by its proof"),
    Check(name="blocks", claim="{0} partitions agree with the canonical chain ({1} are on their way, not compared)"),
    Check(name="singles", claim="{0:,} tokens are with the receiver of their last live event ({1:,} have none left)"),
    Check(name="multis", claim="{0:,} balances are the sums of what came in and went out, since the last that came in"),
    Check(name="coverage", claim="{0:,} collections, {1:,} with their whole history: sums checked for those"),
    Check(name="holdings", claim="{0:,} projected holdings equal the ledger's"),
    Check(name="cards", claim="{0:,} asset cards equal a recount"),
    Check(name="holders", claim="{0:,} holders of collections equal a recount"),
    Check(name="stats", claim="{0:,} collections' figures equal a recount"),
    Check(name="activity", claim="{0:,} days of activity equal a recount"),
    Check(name="assets", claim="{0:,} assets are in the catalog since their oldest block"),
    Check(name="uuids", claim="{0:,} assets have the uuid of their id"),
    Check(name="heads", claim="{0} heads are as the ledger announced them"),
)
"""In the order of the flow."""
TOPIC_CHECKS: Final = (
    Check(name="schemas", claim="{0} schema ids are at the registry what records were written under"),
    Check(
        name="announced", claim="{0:,} records in four topics follow each other and are all that the journal announces"
    ),
    Check(name="subscriber", claim="{0:,} holdings of a subscriber, from the topics alone, equal the ledger's"),
)
"""What a reader of the topics alone comes to; they follow upon :data:`CHECKS`."""

NOT_COMPARED: Final = "identity was not compared: whether database, Kafka and registry are of one deployment"

OnCheck: TypeAlias = Callable[[Check], None]
OnOutcome: TypeAlias = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who is told of each check before and after it, and of the topics' progress (topic, records read, in all)."""

    on_check: OnCheck = lambda _: None
    on_outcome: OnOutcome = lambda _: None
    on_records: OnRecords = lambda *_: None


def verify(config: Config, *, wait_s: float, listener: Listener, topics: bool = True) -> Report:
    """Prove everything. ``topics``: what a subscriber comes to too, which reads them from their beginning.

    Waits up to ``wait_s`` seconds for ``project`` to read what the journal holds. Raises OtherDeployment where the
    topics are not this database's, DatabaseUnavailable, ConfigError for a database that is not migrated,
    DatabaseError, and what :class:`Subscriber` raises.
    """
    began = stored_deployment(config)
    if topics:
        require_one(config)
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), application_name="ft verify") as conn:
            values = parameters(config)
            _wait_for_project(conn, values, wait_s)
            report = _prove(conn, config, values, listener, topics)
            if topics:  # what was compared may have become another one meanwhile
                require_same(began, stored_deployment(config))
                require_one(config)
            else:
                report.notes.append(NOT_COMPARED)
            report.healed = keep(conn)
            return report
    except psycopg.OperationalError as exc:
        raise DatabaseUnavailable(
            f"Postgres: expected an answer, got: {str(exc).strip()}. {config.postgres_remedy(exc, 'ft_writer')}"
        ) from exc
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn) as exc:
        raise ConfigError(f"the database is not migrated to this version ({exc}). Run `ft migrate`.") from exc
    except psycopg.Error as exc:
        raise DatabaseError(f"Postgres refused: {exc}") from exc


def parameters(config: Config) -> dict[str, Any]:
    """What the queries of sql/verify*.sql are given."""
    topics = Topics(config.topic_prefix)
    return {
        "normalized": topics.normalized,
        "changed": topics.ownership_changed,
        "single": sorted(SINGLE),
        "nobody": sorted(ids.NO_ACCOUNTS),
        "most": DIFFERENCES_MAX,
    }


def _wait_for_project(conn: Connection, values: Mapping[str, Any], wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while _unread(conn, values) and time.monotonic() < deadline:
        conn.rollback()
        time.sleep(_POLL_S)
    conn.rollback()


def _unread(conn: Connection, values: Mapping[str, Any]) -> int:
    return int(_one(conn, "ahead", values)[0])


def _prove(conn: Connection, config: Config, values: Mapping[str, Any], listener: Listener, topics: bool) -> Report:
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    report = Report()
    with conn.transaction():
        conn.execute(_SESSION)
        report.unread_events = _unread(conn, values)
        for check in CHECKS:
            listener.on_check(check)
            _told(report, listener, _outcome(conn, check, values, report, time.monotonic()))
        report.notes += coverage_notes(conn)
        for domain in declared():
            for own in domain.checks:
                listener.on_check(Check(name=own.name, claim=own.claim))
                _told(report, listener, _of_domain(conn, domain.name, own, values))
        if topics:
            for check, prove in zip(TOPIC_CHECKS, (_registered, _announced, _subscribed), strict=True):
                listener.on_check(check)
                _told(report, listener, prove(conn, config, values, report, listener))
    conn.isolation_level = None
    return report


def _told(report: Report, listener: Listener, outcome: Outcome) -> None:
    report.outcomes.append(outcome)
    listener.on_outcome(outcome)


def _registered(
    conn: Connection, config: Config, values: Mapping[str, Any], report: Report, listener: Listener
) -> Outcome:
    """Ids that the registry says something else for have been refused before (``require_one``)."""
    began = time.monotonic()
    with Schemas(config) as schemas:
        found = schemas.agreement()
    if found is None:
        report.notes.append("the registry does not answer: its schema ids were not compared")
    elif found.wrong:
        report.notes.append(f"{found.wrong} Its schema ids were not compared")
    lost = () if found is None else found.lost
    return Outcome(
        name="schemas",
        claim=TOPIC_CHECKS[0].claim.format(0 if found is None else found.ids),
        count=len(lost),
        differences=[
            Difference(what=f"id {row.id} of {row.subject}", expected=row.record, got="none: `ft migrate` restores it")
            for row in lost[:DIFFERENCES_MAX]
        ],
        seconds=time.monotonic() - began,
    )


def _announced(
    conn: Connection, config: Config, values: Mapping[str, Any], report: Report, listener: Listener
) -> Outcome:
    """Reads every topic; the subscriber's holdings are then in the temporary table."""
    began = time.monotonic()
    read = read_topics(conn, config, values, listener.on_records)
    report.notes += read.notes
    return Outcome(
        name="announced",
        claim=TOPIC_CHECKS[1].claim.format(read.records),
        count=len(read.problems),
        differences=[Difference(what=w, expected=e, got=g) for w, e, g in read.problems[:DIFFERENCES_MAX]],
        seconds=time.monotonic() - began,
    )


def _subscribed(
    conn: Connection, config: Config, values: Mapping[str, Any], report: Report, listener: Listener
) -> Outcome:
    return _outcome(conn, TOPIC_CHECKS[2], values, report, time.monotonic())


def _outcome(conn: Connection, check: Check, values: Mapping[str, Any], report: Report, started: float) -> Outcome:
    rows: Sequence[tuple[Any, ...]] = ()
    if check.name == "uuids":
        counted, rows = _check_uuids(conn)
        facts: Sequence[Any] = (counted,)
    elif check.name == "coverage":
        facts, report.findings = judge(conn, values)
    else:
        facts = _one(conn, f"{check.name}_facts", values)
        rows = _query(conn, check.name, values).fetchall()
    return Outcome(
        name=check.name,
        claim=check.claim.format(*facts),
        count=rows[0][3] if rows else 0,
        differences=[Difference(what=row[0], expected=row[1], got=row[2]) for row in rows],
        seconds=time.monotonic() - started,
    )


def _of_domain(conn: Connection, domain: str, check: domains.Check, values: Mapping[str, Any]) -> Outcome:
    """A query that Postgres refuses proves nothing: that is a difference, and the other checks go on."""
    began = time.monotonic()
    number: Any = 0
    try:
        with conn.transaction():  # what fails in it leaves the snapshot as it was
            counted = conn.execute(check.count.encode(), values).fetchone()
            rows = conn.execute(check.query.encode(), values).fetchall()
        number = 0 if counted is None else counted[0]
        found = [Difference(what=what, expected=expected, got=got) for what, expected, got in rows]
    except (psycopg.Error, ValueError) as exc:
        what = f"check {check.name} of the domain {domain}"
        found = [Difference(what=what, expected="queries as adding-a-domain.md says", got=str(exc).strip())]
    return Outcome(
        name=check.name,
        claim=check.claim.format(number),
        count=len(found),
        differences=found[:DIFFERENCES_MAX],
        seconds=time.monotonic() - began,
    )


def _queries() -> dict[str, str]:
    return load("verify") | load("verify_projections") | load("verify_topics")


def _query(conn: Connection, name: str, values: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
    return conn.execute(_queries()[name], values)


def _one(conn: Connection, name: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    row = _query(conn, name, values).fetchone()
    assert row is not None
    return row


def _check_uuids(conn: Connection) -> tuple[int, list[tuple[str, str, str, int]]]:
    """How many assets there are, and those with another uuid than their id gives."""
    counted, wrong = 0, []
    with conn.cursor("uuids") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        cursor.execute(_queries()["uuids"])
        for network, contract, token_id, uuid in cursor:
            counted += 1
            asset = ids.asset_id(network, contract, token_id)
            if ids.asset_uuid(asset) != uuid:
                wrong.append((asset, str(ids.asset_uuid(asset)), str(uuid)))
    return counted, [(*row, len(wrong)) for row in wrong[:DIFFERENCES_MAX]]
