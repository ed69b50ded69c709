"""Heads that wait for their place among the rows: which of them are announced, and when."""

from ft.agents.ledger.posting import NetworkHead
from ft.agents.ledger.validated_input import Head
from ft.agents.publish.heads import Heads
from ft.streams.worker.fence import Claim


def claim(partition: int = 0, epoch: int = 1, times: int = 1) -> Claim:
    return Claim(consumer="ledger", topic="t", partition=partition, epoch=epoch, next_offset=0, next_seq=1, times=times)


def head(
    number: int, after: int, network: str = "n", partition: int = 0, epoch: int = 1, times: int = 1
) -> NetworkHead:
    return NetworkHead(partition, network, Head(number), 0, number, after, (epoch, times))


def test_a_head_stands_behind_its_row_and_nowhere_else() -> None:
    heads = Heads()
    heads.offer([head(5, after=3), head(5, after=3, network="other"), head(5, after=3, partition=1)])

    assert heads.standing_at(claim(), 2) == heads.standing_at(claim(), 4) == []
    assert [at.network for at in heads.standing_at(claim(), 3)] == ["n", "other"]


def test_of_those_that_wait_the_first_and_the_newest_are_kept() -> None:
    heads = Heads()
    for number in range(1, 6):
        heads.offer([head(number, after=number)])

    assert [at.head.number for seq in range(1, 6) for at in heads.standing_at(claim(), seq)] == [1, 5]


def test_of_two_behind_one_row_the_newer_is_kept() -> None:
    heads = Heads()
    heads.offer([head(1, after=3)])
    heads.offer([head(2, after=3)])

    assert [at.head.number for at in heads.standing_at(claim(), 3)] == [2]


def test_what_was_sent_or_passed_by_waits_no_more_and_what_was_offered_meanwhile_does() -> None:
    heads = Heads()
    heads.offer([first := head(1, after=3)])
    heads.offer([second := head(2, after=5)])

    heads.sent([first])

    assert heads.standing_at(claim(), 3) == []
    assert heads.standing_at(claim(), 5) == [second]
    heads.forget_before(0, 6)
    assert not heads.waits(0)


def test_what_was_said_under_another_claim_is_old() -> None:
    heads = Heads()
    heads.offer([head(1, after=3)])

    assert heads.standing_at(claim(epoch=2), 3) == heads.standing_at(claim(times=2), 3) == []


def test_partitions_that_are_held_no_more_are_forgotten() -> None:
    heads = Heads()
    heads.offer([head(1, after=3), head(1, after=3, partition=1)])

    heads.keep({1})

    assert [heads.waits(partition) for partition in (0, 1)] == [False, True]
