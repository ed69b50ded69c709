"""Progress: an agent that hangs, and a partition that is starved while others are read."""

from ft.streams.worker.fence import Claim
from ft.streams.worker.progress import Progress, Standstill


def claim(next_offset: int = 0, epoch: int = 1, partition: int = 0, topic: str = "t") -> Claim:
    return Claim(consumer="c", topic=topic, partition=partition, epoch=epoch, next_offset=next_offset, next_seq=1)


def test_a_claim_that_stands_still_while_records_wait_hangs() -> None:
    progress, held = Progress(60.0), claim()

    assert progress.look({held: 5}, 0.0) == Standstill()
    assert progress.look({held: 5}, 59.0) == Standstill()
    assert progress.look({held: 5}, 60.0) == Standstill(hung=held)


def test_a_claim_without_waiting_records_never_hangs() -> None:
    progress, held = Progress(60.0), claim(next_offset=5)

    assert progress.look({held: 5}, 0.0) == Standstill()
    assert progress.look({held: 5}, 600.0) == Standstill()
    assert progress.look({held: 6}, 601.0) == Standstill()
    assert progress.look({held: 6}, 659.0) == Standstill()


def test_progress_begins_the_time_anew() -> None:
    progress, held = Progress(60.0), claim()
    progress.look({held: 5}, 0.0)
    held.next_offset = 1

    assert progress.look({held: 5}, 61.0) == Standstill()
    assert progress.look({held: 5}, 120.0) == Standstill()
    assert progress.look({held: 5}, 121.0) == Standstill(hung=held)


def test_a_new_claim_begins_the_time_anew() -> None:
    progress = Progress(60.0)
    progress.look({claim(): 5}, 0.0)

    assert progress.look({claim(epoch=2): 5}, 61.0) == Standstill()


def test_time_without_a_broker_is_forgiven() -> None:
    progress, held = Progress(60.0), claim()
    progress.look({held: 5}, 0.0)

    progress.forgive()

    assert progress.look({held: 5}, 61.0) == Standstill()
    assert progress.look({held: 5}, 121.0) == Standstill(hung=held)


def test_a_partition_that_stands_still_while_another_of_its_agent_moves_is_starved_and_hangs_nothing() -> None:
    progress, still, other = Progress(60.0), claim(), claim(partition=1)

    for now in range(0, 121, 20):
        other.next_offset = now
        found = progress.look({still: 5, other: 1000}, float(now))
        assert found == Standstill(starved=(still,) if now >= 60 else ())


def test_an_agent_none_of_whose_partitions_move_hangs_though_another_agent_works() -> None:
    progress, still, empty, other = Progress(60.0), claim(), claim(partition=1), claim(topic="u")

    for now in range(0, 61, 20):
        other.next_offset = now
        found = progress.look({still: 5, empty: 0, other: 1000}, float(now))
        assert found == Standstill(hung=still if now >= 60 else None)


def test_an_agent_that_stops_while_a_partition_is_starved_hangs_after_the_whole_patience() -> None:
    progress, still, other = Progress(60.0), claim(), claim(partition=1)
    progress.look({still: 5, other: 5}, 0.0)
    other.next_offset = 5
    progress.look({still: 5, other: 5}, 50.0)

    assert progress.look({still: 5, other: 5}, 100.0) == Standstill(starved=(still,))
    assert progress.look({still: 5, other: 5}, 110.0) == Standstill(hung=still)


def test_a_topic_that_is_held_back_does_not_wait_for_its_agent() -> None:
    progress, held = Progress(60.0), claim()

    for now in (0.0, 60.0, 120.0):
        assert progress.look({held: 5}, now, held_back={("c", "t")}) == Standstill()
    assert progress.look({held: 5}, 179.0) == Standstill()
    assert progress.look({held: 5}, 180.0) == Standstill(hung=held)
