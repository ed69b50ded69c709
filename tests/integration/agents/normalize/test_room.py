"""What there is no room for before the ledger is not sent, and nothing of it takes effect."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ft.streams.worker.room import REVERT_EVENTS, Room
from tests.integration.agents.normalize.conftest import Normalizer
from tests.integration.agents.normalize.rawtopic import (
    NETWORK,
    RawTopic,
    appends,
    claim,
    events_of,
    expected_events,
    revert,
)
from tests.synthetic.chain import Chain

LOGS = 10
DEAD = "SELECT count(*) FROM system.dlq"


@pytest.fixture
async def paced(raw: RawTopic) -> AsyncIterator[Normalizer]:
    made = Normalizer(raw, "one", Room())
    await made.take_over()
    yield made
    await made.hop.stop()


def room_of(normalizer: Normalizer) -> Room:
    assert normalizer.hop._room is not None
    return normalizer.hop._room


async def write_blocks(raw: RawTopic, normalizer: Normalizer) -> Chain:
    """The first block is normalized; four more and a record that nobody can read lie behind it."""
    chain = Chain(seed=7, network=NETWORK, logs=LOGS, contracts=12)
    await raw.write(*appends(chain, 1, lease=0, first=True, finalized=100))
    await normalizer.run()
    await raw.write(*appends(chain, 4, lease=0, finalized=100), b"?")
    return chain


async def test_records_are_sent_as_far_as_their_events_have_room(raw: RawTopic, paced: Normalizer) -> None:
    chain = await write_blocks(raw, paced)
    room = room_of(paced)
    room.most = 2 * LOGS

    running = asyncio.create_task(paced.run())
    await raw.until(lambda: raw.next_offset() == 2)
    first = events_of(raw.read_once())
    room.apply(1)
    await raw.until(lambda: raw.next_offset() == 4)
    second, dead, held_back = events_of(raw.read_once()), raw.rows(DEAD), not running.done()
    room.apply(3)
    await asyncio.wait_for(running, 30.0)

    assert (first, second) == (expected_events(chain.blocks[:2]), expected_events(chain.blocks[:4]))
    assert (dead, held_back) == ([(0,)], True)
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert (raw.next_offset(), raw.rows(DEAD)) == (6, [(1,)])


async def test_who_waits_for_room_stops_once_the_partition_is_given_away(raw: RawTopic, paced: Normalizer) -> None:
    await write_blocks(raw, paced)
    room_of(paced).most = 0

    running = asyncio.create_task(paced.run())
    await asyncio.sleep(0)
    paced.claims.drop([(raw.topic, 0)])
    await asyncio.wait_for(running, 30.0)

    assert raw.next_offset() == 1


async def test_a_retraction_takes_room_too(raw: RawTopic, paced: Normalizer) -> None:
    chain = Chain(seed=7, network=NETWORK, logs=LOGS, contracts=12)
    await raw.write(claim(), *appends(chain, 2, lease=0, first=True))
    await raw.write(*(revert(block, 0) for block in chain.undo(1)))

    await paced.run()

    assert room_of(paced).before_ledger == 2 * LOGS + REVERT_EVENTS
