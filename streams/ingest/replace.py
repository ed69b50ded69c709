"""source -> raw, the operator's correction of final blocks: reverts with reason ``replace``, then appends, lease 0.

1. one correction a network at a time: a lock in Postgres, held to the end
2. the blocks are read anew and proven, all of them, and kept aside
3. before that and after it, normalize reads the log to its end: only then it is known what is canonical
4. the plan: what it would leave linked, final and no worse proven than before
5. reverts, newest first; appends, ascending; all acknowledged
6. the row that the follower stands on says the new block
Killed anywhere, the same command again comes to the same state: what is canonical by then is reverted first.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog

from ft.config import Config
from ft.errors import OffsetMismatch
from ft.networks import Network
from ft.schemas.proofs import apart
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer, translated
from ft.stopping import Stopping
from ft.streams.ingest.backfill import ACKNOWLEDGE_BLOCKS, ACKNOWLEDGE_BYTES, Progress
from ft.streams.ingest.parting import parts_at
from ft.streams.ingest.raw_log import NO_LEASE, PARTITION, RawLog
from ft.streams.ingest.reconcile import anchor
from ft.streams.ingest.replace_plan import CannotReplace, Canonical, Fetched, Plan, check_final, plan
from ft.streams.ingest.spool import Spool
from ft.streams.ingest.unfinalized import UnfinalizedBlocks
from ft.streams.kafka.topic_admin import end_of
from ft.streams.sources import Marks, Source, SourceError

REASON: Final = "replace"
_REVERTS: Final = 512
_POLL_S: Final = 0.2
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """What :meth:`Replace.run` did, or would do."""

    plan: Plan
    holes: int
    """Quarantined logs and slices that these blocks had."""
    read: bool
    """Normalize has read all of it."""


class Replace:
    """One correction. :meth:`close` gives the lock back."""

    def __init__(
        self, config: Config, network: Network, source: Source, raw: RawLog, tail: UnfinalizedBlocks, stopping:
        Stopping, *, wait_s: float = 60.0, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """``wait_s``: how long normalize may take to read the log to its end."""
        self._config = config
        self._network = network.slug
        self._source = source
        self._raw = raw
        self._tail = tail
        self._stopping = stopping
        self._wait_s = wait_s
        self._progress = progress or Progress()
        self._sql = load("replace")
        self._conn: Connection | None = None

    async def close(self) -> None:
        """Give the lock back."""
        if self._conn is not None:
            await self._conn.close()

    async def run(self, first: int, last: int, *, dry_run: bool = False) -> Replaced:
        """Replace ``first`` to ``last``; returns once Kafka has acknowledged everything.

        Raises CannotReplace, Stopped, SourceError (nothing was written), BrokerError, DatabaseError (the same again
        finishes it).
        """
        await self._lock()  # 1
        if await self._tail.is_outdated():
            raise CannotReplace(
                f"{self._network}: after a restore its tail is older than the log: expected `ft ingest {self._network} "
                "--follow` to have made it anew. Start that, and try again. Nothing was written."
            )
        marks = await self._stopping.unless(self._source.marks())
        await self._normalized()
        await self._check(first, last, marks)
        await self._parts_within(first)
        with Spool(Path(self._config.home)) as spool:
            await self._fetch(spool, first, last, marks)  # 2
            await self._normalized()  # 3
            canonical = await self._check(first, last, marks)
            fetched = [
                Fetched(
                    height=row.height, hash=row.hash, parent=row.parent, proof=proof, logs=logs, reasons=row.reasons
                )
                for row, proof, logs in spool.rows
            ]
            found = plan(self._network, canonical, await self._canonical("open_above", last=last), fetched)  # 4
            holes = int((await self._rows("holes", first=first, last=last))[0][0])
            if dry_run:
                return Replaced(plan=found, holes=holes, read=False)
            try:
                await self._write(found, spool, marks)
            except BaseException:
                log.error("interrupted: until the same command is run again blocks are missing", network=self._network)
                raise
        return Replaced(plan=found, holes=holes, read=await self._came(fetched))

    async def _lock(self) -> None:
        self._conn = await connect_writer(self._config, application="ft replace")
        await self._conn.set_autocommit(True)
        if not (await self._rows("lock"))[0][0]:
            raise CannotReplace(
                f"{self._network}: another `ft replace` of this network is at work: expected one at a time. "
                "Wait for it."
            )

    async def _check(self, first: int, last: int, marks: Marks) -> dict[int, Canonical]:
        """What is canonical there and one beyond on either side, if all of it may be replaced. Raises CannotReplace."""
        found = await self._canonical("canonical", first=first - 1, last=last + 1)
        canonical = {block.height: block for block in found}
        within = {height: row for height, row in canonical.items() if first <= height <= last}
        tail = await self._tail.rows()
        check_final(self._network, first, last, within, tail, marks.finalized)
        standing = anchor(tail)
        if standing is not None and first <= standing.height <= last and await self._tail.follower_lives():
            raise CannotReplace(
                f"{self._network}: a running `ft ingest` stands on block {standing.height}: stop it (one that was "
                "killed counts as running for 15 s), replace, and start it again."
            )
        return canonical

    async def _parts_within(self, first: int) -> None:
        """The chains part nowhere below ``first``. Raises CannotReplace with the height where they do."""

        async def in_log(low: int, high: int) -> Mapping[int, str]:
            return {block.height: block.hash for block in await self._canonical("canonical", first=low, last=high)}

        async def at_node(heights: Sequence[int], known: Mapping[int, str]) -> Mapping[int, str | None]:
            return await self._stopping.unless(self._source.hashes(heights, known))

        parted = await parts_at(in_log, at_node, first - 1)
        if parted < first:
            raise CannotReplace(
                f"{self._network}: the chains part further down, at block {parted}, the first that the node has "
                f"another one for: begin there, --from {parted}."
            )

    async def _fetch(self, spool: Spool, first: int, last: int, marks: Marks) -> None:
        """Every block, proven. Raises SourceError for one that no provider has, Stopped."""
        expected = first
        async for block in self._stopping.until(self._source.blocks(first, last)):
            spool.add(block)
            expected = block.height + 1
            self._progress.add(block)
            self._progress.next_height = expected
            self._progress.report(self._progress)
        self._stopping.check()
        if expected <= last:
            raise SourceError(f"{self._network}: block {expected}: no provider has it (head {marks.head})")

    async def _normalized(self) -> None:
        """Return once normalize has read what is in the log now. Raises CannotReplace, OffsetMismatch, Stopped."""
        end = await asyncio.to_thread(end_of, self._config, self._raw.topic, PARTITION)
        deadline = time.monotonic() + self._wait_s
        while (read := await self._read_to()) < end:
            if time.monotonic() > deadline:
                raise CannotReplace(
                    f"{self._network}: normalize has read {self._raw.topic} up to offset {read}, expected {end}, where "
                    f"it ends: which blocks count is not known before. Nothing was written. Start a worker (`faust -A "
                    f"ft worker`), see `ft status`, and try again; --wait gives it more than {self._wait_s:g} s."
                )
            await self._stopping.sleep(_POLL_S)

    async def _read_to(self) -> int:
        rows = await self._rows("normalized_to", topic=self._raw.topic)
        if not rows:
            return 0
        if rows[0][1] not in ("", self._raw.topic_id):
            raise OffsetMismatch(
                f"{self._raw.topic}: expected topic id {rows[0][1]}, which normalize has read, got "
                f"{self._raw.topic_id}: this database was filled from another Kafka. Point FT_KAFKA at that one."
            )
        return int(rows[0][0])

    async def _write(self, found: Plan, spool: Spool, marks: Marks) -> None:
        """No stopping from here on: what lies between the first revert and the last append is short."""
        first, last = found.changes[0].after.height, found.changes[-1].after.height
        job = f"replace:{self._network}:{first}-{last}"
        within = await self._unfinished(job, first, last)
        await self._rows("begin", job=job, first=first)
        for at, row in enumerate(found.reverts, 1):  # 5
            self._raw.revert(row, marks, lease=NO_LEASE, reason=REASON)
            if at % _REVERTS == 0:
                await self._raw.acknowledged()
        await self._raw.acknowledged()
        offsets = await self._append(spool, first, found, marks)
        rows = [row for row, _, _ in spool.rows]
        await self._rows(  # 6
            "move_anchor",
            height=[row.height for row in rows],
            hash=[row.hash for row in rows],
            parent=[row.parent for row in rows],
            raw_offset=[offsets[row.height] for row in rows],
        )
        await self._rows("finish", job=job, within=within)
        log.info(
            "replaced", network=self._network, block=first, last=last, reverts=len(found.reverts),
            offset=self._raw.last_offset,
        )  # fmt: skip

    async def _append(self, spool: Spool, first: int, found: Plan, marks: Marks) -> dict[int, int]:
        """Raw offset of each height."""
        offsets: dict[int, int] = {}

        def landed_at(height: int) -> Any:
            return lambda offset: offsets.__setitem__(height, offset)

        waiting = size = 0
        for block in spool:
            starts = found.starts_range and block.height == first
            self._raw.append(
                block, marks, lease=NO_LEASE, covers_from=first, starts_range=starts, on_offset=landed_at(block.height)
            )
            waiting, size = waiting + 1, size + block.size
            if waiting >= ACKNOWLEDGE_BLOCKS or size >= ACKNOWLEDGE_BYTES:
                await self._raw.acknowledged()
                waiting = size = 0
        await self._raw.acknowledged()
        return offsets

    async def _unfinished(self, job: str, first: int, last: int) -> list[str]:
        """Corrections that were interrupted and lie within this one; the others are told of."""
        within = []
        for (other,) in await self._rows("unfinished", job=job):
            low, _, high = other.rpartition(":")[2].partition("-")
            if first <= int(low) and int(high) <= last:
                within.append(other)
            else:
                log.warning("a correction was interrupted: finish it", network=self._network, first=low, last=high)
        return within

    async def _came(self, fetched: Sequence[Fetched]) -> bool:
        """Whether normalize has read it by now, within the time given. Raises CannotReplace if it came otherwise."""
        deadline = time.monotonic() + self._wait_s
        while await self._read_to() <= self._raw.last_offset:
            if time.monotonic() > deadline or self._stopping.asked:
                return False
            await asyncio.sleep(_POLL_S)
        first, last = fetched[0].height, fetched[-1].height
        canonical = {block.height: block.hash for block in await self._canonical("canonical", first=first, last=last)}
        if wrong := [block.height for block in fetched if canonical.get(block.height) != block.hash]:
            raise CannotReplace(
                f"{self._network}: block {wrong[0]} did not become canonical: somebody else writes these heights at "
                "the same time. `ft dlq list` says what was refused; run the same again once the other has ended."
            )
        return True

    async def _canonical(self, name: str, **values: int) -> list[Canonical]:
        rows = await self._rows(name, **values)
        names = ("height", "hash", "parent", "final", "proof")
        return [Canonical(**dict(zip(names, row, strict=False)), reasons=apart(row[5])) for row in rows]

    async def _rows(self, name: str, **values: object) -> Sequence[tuple[Any, ...]]:
        assert self._conn is not None
        try:
            cursor = await self._conn.execute(self._sql[name], {"network": self._network, **values})
            return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as exc:
            raise translated(exc) from exc
