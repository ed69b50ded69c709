"""raw -> ingest.created, once: creations that were noted before their transactions were looked at are proven again.

``ft migrate`` does it, in the order of the raw log, a transaction for some blocks at a time: what is done is marked, so
that it goes on where it was stopped. A creation that its block does not show is deleted: it never was one. What the raw
log does not hold any more stays as it is, unproven.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from ft.agents.decode.creations import created_in
from ft.agents.decode.events import CreatedContract
from ft.agents.decode.model import RECEIPTS, parse
from ft.config import Config
from ft.errors import MalformedRecord
from ft.schemas.codec import Codec
from ft.schemas.events import RawBlock, from_record
from ft.sql.queries import load
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.bounded_reader import BoundedReader
from ft.streams.kafka.topics import Topics

BLOCKS_MAX: Final = 500
"""Blocks of one transaction, at most."""
_GAP_MAX: Final = 32
"""Raw records that are read for nothing rather than the reader moved."""
_READ_MAX: Final = 64

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """A block with creations to look at."""

    raw_offset: int
    number: int
    hash: str
    contracts: Sequence[str]


@dataclass(slots=True)
class _Found:
    """What becomes of the creations of some blocks."""

    kept: list[tuple[str, int, str, str, str]] = field(default_factory=list)
    gone: list[tuple[str, int, str]] = field(default_factory=list)


def prove_again(config: Config, tell: Tell) -> int:
    """Look at every creation that was not looked at; returns how many. Blocking; safe to stop and to run again.

    Raises DatabaseUnavailable, BrokerError, ServerError.
    """
    sql, done = load("created"), 0
    try:
        with psycopg.connect(config.postgres_as("ft_writer"), autocommit=True) as conn:
            for network, count in conn.execute(sql["unchecked"]).fetchall():
                done += _network(config, conn, network, count, tell)
    except psycopg.OperationalError as exc:
        raise config.no_connection(exc, "ft_writer") from exc
    return done


def _network(config: Config, conn: psycopg.Connection[Any], network: str, count: int, tell: Tell) -> int:
    topic, sql, done, after = Topics(config.topic_prefix).raw(network), load("created"), 0, -1
    with Schemas(config) as schemas, BoundedReader(config, topic, [0]) as raw:
        codec = schemas.reader("raw_block")
        first, end = raw.bounds()[0]
        while rows := conn.execute(sql["blocks"], {"network": network, "after": after, "limit": BLOCKS_MAX}).fetchall():
            noted = [_Noted(raw_offset=row[0], number=row[1], hash=row[2], contracts=row[3]) for row in rows]
            found = _look(raw, codec, [each for each in noted if first <= each.raw_offset < end])
            with conn.transaction():
                _write(conn, network, found)
            done += len(found.kept) + len(found.gone)
            after = noted[-1].raw_offset
            tell(f"{network}: {done:,} of {count:,} creations proven again, {len(found.gone)} of the last were none")
    if done < count:
        tell(f"{network}: {count - done:,} creations stay unproven: the raw log does not hold their blocks")
    return done


def _look(raw: BoundedReader, codec: Codec, noted: Sequence[_Noted]) -> _Found:
    wanted = {each.raw_offset: each for each in noted}
    found = _Found()
    for start, end in _runs(sorted(wanted)):
        for messages in raw.read({0: start}, {0: end}, _READ_MAX):
            for message in messages:
                if (block := wanted.get(message.offset)) is not None:
                    _compare(block, _created(codec, message.value), found)
    return found


def _runs(offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Stretches that are read in one go: first offset, and the one behind the last."""
    runs: list[tuple[int, int]] = []
    for offset in offsets:
        if runs and offset - runs[-1][1] <= _GAP_MAX:
            runs[-1] = (runs[-1][0], offset + 1)
        else:
            runs.append((offset, offset + 1))
    return runs


def _created(codec: Codec, value: bytes | None) -> Mapping[str, CreatedContract]:
    """What the block of a raw record created; nothing where it cannot be read: it was quarantined whole."""
    try:
        record = from_record(RawBlock, codec.decode(value))
        parts = {part.name: part.bytes for part in record.parts}
        receipts = parse(RECEIPTS, parts.get("receipts", b"[]"), "a list of receipts")
        return {each.contract: each for each in created_in(parts.get("block", b""), receipts)}
    except MalformedRecord:
        return {}


def _compare(block: _Noted, created: Mapping[str, CreatedContract], found: _Found) -> None:
    for contract in block.contracts:
        proven = created.get(contract)
        if proven is None:
            found.gone.append((contract, block.number, block.hash))
        else:
            found.kept.append((contract, block.number, block.hash, proven.tx_hash, ",".join(proven.reasons)))


def _write(conn: psycopg.Connection[Any], network: str, found: _Found) -> None:
    sql, names = load("created"), ("contract", "number", "hash", "tx_hash", "reasons")
    for query, rows in (("keep", found.kept), ("forget", found.gone)):
        if rows:
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))
            conn.execute(sql[query], {"network": network} | columns)
