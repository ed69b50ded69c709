"""The partitions that this process holds: claimed in Postgres when the group assigns them, dropped when it revokes."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from ft.config import Config
from ft.errors import DatabaseUnavailable, OffsetMismatch
from ft.sql.queries import load
from ft.sql.session import Connection, again, connect_writer, end_stopped
from ft.streams.deployment.identity import Deployment
from ft.streams.kafka.raw_beginnings import reading_again
from ft.streams.kafka.topic_admin import TopicIdentity, topic_identities
from ft.streams.worker import fence
from ft.streams.worker.fence import Claim

log = structlog.get_logger(__name__)

TopicPartition = tuple[str, int]
Reader = tuple[str, str]
"""consumer, topic"""
Key = tuple[str, str, int]
"""consumer, topic, partition"""
_TRIES = 5
_TRY_AGAIN_S = 1.0


class Claims:
    """Registry of claims of one process, by consumer, topic and partition: a topic may have several consumers."""

    def __init__(self, config: Config, owner: str) -> None:
        self._config = config
        self.owner = owner
        self.busy: set[Reader] = set()
        """Whose agent does something that takes long, on purpose: standing still there is no hanging."""
        self.lossy: set[str] = set()
        """Topics whose newer records say more than those before: who was away for long goes on where they begin."""
        self.began: Deployment | None = None
        """The deployment that this process began in; None: it had no name yet."""
        self._consumers: dict[str, list[str]] = {}
        self._known: dict[Key, Claim] = {}
        self._lock = asyncio.Lock()

    def serve(self, topic: str, consumer: str) -> None:
        """Say for which consumer, or for which more, this process reads the topic."""
        self._consumers.setdefault(topic, []).append(consumer)

    def of(self, consumer: str) -> "HeldBy":
        """The claims of one consumer."""
        return HeldBy(self, consumer)

    def get(self, consumer: str, topic: str, partition: int) -> Claim | None:
        """The claim, if this process holds the partition now."""
        found = self._known.get((consumer, topic, partition))
        return found if found is not None and found.held else None

    def held(self, consumer: str) -> list[Claim]:
        """The claims that this process holds for a consumer, ordered by topic and partition."""
        return [claim for _, claim in sorted(self._known.items()) if claim.held and claim.consumer == consumer]

    def drop(self, partitions: list[TopicPartition]) -> None:
        """The group takes the partitions away: what is in hand for them is dropped."""
        taken = set(partitions)
        for (_, *place), claim in self._known.items():
            if tuple(place) in taken:
                claim.held = False

    def drop_all(self) -> None:
        """This process ends: what it has in hand is committed, nothing new is begun."""
        for claim in self._known.values():
            claim.held = False

    async def settle(self, timeout_s: float) -> None:
        """Return once no claim is being taken, or the time is over. The group must not give a partition to another
        process before: a claim that comes late would take it away from there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._lock:
                pass

    async def take(
        self, bounds: Mapping[TopicPartition, tuple[int, int]], wanted_still: Callable[[], bool] = lambda: True
    ) -> list[Claim]:
        """Claim partitions, given the first and the end offset of each one's log, while they are still wanted.

        Raises OtherDeployment (the database was restored since this process began), OffsetMismatch (another Kafka, or
        outside of the log), DatabaseUnavailable after several tries.
        """
        wanted = {key: limits for key, limits in bounds.items() if key[0] in self._consumers}

        def tell(attempt: int, error: DatabaseUnavailable) -> None:
            places = [f"{topic}-{partition}" for topic, partition in sorted(wanted)]
            log.warning("claim is tried again", partitions=places, attempt=attempt, error=str(error))

        async with self._lock:
            identities = await asyncio.to_thread(topic_identities, self._config, {topic for topic, _ in wanted})
            take = partial(self._take, wanted, identities, wanted_still)
            return await again(take, [_TRY_AGAIN_S] * (_TRIES - 1), tell)

    async def _take(
        self,
        wanted: Mapping[TopicPartition, tuple[int, int]],
        identities: Mapping[str, TopicIdentity],
        wanted_still: Callable[[], bool],
    ) -> list[Claim]:
        conn = await connect_writer(self._config, application="ft claims")
        try:
            for session in await end_stopped(conn):
                log.warning("a session whose process stands still was ended", session=session)
            return [
                await self._take_one(conn, (consumer, *place), limits, identities[place[0]])
                for place, limits in sorted(wanted.items())
                for consumer in self._consumers[place[0]]
                if wanted_still()
            ]
        finally:
            await conn.close()

    async def _take_one(self, conn: Connection, key: Key, limits: tuple[int, int], identity: TopicIdentity) -> Claim:
        consumer, topic, partition = key
        fresh = await fence.claim(
            conn,
            consumer=consumer,
            topic=topic,
            partition=partition,
            owner=self.owner,
            cluster_id=identity.cluster_id,
            topic_id=identity.topic_id,
            began=self.began,
        )
        if topic in self.lossy and fresh.next_offset < limits[0]:
            await fence.skip_to(conn, fresh, limits[0])
        try:
            fence.check_bounds(fresh, earliest=limits[0], end=limits[1])
        except OffsetMismatch as exc:
            raise OffsetMismatch(f"{exc} Else {await self._remedy(conn)}.") from exc
        known = self._known.get(key)
        if known is None or known.epoch != fresh.epoch:
            if known is not None:
                known.held = False
            self._known[key] = fresh
            log.info(
                "claimed",
                consumer=consumer,
                topic=topic,
                partition=partition,
                epoch=fresh.epoch,
                offset=fresh.next_offset,
            )
            return fresh
        # The same claim: a batch in hand may have moved it since the row was read. It only ever rises.
        known.next_offset, known.next_seq = max(
            (known.next_offset, known.next_seq), (fresh.next_offset, fresh.next_seq)
        )
        known.held = True
        known.times += 1
        return known

    async def _remedy(self, conn: Connection) -> str:
        """What helps where records are missing."""
        found = await (await conn.execute(load("fence")["networks"])).fetchall()
        otherwise = (
            "what is missing is read again from the chain: point FT_KAFKA at an empty cluster, and `ft reannounce`"
        )
        return await asyncio.to_thread(reading_again, self._config, [row[0] for row in found], otherwise)


class HeldBy:
    """The claims of one consumer: what the loop that runs its hop asks for."""

    def __init__(self, claims: Claims, consumer: str) -> None:
        self._claims = claims
        self._consumer = consumer

    def get(self, topic: str, partition: int) -> Claim | None:
        """The claim, if this process holds the partition for the consumer now."""
        return self._claims.get(self._consumer, topic, partition)
