"""What the driver's thread has taken is handed on under the assignment that it was taken under, or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from ft.streams.worker.consumer import Consumer
from ft.streams.worker.record_batches import Cut, RecordBatch

A, B = TP("t", 0), TP("t", 1)


@dataclass
class Record:
    offset: int
    timestamp: int = 0
    timestamp_type: int = 0
    value: bytes = b""


def cut(offset: int, taken: int) -> Cut:
    return Cut([Record(offset)], taken)


class Fed(Consumer):
    """A consumer whose thread has taken some records; nothing else of it runs."""

    def __init__(self, records: Mapping[TP, Sequence[Cut]], *, flows: bool = True) -> None:
        self.records = records
        self.flow_active = flows
        self.scheduler = DefaultSchedulingStrategy()  # type: ignore[abstract]
        self.sought = 0
        self._assignments = 3

    @property
    def should_stop(self) -> bool:
        return False

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's
        return self.records, {A, B}

    def _to_message(self, tp: TP, record: Cut) -> RecordBatch:
        return RecordBatch(tp, record, 1)

    async def perform_seek(self) -> None:
        self.sought += 1


async def handed_on(consumer: Fed) -> list[tuple[TP, int]]:
    return [(tp, record_batch.offset) async for tp, record_batch in consumer.getmany(1.0)]


async def test_records_are_handed_on_in_the_order_of_their_partitions() -> None:
    found = await handed_on(Fed({A: [cut(1, 3), cut(2, 3)], B: [cut(7, 3)]}))

    assert [offset for tp, offset in found if tp == A] == [1, 2]
    assert [offset for tp, offset in found if tp == B] == [7]


async def test_what_was_taken_before_the_group_changed_its_mind_is_read_again_instead() -> None:
    assert await handed_on(Fed({A: [cut(190, 2)], B: [cut(7, 2)]})) == []


async def test_the_rest_of_what_was_taken_goes_once_the_group_changes_its_mind() -> None:
    consumer = Fed({A: [cut(1, 3), cut(2, 3), cut(3, 3)]})
    found = []
    async for _, record_batch in consumer.getmany(1.0):
        found.append(record_batch.offset)
        consumer._assignments += 1

    assert found == [1]


async def test_where_nothing_flows_the_partitions_are_sought_anew() -> None:
    consumer = Fed({A: [cut(1, 3)]}, flows=False)

    assert await handed_on(consumer) == []
    assert consumer.sought == 1


class Recorded:
    """What a revocation asks of the app, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.claims = self.flow_control = self.lanes = self

    def drop(self, partitions: object) -> None:
        self.done.append("claims dropped")

    def suspend(self) -> None:
        self.done.append("queues suspended")

    def clear(self) -> None:
        self.done.append("queues cleared")

    def forget(self) -> None:
        self.done.append("lanes emptied")

    async def settle(self, timeout_s: float) -> None:
        self.done.append("claims settled")

    async def wait_for_batches(self, timeout_s: float) -> None:
        self.done.append("batches done")


async def test_every_rebalance_stops_the_flow_also_where_the_driver_has_no_assignment_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer, app = Fed({}), Recorded()
    monkeypatch.setattr(consumer, "app", app, raising=False)
    monkeypatch.setattr(consumer, "stop_flow", lambda: app.done.append("flow stopped"), raising=False)

    async def faust_does_nothing(*_: object) -> None:
        """As it does where there is no assignment."""

    monkeypatch.setattr("faust.transport.drivers.aiokafka.Consumer.on_partitions_revoked", faust_does_nothing)

    await consumer.on_partitions_revoked({A})

    assert app.done[:3] == ["flow stopped", "queues suspended", "queues cleared"]
    assert app.done[3:] == ["claims dropped", "lanes emptied", "claims settled", "batches done"]
    assert not consumer.is_current(RecordBatch(A, cut(1, 3), 1))
