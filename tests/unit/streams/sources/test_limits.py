"""How often a provider is asked, on a clock that only the test moves."""

import pytest

from ft.streams.kafka.backpressure import Backpressure
from ft.streams.sources.limits import Breaker, TokenBucket, backoff_s, rate_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_lets_a_seconds_worth_through_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(10, Clock())

    waits = [bucket.take(1) for _ in range(13)]

    assert waits[:10] == [0.0] * 10
    assert waits[10:] == pytest.approx([0.1, 0.2, 0.3])


def test_a_bucket_fills_again_up_to_a_seconds_worth() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    bucket.take(10)

    clock.now += 60

    assert bucket.take(10) == 0.0
    assert bucket.take(5) == pytest.approx(0.5)


def test_a_batch_larger_than_the_bucket_passes_and_makes_the_next_wait() -> None:
    bucket = TokenBucket(10, Clock())

    assert bucket.take(30) == pytest.approx(2.0)
    assert bucket.take(1) == pytest.approx(2.1)


def test_rate_zero_is_no_limit() -> None:
    assert TokenBucket(0, Clock()).take(1_000_000) == 0.0


@pytest.mark.parametrize("host", ["127.0.0.1:8545", "127.8.9.1", "localhost:1", "anvil.localhost", "[::1]:8545"])
def test_a_node_on_loopback_is_asked_without_limit(host: str) -> None:
    assert rate_of(f"http://user:word@{host}/key", None) == 0


@pytest.mark.parametrize("host", ["node.example", "10.0.0.7", "localhost.example", "[::2]", "128.0.0.1"])
def test_a_node_elsewhere_is_asked_fifty_times_a_second(host: str) -> None:
    assert rate_of(f"https://{host}/127.0.0.1", None) == 50


@pytest.mark.parametrize("stated", [0.0, 7.0])
def test_a_stated_rate_counts_everywhere(stated: float) -> None:
    assert rate_of("http://127.0.0.1:8545", stated) == rate_of("https://node.example", stated) == stated


def test_time_in_which_several_requests_were_held_back_counts_once() -> None:
    clock = Clock()
    bucket = TokenBucket(10, clock)
    bucket.take(10)
    for _ in range(5):
        bucket.take(2)

    clock.now += 0.6
    assert bucket.held_s() == pytest.approx(0.6)
    clock.now += 100
    assert bucket.held_s() == pytest.approx(1.0)


def test_nothing_was_held_back_where_all_went_at_once() -> None:
    clock = Clock()
    bucket, unlimited = TokenBucket(10, clock), TokenBucket(0, clock)
    for _ in range(50):
        bucket.take(1)
        unlimited.take(1_000)
        clock.now += 0.1

    assert (bucket.held_s(), unlimited.held_s()) == (0, 0)


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_trial_through() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures_max=3, rest_s=30)
    breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allow()
        breaker.failed()

    assert not breaker.allow()
    clock.now += 30
    assert breaker.allow()
    assert not breaker.allow(), "one trial at a time"


def test_a_trial_that_fails_opens_the_breaker_again_and_one_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures_max=1, rest_s=30)
    breaker.failed()

    clock.now += 30
    assert breaker.allow()
    breaker.failed()
    assert breaker.wait_s() == 30
    clock.now += 30
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.allow()
    assert breaker.allow()


def test_a_pause_that_the_provider_asked_for_is_kept_and_is_no_failure() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures_max=1)

    breaker.pause(7)

    assert not breaker.allow()
    clock.now += 7
    assert breaker.allow()
    assert breaker.allow()


def test_backoff_doubles_to_a_minute_less_a_quarter_at_most() -> None:
    assert [backoff_s(n, jitter=lambda: 0.0) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_s(3, jitter=lambda: 1.0) == 6.0
    assert backoff_s(10_000) <= 60


def test_beside_a_follower_two_seconds_of_the_ledgers_work_may_be_unread() -> None:
    clock = Clock()
    pace = Backpressure(clock)
    pace.observe(0, 1_000)

    clock.now += 1.0
    pace.observe(100, 1_000)

    assert pace.rate == 100
    assert pace.may_append(800, 999)
    assert not pace.may_append(800, 1_000)


def test_a_ledger_that_stands_still_stops_a_backfill_and_an_idle_one_does_not() -> None:
    clock = Clock()
    idle, stuck = Backpressure(clock), Backpressure(clock)
    for position, pace in ((1_000, idle), (0, stuck)):
        pace.observe(position, 1_000)
        clock.now += 1.0
        pace.observe(position, 1_000)

    assert idle.may_append(1_000, 1_000)
    assert not stuck.may_append(0, 1_000)
