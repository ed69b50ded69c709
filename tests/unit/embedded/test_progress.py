"""Whoever waits is told what for: no silence of more than two seconds, here made shorter."""

import io
import threading
import time

import pytest

from ft.embedded import progress
from ft.embedded.progress import Lines


class Out(io.StringIO):
    """Lets a test wait until something was written."""

    def __init__(self) -> None:
        super().__init__()
        self._written = threading.Condition()

    def flush(self) -> None:
        with self._written:
            self._written.notify_all()

    def has(self, lines: int) -> list[str]:
        with self._written:
            assert self._written.wait_for(lambda: len(self.getvalue().splitlines()) >= lines, timeout=10)
        return self.getvalue().splitlines()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SILENCE_S", 0.02)


def test_what_is_quick_is_not_told() -> None:
    out = Out()

    with Lines(out).doing("waiting for kafka"):
        pass

    assert out.getvalue() == ""


@pytest.mark.usefixtures("impatient")
def test_what_takes_long_is_told_again_and_again_and_not_any_more_once_it_is_over() -> None:
    out, threads = Out(), threading.active_count()

    with Lines(out).doing("waiting for kafka"):
        told = out.has(3)

    assert set(told) == {"  waiting for kafka: 0 s"}
    assert threading.active_count() == threads, "nobody is left who could tell"


@pytest.mark.usefixtures("impatient")
def test_all_that_is_done_side_by_side_stands_in_one_line_in_the_words_of_now() -> None:
    out = Out()
    lines = Lines(out)

    with lines.doing("reading") as now, lines.doing("waiting for kafka"):
        now("block 7")
        told = out.has(1)

    assert told[0] == "  block 7: 0 s, waiting for kafka: 0 s"


def test_a_line_that_was_said_breaks_the_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SILENCE_S", 0.5)
    out = Out()
    lines = Lines(out)

    with lines.doing("waiting for kafka"):
        for number in range(8):
            time.sleep(0.1)
            lines.say(str(number))

    assert out.getvalue().splitlines() == [str(number) for number in range(8)]


@pytest.mark.usefixtures("impatient")
def test_a_download_that_stands_still_is_told_of() -> None:
    out = Out()

    with Lines(out).download("kafka.jar", 100) as count:
        count(1)
        told = out.has(2)

    assert told[0] == "  kafka.jar: 0 s"


def test_an_error_within_is_passed_on() -> None:
    with pytest.raises(OSError, match="away"), Lines(Out()).doing("waiting"):
        raise OSError("away")
