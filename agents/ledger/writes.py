"""What one transaction of the ledger writes: journal, bookkeeping, ownership."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ft.agents.columns import columns as arrays
from ft.agents.ledger.holdings import (
    Account,
    Token,
    multi_rows,
    multis,
    plain_array,
    single_rows,
    singles,
    token_arrays,
    tokens,
    walk,
    walked_rows,
)
from ft.agents.ledger.journal import COLUMNS, Stretch, copy_text
from ft.agents.ledger.posting import Posting, Standing
from ft.agents.ownership import Holding
from ft.schemas.ids import NO_ACCOUNTS
from ft.sql.queries import load, named
from ft.streams.checkpoint import Connection
from ft.streams.hop import Message

_COPY = f"COPY ledger.events ({', '.join(COLUMNS)}) FROM STDIN"  # PREPARE knows no COPY: it is no named query


async def write(conn: Connection, posting: Posting, messages: Sequence[Message], topic: str) -> None:
    """Write a posting; ``messages`` are the records whose steps were posted."""
    if text := copy_text(posting.stretches):
        async with conn.cursor() as cursor, cursor.copy(named(_COPY)) as copy:
            await copy.write(text)
    await _put_slices(conn, posting)
    await _put_retracted(conn, posting)
    await _put_standings(conn, posting)
    await _put_holes(conn, posting, messages)
    await _put_dead(conn, posting, messages, topic)
    await _put_singles(conn, posting)
    await _put_multis(conn, posting.stretches)


async def _run(
    conn: Connection, query: str, values: Mapping[str, Any], *, prepare: bool = True
) -> list[tuple[Any, ...]]:
    """``prepare=False`` for look-ups: their plans must know how large the tables are by now."""
    cursor = await conn.execute(load("ledger")[query], values, prepare=prepare)
    return await cursor.fetchall() if cursor.description else []


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


async def _put_standings(conn: Connection, posting: Posting) -> None:
    if not posting.standings:
        return
    items = sorted(posting.standings.items())
    rows = [
        (partition, network, s.position, s.head.number, s.head.hash, s.head_time, s.head.safe, s.head.finalized,
         s.announced_position, s.reverted_max, s.floor)
        for (partition, network), s in items
    ]  # fmt: skip
    names = (
        "partition", "network", "position", "head_number", "head_hash", "head_time", "safe", "finalized",
        "announced_position", "reverted_max", "floor",
    )  # fmt: skip
    standings: list[Standing] = [standing for _, standing in items]
    values = {
        **arrays(names, rows),
        "reorg_from": plain_array([standing.reorg_from for standing in standings]),
        "reorg_to": plain_array([standing.reorg_to for standing in standings]),
    }
    await _run(conn, "put_standings", values)


async def _put_holes(conn: Connection, posting: Posting, messages: Sequence[Message]) -> None:
    for hole in posting.holes:
        unfit = hole.unfit
        await _run(conn, "put_hole", {
            "network": unfit.network, "block_number": unfit.block.number, "block_hash": unfit.block.hash,
            "contract": unfit.contract, "reason": unfit.reason, "error": unfit.error,
            "payload": messages[hole.index].value or b"", "position": unfit.position,
        })  # fmt: skip
    rows = [(r.network, r.block.number, r.block.hash, r.position) for r in posting.reverts]
    if rows:
        await _run(conn, "close_holes", arrays(("network", "block_number", "block_hash", "position"), rows))


async def _put_dead(conn: Connection, posting: Posting, messages: Sequence[Message], topic: str) -> None:
    for dead in posting.dead:
        message, refused = messages[dead.index], dead.refused
        await _run(conn, "put_dead", {
            "topic": topic, "partition": message.partition, "offset": message.offset, "network": refused.network,
            "reason": refused.reason, "error": refused.error, "payload": message.value or b"",
        })  # fmt: skip


async def _put_singles(conn: Connection, posting: Posting) -> None:
    """1. tokens that only move on, by one upsert; 2. the touched and the given back, by the rule; 3. their since."""
    stretches = posting.stretches
    latest = singles(stretches)
    touched = tokens(stretch for stretch in stretches if stretch.op == "revert")
    asked = touched | tokens(stretches[index] for index in posting.careful)
    walked: dict[Token, tuple[Holding, str]] = {}
    if asked:
        held = await _held(conn, sorted(asked), touched)
        wanted = touched | held.keys()
        walked = walk(stretches, wanted, held, posting.floors)
        latest = {token: row for token, row in latest.items() if token not in wanted}
    if latest:
        await _run(conn, "single_latest", single_rows(latest))
    if walked:
        await _run(conn, "single_walked", walked_rows(walked))
    unsure = [
        token for token, (holding, _) in walked.items() if holding.since is None and holding.account not in NO_ACCOUNTS
    ]
    if unsure:
        await _run(conn, "single_since", token_arrays(unsure), prepare=False)


async def _held(conn: Connection, asked: Sequence[Token], touched: set[Token]) -> dict[Token, Holding]:
    values = arrays(("network", "contract", "token_id", "touched"), [(*token, token in touched) for token in asked])
    return {
        (row[0], row[1], row[2]): Holding(
            account=row[3], position=(row[4], row[5], row[6]), since=row[7], returned=row[8]
        )
        for row in await _run(conn, "single_held", values, prepare=False)
    }


async def _put_multis(conn: Connection, stretches: Iterable[Stretch]) -> None:
    nets = multis(stretches)
    if not nets:
        return
    await _run(conn, "multi_net", multi_rows(nets))
    undone = {account: net for account, net in nets.items() if net.undone}
    if not undone:
        return
    stands = await _run(conn, "multi_positions", _accounts(undone), prepare=False)
    unsure = [
        account
        for row in stands
        if (row[4], row[5], row[6]) in undone[account := (row[0], row[1], row[2], row[3])].undone
    ]
    if unsure:
        await _run(conn, "multi_since", _accounts(unsure), prepare=False)


def _accounts(accounts: Iterable[Account]) -> dict[str, str]:
    return arrays(("network", "contract", "token_id", "account"), list(accounts))
