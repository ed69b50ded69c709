"""Kafka's records into Faust: partitions are claimed in Postgres, and read in turns.

Kafka's committed offsets are a report for lag monitors; on every assignment the consumer claims its partitions in
Postgres and seeks to where their effects end. Its thread owns the driver and its event loop: what touches the driver's
state runs there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiokafka.consumer.fetcher import FetchError  # type: ignore[import-untyped]
from aiokafka.errors import ConsumerStoppedError  # type: ignore[import-untyped]
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from ft.streams.worker.fence import Claim
from ft.streams.worker.membership import group_error
from ft.streams.worker.record_batches import Cut, RecordBatch
from ft.streams.worker.turns import Turns, take

if TYPE_CHECKING:
    from ft.streams.worker.app import App

IN_HAND_S: Final = 4.0
"""How long a rebalance waits for batches in hand to be committed."""
_FETCH_WAIT_MS: Final = 250
"""A fetch of partitions that have nothing waits so long at the broker. The driver has one fetch under way to a broker:
a partition whose records were taken meanwhile waits for it."""


class Thread(driver.AIOKafkaConsumerThread):
    """The driver's thread, which hands out what was fetched in turns."""

    consumer: "Consumer"

    def _create_worker_consumer(self, transport: Any) -> Any:
        made = super()._create_worker_consumer(transport)
        made._fetch_max_wait_ms = _FETCH_WAIT_MS
        self._turns = Turns()
        return made

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's
        max_records: int | None = None,
    ) -> Any:
        """Record batches by partition: what there is room for, or nothing when the time is over or a rebalance
        begins."""
        fetcher, loop = consumer._fetcher, asyncio.get_running_loop()
        deadline = loop.time() + (timeout or 0.0)
        with fetcher._subscriptions.fetch_context():
            while self.consumer.flow_active and not fetcher._subscriptions.reassignment_in_progress:
                if consumer._closed or fetcher._closed:
                    if self.consumer.app.is_leaving:  # closed on purpose: the process is gone in a moment
                        await asyncio.Event().wait()
                    raise ConsumerStoppedError()
                found = self._take(fetcher, active_partitions)
                if found:
                    return found
                await _raise_errors(fetcher, active_partitions)
                left = deadline - loop.time()
                if left <= 0:
                    break
                await self._news(consumer, left)
        return {}

    def _take(self, fetcher: Any, active: set[TP]) -> dict[TP, list[Cut]]:
        app, assignment = self.consumer.app, self.consumer._assignments
        held = set(active)
        self._turns.keep(held)
        found = take(
            fetcher,
            held,
            self._turns,
            room=app.room,
            records_max=lambda tp: app.batch_sizes.get(tp.topic, 1),
            hungry=app.hungry,
        )
        return {tp: [Cut(cut.records, assignment) for cut in cuts] for tp, cuts in found.items()}

    async def _news(self, consumer: Any, within_s: float) -> None:
        """Until records were fetched, a queue has room again, or the time is over.

        An error of the group reaches whoever waits here, too; the watch tells it, and ends the process.
        """
        waiter = consumer._fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=within_s)
        if not done:
            waiter.cancel()
        elif (error := waiter.exception()) and group_error(consumer._coordinator) is None:
            raise error

    def wake(self) -> None:
        """From the worker's own thread: there may be room now."""
        if self._consumer is not None and self._consumer._fetcher is not None:
            with suppress(RuntimeError):  # its loop is closed: the worker stops
                self.thread_loop.call_soon_threadsafe(_wake, self._consumer._fetcher)


def _wake(fetcher: Any) -> None:
    for waiter in list(fetcher._fetch_waiters):
        fetcher._notify(waiter)


async def _raise_errors(fetcher: Any, active: Iterable[TP]) -> None:
    """What the driver keeps in the place of records is raised by its own method."""
    for tp in set(active):
        if isinstance(fetcher._records.get(tp), FetchError):
            await fetcher.fetched_records({tp}, timeout=0)


