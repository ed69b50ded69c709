"""What one transaction of the ledger writes beside the ownership rows: journal and bookkeeping."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ft.agents.columns import columns as arrays
from ft.agents.ledger.journal import COLUMNS, LED_COLUMNS, Stretch, copy_text
from ft.agents.ledger.posting import PartitionHead, Posting
from ft.agents.ledger.singles import booleans, nullable
from ft.sql.queries import load, named
from ft.sql.session import Connection
from ft.streams.kafka.message import Message

# PREPARE knows no COPY: they are no named queries.
_COPIES = tuple(f"COPY ledger.events ({', '.join(columns)}) FROM STDIN" for columns in (COLUMNS, LED_COLUMNS))


async def write(
    conn: Connection, posting: Posting, stretches: Iterable[Stretch], messages: Sequence[Message], topic: str
) -> None:
    """Write a posting with its ``stretches`` as they led on; ``messages`` are the records whose steps were posted."""
    for statement, text in zip(_COPIES, copy_text(stretches), strict=True):
        if text:
            async with conn.cursor() as cursor, cursor.copy(named(statement)) as copy:
                await copy.write(text)
    await _put_slices(conn, posting)
    await _put_retracted(conn, posting)
    await _put_copies(conn, posting)
    await _put_late_seqs(conn, posting)
    await _put_partition_heads(conn, posting)
    await _put_quarantine(conn, posting, messages)
    await _put_dead_letters(conn, posting, messages, topic)


async def _run(conn: Connection, query: str, values: Mapping[str, Any]) -> None:
    await conn.execute(load("ledger")[query], values, prepare=True)


async def _put_slices(conn: Connection, posting: Posting) -> None:
    rows = [
        (partition, network, block_hash, found.applied, found.block.number, found.block.time, found.digest,
         found.proof, found.seq_from, found.seq_to)
        for (partition, network, block_hash), found in sorted(posting.slices.items())
    ]  # fmt: skip
    names = (
        "partition", "network", "block_hash", "applied", "number", "time", "digest", "proof", "seq_from", "seq_to",
    )  # fmt: skip
    if rows:
        await _run(conn, "put_slices", arrays(names, rows))


async def _put_retracted(conn: Connection, posting: Posting) -> None:
    rows = [(*event, *found) for event, found in sorted(posting.retracted.items())]
    names = ("network", "tx_hash", "contract", "topic0", "n", "sub_index", "revision", "partition", "seq")
    if rows:
        await _run(conn, "put_retracted", arrays(names, rows))


async def _put_copies(conn: Connection, posting: Posting) -> None:
    changed = sorted(posting.copies.items())
    if changed:
        keys = arrays(("partition", "network", "tx_hash", "copy"), [key for key, _ in changed])
        await _run(conn, "put_copies", keys | {"live": booleans([live for _, live in changed])})


async def _put_late_seqs(conn: Connection, posting: Posting) -> None:
    rows = [(*contract, seq) for contract, seq in sorted(posting.late_seqs.items())]
    if rows:
        # Planned each time, as every look-up by many keys (``reads``).
        values = arrays(("network", "contract", "seq"), rows)
        await conn.execute(load("ledger")["put_late_seqs"], values, prepare=False)


async def _put_partition_heads(conn: Connection, posting: Posting) -> None:
    if not posting.partition_heads:
        return
    items = sorted(posting.partition_heads.items())
    rows = [
        (partition, network, s.position, s.head.number, s.head.hash, s.head_time, s.head.safe, s.head.finalized,
         s.reverted_max, *s.told)
        for (partition, network), s in items
    ]  # fmt: skip
    names = (
        "partition", "network", "position", "head_number", "head_hash", "head_time", "safe", "finalized",
        "reverted_max", "told_safe", "told_finalized",
    )  # fmt: skip
    partition_heads: list[PartitionHead] = [partition_head for _, partition_head in items]
    values = {
        **arrays(names, rows),
        "reorg_from": nullable([partition_head.reorg_from for partition_head in partition_heads]),
        "reorg_to": nullable([partition_head.reorg_to for partition_head in partition_heads]),
    }
    await _run(conn, "put_standings", values)


async def _put_quarantine(conn: Connection, posting: Posting, messages: Sequence[Message]) -> None:
    for quarantine in posting.quarantined:
        part = quarantine.slice
        await _run(conn, "put_quarantine", {
            "network": part.network, "block_number": part.block.number, "block_hash": part.block.hash,
            "contract": part.contract, "reason": part.reason, "error": part.error,
            "payload": messages[quarantine.index].value or b"", "position": part.position,
        })  # fmt: skip
    rows = [(r.network, r.block.number, r.block.hash, r.position) for r in posting.reverts]
    if rows:
        await _run(conn, "close_quarantine", arrays(("network", "block_number", "block_hash", "position"), rows))


async def _put_dead_letters(conn: Connection, posting: Posting, messages: Sequence[Message], topic: str) -> None:
    for dead in posting.dead:
        message, refused = messages[dead.index], dead.refused
        await _run(conn, "put_dead", {
            "topic": topic, "partition": message.partition, "offset": message.offset, "network": refused.network,
            "reason": refused.reason, "error": refused.error, "payload": message.value or b"",
        })  # fmt: skip
