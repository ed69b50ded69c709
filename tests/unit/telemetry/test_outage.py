"""A server that is away is told of when it goes, once a minute, and when it comes back."""

import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from ft.telemetry import outage
from ft.telemetry.outage import Outage

REFUSED = "Unable connect to node with id 1: [Errno 111] Connection refused"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as captured:
        yield captured


def test_a_change_of_state_is_a_line_and_so_is_a_minute(clock: Clock, lines: list[Any]) -> None:
    broker = Outage("broker", clock)

    for _ in range(150):  # five minutes
        broker.away("no answer")
        clock.now += 2
    broker.back()
    broker.back()

    assert [line["event"] for line in lines] == ["broker is away", *["broker is still away"] * 4, "broker is back"]
    assert [line.get("away_s") for line in lines] == [None, 60, 120, 180, 240, 300]


def test_what_clients_say_meanwhile_is_counted_and_their_reason_told(clock: Clock, lines: list[Any]) -> None:
    broker = Outage("broker", clock)

    for _ in range(90):
        broker.suspect(REFUSED)
    broker.away("no answer")
    for _ in range(90 * 59):
        broker.suspect(REFUSED)

    assert [(line["event"], line["error"], line["cause"], line["attempts"]) for line in lines] == [
        ("broker is away", "no answer", REFUSED, 91)
    ]


def test_trouble_that_lasts_although_others_get_answers_is_told_once_a_minute(clock: Clock, lines: list[Any]) -> None:
    broker = Outage("broker", clock)

    for _ in range(200):  # one of several brokers, for a hundred seconds
        broker.suspect(REFUSED)
        broker.back()
        clock.now += 0.5

    assert [line["event"] for line in lines] == ["a connection to the broker fails"] * 2


def test_a_hiccup_is_not_worth_a_line(clock: Clock, lines: list[Any]) -> None:
    broker = Outage("broker", clock)

    for _ in range(10):
        broker.suspect(REFUSED)
        clock.now += 1
    clock.now += 600
    broker.suspect(REFUSED)

    assert lines == []


@pytest.mark.parametrize(
    ("logger", "said", "taken"),
    [
        ("aiokafka", REFUSED, True),
        ("aiokafka.consumer.fetcher", "Failed fetch messages from 1: NodeNotReadyError: node is not ready", True),
        ("aiokafka.consumer.group_coordinator", "Heartbeat failed: local member_id was not recognized", False),
        ("rdkafka", "FAIL [rdkafka#producer-8] Connect to ipv4#127.0.0.1:9 failed: Connection refused", True),
        (
            "rdkafka",
            "FAIL [rdkafka#producer-2] ssl://k:9/bootstrap: SSL handshake failed: error:0A000086:SSL rou",
            True,
        ),
        ("rdkafka", "FAIL [rdkafka#producer-2] sasl_ssl://k:9/bootstrap: SASL SCRAM-SHA-512 mechanism handshake", True),
        ("aiokafka", "[Error 58] Authentication failed during authentication due to invalid credentials", True),
        ("rdkafka", "FAIL [rdkafka#producer-2] message of 7 bytes is too large", False),
        ("psycopg.pool", "error connecting in 'pool-1': connection failed", True),
        ("mode.timers", "Timer commit is overlapping (interval=1.0 runtime=71.5)", False),
        ("somebody", REFUSED, False),
    ],
)
def test_only_what_clients_say_of_connecting_is_taken(logger: str, said: str, taken: bool) -> None:
    record = logging.LogRecord(logger, logging.ERROR, "", 0, said, (), None)

    assert outage.takes(record) == taken