class Consumer(driver.Consumer):
    """Claims what the group assigns, reads from where Postgres says, and hands records on in record batches."""

    app: "App"
    _thread: Thread

    _assignments: int = 0
    """Raised by every assignment and revocation, so that a claim which took too long is noticed."""
    _claimable: bool = False

    def _new_consumer_thread(self) -> Thread:
        return Thread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drop the claims before anything else, and let what is in hand be committed.

        Faust stops the flow by itself only where the driver still has an assignment. Where topics were added it has
        none, and would be read on, from Kafka's own offsets, before the partitions are claimed again.
        """
        self._claimable = False
        self._assignments += 1
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        self.app.claims.drop([(tp.topic, tp.partition) for tp in revoked])
        self.app.lanes.forget()
        await self.app.claims.settle(IN_HAND_S)
        await self.app.wait_for_batches(IN_HAND_S)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """From here on :meth:`seek_to_committed` claims; Faust calls it before it fetches."""
        self._assignments += 1
        self._claimable = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Claim every assigned partition for each consumer of its topic, and seek to where they go on; Kafka's own
        offsets are overruled."""
        assignments, partitions = self._assignments, set(self.assignment())
        if not self._claimable or not partitions:
            return {}
        try:
            claims = await self._claim(partitions, lambda: assignments == self._assignments)
        except Exception as exc:  # noqa: BLE001 - without its claims the process must not go on
            await self.app.fail(exc)
            return {}
        if assignments != self._assignments:  # the group changed its mind meanwhile
            self.app.claims.drop([(claim.topic, claim.partition) for claim in claims])
            return {}
        starts = self.app.lanes.begin(assignments, claims)
        positions = {TP(*place): offset for place, offset in starts.items()}
        await self._thread.call_thread(self._seek_all, positions)
        return positions

    async def _seek_all(self, positions: Mapping[TP, int]) -> None:
        """In the thread whose event loop the fetcher runs in: from another one a seek may be lost, or never noticed."""
        consumer = self._thread._ensure_consumer()
        for tp, offset in positions.items():
            if tp in consumer.assignment():
                consumer.seek(tp, offset)

    async def _claim(self, partitions: Iterable[TP], wanted_still: Callable[[], bool]) -> list[Claim]:
        earliest = await self.earliest_offsets(*partitions)
        ends = await self.highwaters(*partitions)
        bounds = {(tp.topic, tp.partition): (earliest[tp], ends[tp]) for tp in partitions}
        return await self.app.claims.take(bounds, wanted_still)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, RecordBatch]]:  # noqa: ASYNC109 - Faust's
        """What the thread has taken, unless the group has changed its mind since: then all is read again from where
        Postgres says, and what was taken before would come amid it, out of order.

        Faust's own asks the driver how far a partition reaches, which a partition that is just being given away does
        not survive, and looks whether the group has changed only after it has waited for the records.
        """
        records, active = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        for tp, cut in self.scheduler.iterate(records):
            if not self.flow_active or cut.taken != self._assignments:
                return
            if active is None or tp in active:
                yield tp, self._to_message(tp, cut)

    @property
    def group(self) -> Any:
        """The driver's task for the group, once there is one."""
        started = self._thread._consumer
        return None if started is None else started._coordinator

    def on_buffer_full(self, tp: TP) -> None:
        """Not Faust's way of holding back, which drops what is fetched of the partition: see :meth:`App.room`."""

    def on_buffer_drop(self, tp: TP) -> None:
        """A queue that was full has room."""
        self.wake()

    def wake(self) -> None:
        """More may be read now than a moment ago."""
        self._thread.wake()

    def _to_message(self, tp: TP, record: Cut) -> RecordBatch:
        return RecordBatch(tp, record, self.app.consumer_generation_id)

    def is_current(self, record_batch: RecordBatch) -> bool:
        """Whether the group has not changed its mind since it was taken. Else it is read again, and may come amid what
        is: a queue, and a batch that is being gathered, outlive a rebalance."""
        return record_batch.taken == self._assignments

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets inside of record batches are no gaps; real ones stop the agent's loop."""

    def _new_offset(self, tp: TP) -> int | None:
        """Where the report to Kafka stands: after the last record acknowledged, because effects are in Postgres, in
        order, before they are."""
        acknowledged = self._acked.pop(tp, None)
        if not acknowledged:
            return None
        self._acked_index.pop(tp, None)
        return max(acknowledged) + 1


class Transport(driver.Transport):
    """The aiokafka driver with our consumer."""

    Consumer = Consumer
