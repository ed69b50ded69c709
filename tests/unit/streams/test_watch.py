"""Progress of claims: who stands still while records wait."""

from ft.streams.checkpoint import Claim
from ft.streams.watch import Progress


def claim(next_offset: int = 0, epoch: int = 1) -> Claim:
    return Claim(consumer="c", topic="t", partition=0, epoch=epoch, next_offset=next_offset, next_seq=1)


def test_a_claim_that_stands_still_while_records_wait_is_stalled() -> None:
    progress, held = Progress(60.0), claim()

    assert progress.stalled({held: 5}, 0.0) is None
    assert progress.stalled({held: 5}, 59.0) is None
    assert progress.stalled({held: 5}, 60.0) is held


def test_a_claim_without_waiting_records_is_never_stalled() -> None:
    progress, held = Progress(60.0), claim(next_offset=5)

    assert progress.stalled({held: 5}, 0.0) is None
    assert progress.stalled({held: 5}, 600.0) is None
    assert progress.stalled({held: 6}, 601.0) is None
    assert progress.stalled({held: 6}, 659.0) is None


def test_progress_begins_the_time_anew() -> None:
    progress, held = Progress(60.0), claim()
    progress.stalled({held: 5}, 0.0)
    held.next_offset = 1

    assert progress.stalled({held: 5}, 61.0) is None
    assert progress.stalled({held: 5}, 120.0) is None
    assert progress.stalled({held: 5}, 121.0) is held


def test_a_new_claim_begins_the_time_anew() -> None:
    progress = Progress(60.0)
    progress.stalled({claim(): 5}, 0.0)

    assert progress.stalled({claim(epoch=2): 5}, 61.0) is None
