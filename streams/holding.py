"""Backlogs are held back while what follows normalize is busy: see :mod:`ft.streams.ceilings` for the rule."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import psycopg
import structlog
from mode import Service

from ft.config import Config
from ft.errors import FtError
from ft.sql.queries import load
from ft.streams.ceilings import ALONE_S, Ceilings, Heads, Raw, Stages, has_backlog
from ft.streams.checkpoint import Connection, connect_writer
from ft.streams.claims import Claims
from ft.streams.pace import UNREAD_S

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.2
"""How often it is looked how far what follows has got."""
LOOK_ALONE_S: Final = 1.0
"""The same while no other network has a head: there is more before them, and looking costs."""


class Holding(Service):
    """Says how far each raw log may be read. Asks the database only while there is a backlog."""

    def __init__(
        self,
        config: Config,
        claims: Claims,
        end: Callable[[str], int],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        **kwargs: Any,
    ) -> None:
        """``end``: where the raw log ends, as far as it was heard. ``changed``: more may be read now."""
        super().__init__(**kwargs)
        self._config = config
        self._claims = claims
        self._end = end
        self._changed = changed
        self._networks: dict[str, str] = {}
        self._ceilings: dict[str, int] = {}
        self._rule = Ceilings(clock)
        self._heads = Heads(clock)
        self._is_alone = False
        self._conn: Connection | None = None
        self._held_back: frozenset[str] = frozenset()

    def pace(self, topic: str, network: str) -> None:
        """Hold back what lies in this raw log."""
        self._networks[topic] = network

    def ceiling(self, topic: str) -> int | None:
        """The first offset that may not be read yet; None for a topic that is never held back."""
        return self._ceilings.get(topic, 0) if topic in self._networks else None

    def held_back(self) -> frozenset[str]:
        """Topics with a backlog of which nothing may be read for now."""
        return self._held_back

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            try:
                await self.look()
            except (psycopg.Error, FtError) as exc:
                log.warning("backlogs wait", error=str(exc) or type(exc).__name__)
            await self.sleep(LOOK_ALONE_S if self._is_alone else LOOK_S)

    async def look(self) -> None:
        """Set every ceiling anew."""
        raws = {
            claim.topic: Raw(
                network=self._networks[claim.topic], next_offset=claim.next_offset, end=self._end(claim.topic)
            )
            for claim in self._claims.held("normalize")
            if claim.topic in self._networks
        }
        backlogs = {topic: raw for topic, raw in raws.items() if has_backlog(raw)}
        found = {topic: self._rule.at_head(raw) for topic, raw in raws.items() if topic not in backlogs}
        self._heads.observe({raw.network: raw.end for raw in raws.values()})
        self._is_alone = False
        if backlogs:
            stages = await self._stages()
            self._is_alone = not self._heads_beside(backlogs.values(), raws.values(), stages)
            unread_s = ALONE_S if self._is_alone else UNREAD_S
            behind = self._rule.is_project_behind(stages, unread_s=unread_s)
            for topic, raw in backlogs.items():
                found[topic] = self._rule.of_backlog(raw, stages, is_project_behind=behind, unread_s=unread_s)
        self._held_back = frozenset(topic for topic, raw in backlogs.items() if found[topic] <= raw.next_offset)
        if found != self._ceilings:
            self._ceilings = found
            self._changed()

    def _heads_beside(self, backlogs: Iterable[Raw], raws: Iterable[Raw], stages: Stages) -> frozenset[str]:
        """Networks at their head of which somebody waits for the next block: followed now, or moving lately."""
        here = {raw.network for raw in raws}
        self._heads.observe({network: at for network, at in stages.applied.items() if network not in here})
        return (stages.followed | self._heads.moving()) - {raw.network for raw in backlogs}

    async def _stages(self) -> Stages:
        if self._conn is None or self._conn.closed:
            self._conn = await connect_writer(self._config, application="ft holding")
            await self._conn.set_autocommit(True)
        sql: Mapping[str, str] = load("holding")
        applied = await (await self._conn.execute(sql["applied"])).fetchall()
        ledgers, projected, unprojected, followed = (await (await self._conn.execute(sql["stages"])).fetchall())[0]
        return Stages(
            applied={network: int(position) for network, position in applied},
            ledger=ledgers > 0,
            projected=int(projected),
            unprojected=int(unprojected),
            followed=frozenset(followed),
        )

    async def on_stop(self) -> None:
        """Give the connection back."""
        if self._conn is not None:
            await self._conn.close()
