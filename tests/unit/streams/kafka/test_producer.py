"""What is left of a producer that nobody holds any more."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from ft.config import Config
from ft.streams.kafka.outbox import Outbox
from ft.streams.kafka.producer import Producer

_NOWHERE: Final = Config(home=Path("h"), cache=Path("c"), addresses={"FT_KAFKA": "127.0.0.1:9"})
_WITHIN_S: Final = 20.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are counted by /proc")


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("make", [Producer, Outbox, lambda where: Producer(where, offsets=True)])
@pytest.mark.usefixtures("no_collector")
def test_it_takes_its_threads_with_it_whatever_it_had_to_send(make: Callable[[Config], Producer | Outbox]) -> None:
    before = _threads()
    producer = make(_NOWHERE)
    producer.send("topic", 0, b"record")
    assert _threads() > before

    del producer

    deadline = time.monotonic() + _WITHIN_S
    while _threads() > before:
        assert time.monotonic() < deadline, f"{_threads()} threads of librdkafka, {before} before"
        time.sleep(0.01)


def _threads() -> int:
    return sum(_name(thread).startswith("rdk:") for thread in Path("/proc/self/task").glob("*/comm"))


def _name(thread: Path) -> str:
    """Empty where it has ended since it was listed."""
    try:
        return thread.read_text()
    except OSError:
        return ""
