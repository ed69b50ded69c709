"""Let a hop die at each of its awaits, start it again, and see that nothing differs in the end."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from tests.integration.crash.life import Life, living
from tests.integration.crash.sites import Site, Sites

LIVES_MAX: Final = 40
"""Deaths in one telling of the story, at most."""
TRIES: Final = 2
"""Tellings in a row without a death, after which what is left does not come."""

Target = tuple[Site, str]
"""Site and phase: what the process dies at."""


class World(Protocol):
    """A hop, its input and what it writes to."""

    def begin(self) -> None:
        """Everything as before the first record."""

    async def live(self, life: Life) -> None:
        """One process, from its start until all of the input has taken its effect and it has stopped in order."""

    def state(self) -> Any:
        """What must be the same, however often the process died."""

    def troubles(self) -> AbstractContextManager[None]:
        """What goes wrong around the process, the same at each telling."""


@dataclass
class Report:
    """What a campaign did."""

    reached: Counter[Target] = field(default_factory=Counter)
    deaths: list[Target] = field(default_factory=list)
    tellings: int = 0

    @property
    def sites_died_at(self) -> set[Site]:
        return {site for site, _ in self.deaths}


class Campaign:
    """Tells one world's story again and again, with a death at each target."""

    def __init__(self, world: World, sites: Sites, folder: Path, seed: int) -> None:
        self.report = Report()
        self._world = world
        self._sites = sites
        self._folder = folder
        self._random = Random(seed)
        self._seed = seed
        self._life: Life
        self._lives = 0
        self._passings = 0
        self._waiting: Collection[Target] = ()
        """What a life may die at."""
        self._spared = 0
        """So many passings of waiting targets are survived by this life."""

    async def listen(self) -> Any:
        """The story without a death: returns the state it ends in, and counts what it passes."""
        state = await self._tell([], [])
        self._passings = self.report.reached.total()
        return state

    async def listen_late(self, expected: Any) -> None:
        """The story of a process that goes on, without any files, with what another one began."""
        await self._tell_and_compare([], [], expected, late=True)

    async def kill_everywhere(self, targets: Iterable[Target], expected: Any, *, late: bool = False) -> list[Target]:
        """A death at each target, several in one telling; the state after each telling must be equal.

        ``late``: the targets come only to a process that goes on with what another one began, without its files.
        Returns the targets that never came.
        """
        waiting = list(targets)
        met = sum(self.report.reached[target] for target in waiting)
        tries = 0
        while waiting and tries < TRIES:
            spared = [0 if tries else self._random.randint(0, met // 3) for _ in range(LIVES_MAX)]
            tries = 0 if await self._tell_and_compare(waiting, spared, expected, late=late) else tries + 1
        return waiting

    async def kill_once(self, target: Target, occurrence: int, expected: Any) -> bool:
        """One telling, one death, at this passing of the target; whether it came."""
        return await self._tell_and_compare([target], [occurrence - 1], expected)

    async def _tell_and_compare(
        self, waiting: list[Target], spared: list[int], expected: Any, *, late: bool = False
    ) -> bool:
        died = len(self.report.deaths)
        found = await self._tell(waiting, spared, late=late)
        deaths = self.report.deaths[died:]
        assert found == expected, _difference(found, expected, deaths, self._seed)
        return len(deaths) > late

    async def _tell(self, waiting: list[Target], spared: list[int], *, late: bool = False) -> Any:
        """The story; each life but the last dies at one of the waiting targets, which is taken out of the list."""
        self._world.begin()
        self.report.tellings += 1
        with self._world.troubles(), living(lambda: self._life), self._sites.watching(self._pass):
            before: Life | None = None
            if late:
                await self._early_death()
            for survives in [*spared, None]:
                died = len(self.report.deaths)
                if await self._live(before, waiting if survives is not None else (), survives or 0):
                    break
                before = self._life
                waiting.remove(self.report.deaths[died])
        return self._world.state()

    async def _early_death(self) -> None:
        """A first life that ends anywhere; its files are lost."""
        some = set(self.report.reached)
        passings = self._passings
        await self._live(None, some, self._random.randint(passings // 3, passings * 2 // 3))

    async def _live(self, before: Life | None, targets: Collection[Target], spared: int) -> bool:
        """One life; whether it came to its end."""
        self._lives += 1
        self._life = Life(self._folder / f"life{self._lives}", before)
        self._waiting, self._spared = targets, spared
        whole = await self._life.run(lambda: self._world.live(self._life))
        assert not self._life.failures, f"a life ended: {self._life.failures!r}, after {self.report.deaths[-3:]}"
        return whole

    def _pass(self, site: Site, phase: str) -> None:
        self._life.check()
        target = (site, phase)
        self.report.reached[target] += 1
        if target in self._waiting:
            self._spared -= 1
            if self._spared < 0:
                self.report.deaths.append(target)
                self._life.die(site, phase)


def _difference(found: Any, expected: Any, deaths: Sequence[Target], seed: int) -> str:
    places = "\n  ".join(f"{phase} {site}" for site, phase in deaths)
    wrong = [key for key in expected if found.get(key) != expected[key]]
    shown = "\n".join(f"{key}: {_parted(expected[key], found.get(key, []))}" for key in wrong)
    return f"seed {seed}: another state after deaths at\n  {places}\n{shown[:6000]}"


def _parted(expected: Any, found: Any) -> str:
    """What only one of the two states has; both whole where that says nothing (an order, a count)."""
    missing = [row for row in expected if row not in found]
    more = [row for row in found if row not in expected]
    return f"missing {missing}\n  more {more}" if missing or more else f"expected {expected}\n  got {found}"


async def settle(condition: Any, within_s: float = 60.0) -> None:
    """Wait until ``condition()`` holds."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the story does not come to its end"
        await asyncio.sleep(0.01)
