"""The campaign against one hop: every await once, or (FT_FAULTS=long) at every passing."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.integration.crash.dying import Campaign, Target, World
from tests.integration.crash.sites import Site, Sites

IS_LONG: Final = os.environ.get("FT_FAULTS") == "long"
_PHASES: Final = ("after", "left", "before", "leaving")
"""Of a site, the passing to die at, best first: when the awaited is done and nobody knows of it yet."""
PASSINGS_MAX: Final = 12
"""Of one target in a long campaign, spread over the story."""


async def besiege(worlds: Iterable[World], sites: Sites, folder: Path, seed: int) -> set[Site]:
    """A death at each await that one of the worlds passes; returns the sites that none passed."""
    print(f"seed {seed}")
    died: set[Site] = set()
    for number, world in enumerate(worlds):
        campaign = Campaign(world, sites, folder / str(number), seed)
        expected = await campaign.listen()
        reached = dict(campaign.report.reached)
        targets = [target for target in _one_each(reached) if target[0] not in died]
        await campaign.kill_everywhere(targets, expected)
        died |= campaign.report.sites_died_at
        await campaign.listen_late(expected)
        late = [target for target in _one_each(campaign.report.reached) if target[0] not in died]
        await campaign.kill_everywhere(late, expected, late=True)
        died |= campaign.report.sites_died_at
        if IS_LONG:
            await _everywhere(campaign, reached, expected)
        print(f"{len(campaign.report.deaths)} deaths in {campaign.report.tellings} tellings")
    return set(sites.all) - died


async def _everywhere(campaign: Campaign, reached: Mapping[Target, int], expected: object) -> None:
    """One death a telling, at each passing of each target, before and after it."""
    for target, passings in sorted(reached.items(), key=str):
        step = max(1, passings // PASSINGS_MAX)
        for occurrence in range(1, passings + 1, step):
            await campaign.kill_once(target, occurrence, expected)


def _one_each(reached: Iterable[Target]) -> list[Target]:
    best: dict[Site, str] = {}
    for site, phase in reached:
        if site not in best or _PHASES.index(phase) < _PHASES.index(best[site]):
            best[site] = phase
    return list(best.items())


_KEPT: Final = "no topic forgets anything"
_MISSING: Final = "no record of a story is missing"
EXPLAINED: Final[Mapping[str, str]] = {
    "streams/worker/claims.py Claims._take_one: await fence.skip_to(conn, fresh, limits[0])": _KEPT,
    "streams/worker/fence.py skip_to: await move_fence(conn, "
    "[Move(claim=held, next_offset=offset, next_seq=held.next_seq)])": _KEPT,
    "streams/worker/fence.py skip_to: await conn.commit()": _KEPT,
    "streams/worker/claims.py Claims._take_one: await self._remedy(conn)": _MISSING,
    "streams/worker/claims.py Claims._remedy: await (await conn.execute(load('fence')['networks']))"
    ".fetchall()": _MISSING,
    "streams/worker/claims.py Claims._remedy: await conn.execute(load('fence')['networks'])": _MISSING,
    "streams/worker/claims.py Claims._remedy: await asyncio.to_thread(reading_again, self._config, "
    "[row[0] for row in found], otherwise)": _MISSING,
    "streams/worker/hop.py run_hop: await fail(exc)": "a worker ends here, of an error that is none of the story's",
    "streams/worker/claims.py Claims.settle: async with asyncio.timeout(timeout_s)": "a revocation: nothing is written",
    "streams/worker/claims.py Claims.settle: async with self._lock": "a revocation: nothing is written",
    "streams/kafka/producer.py Producer.send_and_wait: await self.flush_acknowledged()": "the source's, not a hop's",
    "streams/worker/fence.py Writer.commit: await conn.close()": "a cancellation in a commit: the process ends",
    "streams/worker/fence.py Writer.commit: await conn.close() (2)": "after transactions of many seconds",
    "streams/worker/fence.py Writer.commit: await self._give_up(conn) (3)": "a cancellation before a commit, or a bug",
    "streams/worker/fence.py Writer.reading: await self._give_up(conn) (2)": "a cancellation in a query, or a bug",
}
"""Awaits that no story needs to pass, and why."""
LEFT_OVER: Final = "streams/worker/hop.py _Batches.next: await asyncio.wait({self._coming}, timeout=timeout_s)"
"""Waits for what follows the records that a hop left over; only `project` leaves some."""


def unexplained(unreached: Iterable[Site], also: Mapping[str, str]) -> list[str]:
    """The sites that nobody passed and nobody accounts for."""
    return sorted(str(site) for site in unreached if site.name not in EXPLAINED and site.name not in also)
