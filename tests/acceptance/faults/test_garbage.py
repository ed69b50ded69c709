"""Garbage on the topics: each piece is a dead letter with its reason, and everything else goes on."""

from dataclasses import replace
from typing import Final

import pytest

from ft.schemas.events import DeadLetter, NormalizedBatch, RawBlock, from_record, to_record
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.synthetic.chain import Chain, append
from tests.synthetic.rawlog import RawLog

SEED: Final = 20260105
UNKNOWN_ID: Final = b"\x00\x7f\xff\xff\xf0" + b"anything"
_LETTERS: Final = 'SELECT consumer, topic, partition, "offset", reason, payload FROM system.dlq ORDER BY 1, 3, 4'


def chain() -> Chain:
    return Chain(seed=SEED, network=NETWORK, logs=50, contracts=40)


@pytest.mark.timeout(300)
def test_garbage_on_normalized_is_put_aside_and_the_partition_goes_on(world: World) -> None:
    topic = world.topics.normalized
    codec = world.codec_of("normalized_batch", topic)
    far = NormalizedBatch(network=NETWORK, op="explode", position=2**40, partition=0)
    good = codec.encode(to_record(far))
    garbage = [b"", b"not avro at all", UNKNOWN_ID, good[: len(good) // 2], good + b"more", good]
    log = RawLog(chain())
    log.claim()
    log.follow(20)
    middle = len(log.records)
    log.reorg(4)
    log.follow(20)
    records = world.encoded(log.records)
    with supervised(world.config) as workers, world.connect() as conn:
        world.write(records[:middle])
        workers.until(lambda: world.caught_up(conn), "the blocks before the garbage", 90)
        for partition in range(PARTITIONS):
            world.send(topic, partition, garbage)
        world.write(records[middle:])
        workers.until(lambda: world.caught_up(conn), "the blocks after the garbage", 90)
        letters = conn.execute(_LETTERS).fetchall()

    for partition in range(PARTITIONS):
        mine = [(letter[4], bytes(letter[5])) for letter in letters if letter[2] == partition]
        assert [payload for _, payload in mine] == garbage
        assert all(reason for reason, _ in mine)
    print(sorted({letter[4] for letter in letters}))
    assert {letter[:2] for letter in letters} == {("ledger", topic)}
    assert workers.exits == []
    require_exactly_once(world, log.chain, dead_letters=len(garbage) * PARTITIONS)


@pytest.mark.timeout(300)
def test_garbage_on_raw_is_a_dead_letter_and_the_network_goes_on(world: World) -> None:
    log = RawLog(chain())
    log.claim()
    log.follow(20)
    head = log.chain.blocks[-1]
    good = world.encoded([append(head, NETWORK, lease=log.lease)])[0]
    bad: list[RawBlock | bytes] = [
        b"",
        b"not avro at all",
        UNKNOWN_ID,
        good[: len(good) // 2],
        RawBlock(network=NETWORK, op="explode", height=5),
        replace(append(head, "elsewhere"), finalized=2**40),
        append(replace(head, number=10**6, hash="0x" + "e" * 64), NETWORK, finalized=2**40),  # no parent
    ]
    spoilt = {len(log.records) + index: value for index, value in enumerate(bad)}
    log.records += [RawBlock(network=NETWORK, op="") for _ in bad]  # their places
    log.reorg(4)
    log.follow(20)
    world.write([_value(world, spoilt.get(offset, record)) for offset, record in enumerate(log.records)])
    with supervised(world.config) as workers, world.connect() as conn:
        workers.until(lambda: world.caught_up(conn), "the blocks around the garbage", 120)
        letters = conn.execute(_LETTERS).fetchall()

    assert [letter[3] for letter in letters] == sorted(spoilt)
    assert {letter[:2] for letter in letters} == {("normalize", world.raw)}
    codec = world.codec_of("dead_letter", world.topics.dead_letter)
    announced = [from_record(DeadLetter, codec.decode(value)) for value in world.read(world.topics.dead_letter, 0)]
    assert sorted((a.offset, a.reason, a.payload) for a in announced) == [(r[3], r[4], bytes(r[5])) for r in letters]
    print(sorted({letter[4] for letter in letters}))
    assert workers.exits == []
    require_exactly_once(world, log.chain, dead_letters=len(bad))


def _value(world: World, record: RawBlock | bytes) -> bytes:
    return record if isinstance(record, bytes) else world.encoded([record])[0]
