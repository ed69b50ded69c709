"""system.dlq -> whoever operates ft: what was refused, and how a letter is settled.

A dead letter is never sent again as it is: its place in the order of its topic is gone. What can be done depends on
who refused it:
1. publisher: the broker refused a row of the journal, and the partition waits. It goes on from that very row.
2. normalize, ledger: the pipeline went on without the record. It counts as replayed once what it carried has come
   another way (`ft ingest`, `ft replace`, the follower); until then replaying is refused, with the command for it.
3. project, and every domain: the record stands in the topic for good, and would be refused again.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg

from ft.config import Config
from ft.errors import FtError, MalformedRecord
from ft.sql.queries import load
from ft.streams.deployment.comparing import whose_topics
from ft.streams.deployment.preflight import require_migrated
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.topics import Topics

REPLAYED: Final = "replayed"
DROPPED: Final = "dropped"
WAIT_S: Final = 15.0
"""How long a replay waits for the publisher to announce the row."""
_POLL_S: Final = 0.2
_READ_AS: Final = {"normalize": "raw_block", "ledger": "normalized_batch", "project": "ownership_changed"}
"""A letter of before may be of a topic under another prefix."""

Connection = psycopg.Connection[Any]


class NoSuchLetter(FtError):
    """No letter has this id."""


class CannotReplay(FtError):
    """What the letter carried has not come; the message says what brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A row of ``system.dlq``."""

    id: int
    consumer: str
    topic: str
    partition: int
    offset: int
    """Of the record in its topic; publisher: the journal's seq."""
    network: str
    reason: str
    error: str
    payload: bytes
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters; None takes all."""

    consumer: str | None = None
    reason: str | None = None
    network: str | None = None
    settled: bool = False
    """Those that were replayed or dropped too."""


def connect(config: Config) -> Connection:
    """A session in the role that writes. Raises DatabaseUnavailable, ConfigError for a database without ft's tables,
    OtherDeployment where the topics are those of somebody."""
    try:
        conn = psycopg.connect(config.postgres_as("ft_writer"), autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc, "ft_writer") from exc
    try:
        with whose_topics(config):
            require_migrated(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def letters(conn: Connection, wanted: Wanted, limit: int | None) -> tuple[list[Letter], int]:
    """The oldest of those that are wanted, and how many there are."""
    sql, values = load("dlq"), {name: getattr(wanted, name) for name in Wanted.__slots__}
    found = conn.execute(sql["letters"], values | {"limit": limit}).fetchall()
    count = conn.execute(sql["count_letters"], values).fetchone()
    return [_letter(row) for row in found], 0 if count is None else count[0]


def letter(conn: Connection, letter_id: int) -> Letter:
    """One letter. Raises NoSuchLetter."""
    row = conn.execute(load("dlq")["letter"], {"id": letter_id}).fetchone()
    if row is None:
        raise NoSuchLetter(f"dead letter {letter_id}: expected the id of one, see `ft dlq list --all`")
    return _letter(row)


def decoded(config: Config, refused: Letter) -> tuple[dict[str, Any] | None, str]:
    """The record, if its bytes are one of its topic; else None and why not.

    Raises RegistryUnavailable where its schema is not kept, and the registry is away.
    """
    name = _READ_AS.get(refused.consumer) or Topics(config.topic_prefix).records([refused.network]).get(refused.topic)
    if name is None:
        return None, f"{refused.topic}: expected one of ft's topics"
    try:
        with Schemas(config) as schemas:
            return schemas.reader(name).decode(refused.payload), name
    except MalformedRecord as exc:
        return None, str(exc)


def drop(conn: Connection, refused: Letter) -> str:
    """Close a letter without doing anything about it; returns what to say. Raises CannotReplay.

    The letter of a partition that waits is not dropped: the partition would wait without anybody knowing.
    """
    if refused.state != "open":
        return f"is {refused.state} already"
    if refused.consumer == "publisher" and (place := _announced(conn, refused)) is not None:
        seq, blocked = place
        if blocked is not None and seq < refused.offset:
            raise CannotReplay(
                f"partition {refused.partition} waits at this row and would wait for ever: mend {refused.topic}, "
                f"then `ft dlq replay {refused.id}`"
            )
    _settle(conn, refused, DROPPED)
    return "dropped"


def replay(config: Config, conn: Connection, refused: Letter, wait_s: float = WAIT_S) -> str:
    """Settle a letter by what it carried; returns what to say.

    Raises CannotReplay, ServerError (the registry is away), DatabaseUnavailable.
    """
    if refused.state != "open":
        return f"is {refused.state} already"
    if refused.consumer == "publisher":
        return _replay_publisher(conn, refused, wait_s)
    record, why = decoded(config, refused)
    if refused.consumer == "normalize":
        said = _came_to_raw(conn, refused, record, why)
    elif refused.consumer == "ledger":
        said = _came_to_ledger(conn, refused, record, why)
    else:
        raise CannotReplay(
            f"the record stands at offset {refused.offset} of {refused.topic} for good, and sending it again would "
            "count it twice elsewhere. `ft verify` says whether the projections miss anything. If they do not, "
            f"somebody else wrote it: `ft dlq drop {refused.id}`. If they do, a newer version of ft wrote it: update "
            f"the worker, and `ft rebuild {refused.consumer.partition('.')[0]}`"
        )
    _settle(conn, refused, REPLAYED)
    return said


def _replay_publisher(conn: Connection, refused: Letter, wait_s: float) -> str:
    """1. letter closed and partition freed, in one transaction; 2. what becomes of the row is waited for."""
    sql, where = load("dlq"), f"partition {refused.partition}, seq {refused.offset}"
    with conn.transaction():  # 1: the letter first, as the publisher does it
        _settle(conn, refused, REPLAYED)
        conn.execute(sql["unblock"], {"partition": refused.partition, "seq": refused.offset})
    deadline = time.monotonic() + wait_s
    while True:  # 2
        place = _announced(conn, refused)
        if place is not None and place[0] >= refused.offset:
            return f"{where}: announced"
        if place is not None and place[1] is not None:
            raise CannotReplay(f"{where}: the broker refused it again: {place[1]}. Mend the topic first")
        if time.monotonic() > deadline:
            return (
                f"{where}: free to go on, but not announced within {wait_s:.0f} s. Does a worker run the publisher, "
                "and is the broker there? See `ft status`; if it is refused again, the letter opens again"
            )
        time.sleep(_POLL_S)


def _came_to_raw(conn: Connection, refused: Letter, record: Mapping[str, Any] | None, why: str) -> str:
    """A raw record. 1. unreadable, or of no known kind; 2. an append; 3. a revert."""
    network = refused.network
    again = f"`ft dlq replay {refused.id}`"
    if record is None or record["op"] not in ("append", "revert") or record["network"] != network:  # 1
        got = why if record is None else f"op {record['op']!r:.40} of network {record['network']!r:.40}"
        raise CannotReplay(
            f"nothing says which block it was ({got}). Only `ft ingest` writes {refused.topic}: a newer version of it, "
            f"or somebody else. If `ft status` shows a hole in the coverage, `ft ingest {network} --from N --to N` "
            f"fills it; then `ft dlq drop {refused.id}`"
        )
    height, said = record["height"], f"block {record['height']} {record['hash']!r:.80}"
    row = conn.execute(load("dlq")["canonical_at"], {"network": network, "height": height}).fetchone()
    span = f"{network} --from {height} --to {height}"
    if record["op"] == "append":  # 2
        if row is None:
            raise CannotReplay(
                f"{said} is not in the chain as it was read. If it is final, `ft ingest {span}` brings it, else "
                f"`ft ingest {network} --follow` does; then {again}"
            )
        if row[0] != record["hash"]:
            raise CannotReplay(
                f"{said}: another block is canonical there, {row[0]}. If the node still has the refused one: "
                + (f"`ft replace {span}`" if row[1] else f"`ft ingest {network} --follow` corrects it")
                + f", then {again}; if not, the letter is about a block that is gone: `ft dlq drop {refused.id}`"
            )
        if refused.reason == "content_differs" and row[2] < refused.offset:
            raise CannotReplay(f"{said} stands with its old content: `ft replace {span}`, then {again}")
        return f"{said} is canonical"
    if row is not None and row[0] == record["hash"]:  # 3
        raise CannotReplay(
            f"{said} was to be reverted and is canonical. "
            + (f"It is final: if the node has another, `ft replace {span}`" if row[1] else "The follower reverts it")
            + f", then {again}; if the node has it too, `ft dlq drop {refused.id}`"
        )
    return f"{said} is not canonical any more"


def _came_to_ledger(conn: Connection, refused: Letter, record: Mapping[str, Any] | None, why: str) -> str:
    """A normalized record. 1. unreadable, or nothing that adds to the journal; 2. a block's slice."""
    if record is None or record["op"] != "append" or not refused.network or record["block_number"] < 0:  # 1
        got = why if record is None else f"op {record['op']!r:.40} of network {record['network']!r:.40}"
        raise CannotReplay(
            f"nothing says which block it was ({got}). Only normalize writes {refused.topic}: a newer version of it, "
            f"or somebody else. If `ft verify` proves everything, nothing is missing: `ft dlq drop {refused.id}`"
        )
    network, number = refused.network, record["block_number"]
    said = f"block {number} {record['block_hash']!r:.80} in partition {refused.partition}"
    values = {"network": network, "hash": record["block_hash"].replace("\0", ""), "partition": refused.partition}
    row = conn.execute(load("dlq")["slice_applied"], values).fetchone()
    if row is None or not row[0]:
        raise CannotReplay(
            f"{said} is not in the journal. Once it is final, `ft replace {network} --from {number} --to {number}` "
            f"sends its slices anew; then `ft dlq replay {refused.id}`"
        )
    return f"{said} is in the journal"


def _announced(conn: Connection, refused: Letter) -> tuple[int, str | None] | None:
    row = conn.execute(load("dlq")["announced"], {"partition": refused.partition}).fetchone()
    return None if row is None else (row[0], row[1])


def _settle(conn: Connection, refused: Letter, state: str) -> None:
    conn.execute(load("dlq")["settle"], {"id": refused.id, "state": state})


def _letter(row: Sequence[Any]) -> Letter:
    return Letter(**dict(zip(Letter.__slots__, row, strict=True)))
