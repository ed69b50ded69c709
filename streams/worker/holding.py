"""Backlogs are held back while what follows normalize is busy: see :mod:`ft.streams.worker.ceilings` for the rule."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import psycopg
import structlog
from mode import Service

from ft.config import Config
from ft.errors import FtError
from ft.sql.queries import load
from ft.sql.session import Connection, connect_writer
from ft.streams.kafka.backpressure import UNREAD_S
from ft.streams.worker.ceilings import ALONE_S, Ceilings, Heads, Raw, Stages, has_backlog, is_behind
from ft.streams.worker.claims import Claims
from ft.streams.worker.room import Room
from ft.telemetry.outage import DATABASE

log = structlog.get_logger(__name__)

LOOK_S: Final = 0.2
"""How often it is looked how far what follows has got."""
LOOK_ALONE_S: Final = 1.0
"""The same while no other network has a head and rates are known: there is more before them, and looking costs."""


class Holding(Service):
    """Says how many events of each network may be sent on. Asks the database only while there is a backlog, enough lies
    before the ledger, or something is held back."""

    def __init__(
        self,
        config: Config,
        claims: Claims,
        end: Callable[[str], int],
        clock: Callable[[], float] = time.monotonic,
        **kwargs: Any,
    ) -> None:
        """``end``: where the raw log ends, as far as it was heard."""
        super().__init__(**kwargs)
        self._config = config
        self._claims = claims
        self._end = end
        self._networks: dict[str, str] = {}
        self._rooms: dict[str, Room] = {}
        self._rule = Ceilings(clock)
        self._heads = Heads(clock)
        self._looks_seldom = False
        self._conn: Connection | None = None
        self._held_back: frozenset[str] = frozenset()

    def room_of(self, topic: str, network: str) -> Room:
        """Hold back what lies in this raw log: whoever normalizes it asks the room that is returned."""
        self._networks[topic] = network
        return self._rooms.setdefault(topic, Room())

    def held_back(self) -> frozenset[str]:
        """Topics of which nothing may be sent on for now."""
        return self._held_back

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            try:
                await self.look()
            except (psycopg.Error, FtError) as exc:
                DATABASE.aside(log)("backlogs wait", error=str(exc) or type(exc).__name__)
            await self.sleep(LOOK_ALONE_S if self._looks_seldom else LOOK_S)

    async def look(self) -> None:
        """Say anew how much of each network may lie before the ledger."""
        raws = [
            Raw(
                network=self._networks[claim.topic],
                topic=claim.topic,
                next_offset=claim.next_offset,
                end=self._end(claim.topic),
            )
            for claim in self._claims.held("normalize")
            if claim.topic in self._networks
        ]
        self._heads.observe({raw.network: raw.end for raw in raws})
        stages = await self._stages() if any(map(self._waits_for_ledger, raws)) else None
        if stages is not None:
            self._apply(raws, stages)
        limited = [raw for raw in raws if self._is_limited(raw)]
        for raw in raws:
            if raw not in limited:
                self._rooms[raw.topic].most = self._rule.at_head(raw.network)
        self._looks_seldom = stages is not None and self._limit(limited, raws, stages)
        self._held_back = frozenset(raw.topic for raw in raws if not self._rooms[raw.topic].is_open())

    def _waits_for_ledger(self, raw: Raw) -> bool:
        """Whether it matters how far the ledger is: what is held back now goes on only once that was heard."""
        return self._is_limited(raw) or not self._rooms[raw.topic].is_open()

    def _is_limited(self, raw: Raw) -> bool:
        return has_backlog(raw, self._rooms[raw.topic])

    def _apply(self, raws: Iterable[Raw], stages: Stages) -> None:
        for raw in raws:
            room = self._rooms[raw.topic]
            if stages.ledger:
                room.apply(stages.applied.get(raw.network, -1))
            else:  # there is nobody to wait for
                room.forget()

    def _limit(self, limited: Sequence[Raw], raws: Iterable[Raw], stages: Stages) -> bool:
        """Say it of those that do not stand at their head. Returns whether that lasts for a while: nobody else waits,
        and there is more before them than what needs no rate."""
        heads = self._heads_of(raws, stages)
        is_alone = not any(heads - {raw.network} for raw in limited)
        unread_s = ALONE_S if is_alone else UNREAD_S
        behind = self._rule.is_project_behind(stages, unread_s=unread_s)
        rooms = {raw.network: self._rooms[raw.topic] for raw in limited}
        for network, room in rooms.items():
            room.most = self._rule.of_backlog(network, room, stages, is_project_behind=behind, unread_s=unread_s)
        return bool(rooms) and is_alone and all(room.most > room.least for room in rooms.values())

    def _heads_of(self, raws: Iterable[Raw], stages: Stages) -> frozenset[str]:
        """Networks at their head of which somebody waits for the next block: followed now, or moving lately."""
        here = {raw.network for raw in raws}
        self._heads.observe({network: at for network, at in stages.applied.items() if network not in here})
        return (stages.followed | self._heads.moving()) - {raw.network for raw in raws if is_behind(raw)}

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
