"""Room: events that were sent and not applied are counted, and no more are sent than there is room for."""

import asyncio

import pytest

from ft.streams.worker.room import EVENTS_MIN, PAIR_MAX, Room


def full_of(*records: int, most: int = 10_000) -> Room:
    """So many events of each record lie before the ledger."""
    room = Room()
    room.most = most
    for position, events in enumerate(records):
        room.send(position, events)
    return room


def test_it_closes_once_what_was_sent_fills_it_and_a_record_is_sent_whole() -> None:
    room = full_of(9_999)
    assert room.is_open()

    room.send(1, 5_000)

    assert not room.is_open()
    assert room.before_ledger == 14_999


def test_one_record_counts_as_much_as_its_events() -> None:
    assert full_of(*[0] * 1_000).is_open()
    assert full_of(*[10] * 999).is_open()
    assert not full_of(10_000).is_open()


def test_what_the_ledger_has_applied_is_free_again_once_that_is_a_quarter() -> None:
    room = full_of(*[1_000] * 10)

    seen = []
    for position in range(4):
        seen.append(room.is_open())
        room.apply(position)

    assert seen == [False, False, False, True]


def test_the_ledger_applies_what_lies_up_to_its_position() -> None:
    room = full_of(7, 0, 5, 3)

    seen = []
    for position in (-1, 0, 1, 2, 3, 9):
        room.apply(position)
        seen.append(room.before_ledger)

    assert seen == [15, 8, 8, 3, 0, 0]


def test_a_record_that_is_sent_again_counts_once() -> None:
    room = full_of(7, 5)
    room.send(0, 7)
    room.send(1, 5)

    assert room.before_ledger == 12


def test_it_begins_empty_after_another_claim_with_little_room() -> None:
    room = full_of(7, 5)
    room.begin(40)
    room.send(40, 9)

    assert (room.before_ledger, room.most, room.is_open()) == (0, EVENTS_MIN, True)
    room.send(41, EVENTS_MIN)
    assert not room.is_open()


@pytest.mark.parametrize(("events", "least"), [
    (10, EVENTS_MIN),
    (5_000, 10_000),
    (100_000, PAIR_MAX),
])  # fmt: skip
def test_two_usual_records_have_room_whatever_the_rate_unless_they_are_huge(events: int, least: int) -> None:
    room = Room()
    for position in range(100):
        room.send(position, events)

    assert room.least == pytest.approx(least, rel=0.01)


async def test_who_waits_for_room_is_told_once_there_is_some() -> None:
    room = full_of(10_000)
    waiting = asyncio.create_task(room.opens(lambda: True))
    await asyncio.sleep(0)
    assert not waiting.done()

    room.apply(0)

    assert await asyncio.wait_for(waiting, 5.0)


async def test_who_is_not_wanted_any_more_waits_for_no_room() -> None:
    assert not await asyncio.wait_for(full_of(10_000).opens(lambda: False), 5.0)
    assert await Room().opens(lambda: False)
