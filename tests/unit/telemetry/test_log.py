"""One event is one line, whoever tells it; a terminal shows what came from elsewhere, and does not obey it."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from ft.config import Config
from ft.telemetry import log
from tests.unit.pages import CHECKOUT

_TELLS: Final = {
    "a print": "print('said', file=sys.stderr)",
    "a print in pieces": "sys.stderr.write('sa'); sys.stderr.write('id\\n')",
    "a warning": "warnings.warn('said', UserWarning)",
    "a library": "logging.getLogger('somebody').warning('said %s', 1)",
    "a library's traceback": "try: 1 / 0\nexcept Exception: logging.getLogger('somebody').exception('said')",
    "our traceback": "try: 1 / 0\nexcept Exception: structlog.get_logger('ft').exception('said')",
    "a thread that fails": "import threading; t = threading.Thread(target=fail); t.start(); t.join()",
    "an error that cannot be raised": "class X:\n  def __del__(self): fail()\nX()",
    "an end that nobody foresaw": "fail()",
    "a loop that cannot tell": "import asyncio\nasync def main(): asyncio.get_running_loop().call_soon(fail); "
    "await asyncio.sleep(0.01)\nasyncio.run(main())",
    "a program that refuses": "import click; click.echo('Error: said', err=True)",
    "half a character": "structlog.get_logger('ft').warning('said', path='\\udcff')",
}
_PROGRAM: Final = """
import logging, sys, warnings
import structlog
from ft.config import Config
from ft.telemetry.takeover import take_over
def fail():
    raise ValueError("said in vain")
take_over(Config.from_env())
exec(sys.argv[1])
"""


def told(code: str, **environment: str) -> str:
    """What a program says on stderr."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, code],
        env={"FT_HOME": "x", "FT_LOG_FORMAT": "json", "PYTHONPATH": str(CHECKOUT), **environment},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stderr


@pytest.mark.parametrize("code", _TELLS.values(), ids=_TELLS)
def test_whatever_is_said_is_one_json_object(code: str) -> None:
    (line,) = told(code).splitlines()

    entry = json.loads(line)
    assert "said" in entry["event"] + entry.get("error", "") + entry.get("exception", "")
    assert {"timestamp", "level", "logger"} <= set(entry)
    assert ("Traceback" in line) == ("Traceback" in entry.get("exception", ""))


def test_a_component_has_a_level_of_its_own() -> None:
    code = "for name in ('one', 'two', 'two.below', 'aiokafka'):\n for level in (10, 20, 30): "
    code += "logging.getLogger(name).log(level, '%s %s', name, level); "
    code += "getattr(structlog.get_logger(name), {10: 'debug', 20: 'info', 30: 'warning'}[level])(f'{name} {level}')"

    said = [json.loads(line)["event"] for line in told(code, FT_LOG_LEVEL="info,two=debug,one=warning").splitlines()]

    wanted = ["one 30", "two 10", "two 20", "two 30", "two.below 10", "two.below 20", "two.below 30", "aiokafka 30"]
    # The second of each is our own line, for which a library's quiet does not hold less.
    assert said == [each for line in wanted for each in (line, line)]


def test_lines_of_a_kind_are_sampled_and_counted() -> None:
    code = "log = structlog.get_logger('ft')\nfor n in range(500): log.info('often', n=n)\n"
    code += "for n in range(20): log.error('failed', n=n)\nimport time; time.sleep(1.1); log.info('often', n=500)"

    entries = [json.loads(line) for line in told(code, FT_LOG_SAMPLE="10").splitlines()]

    often = [entry for entry in entries if entry["event"] == "often"]
    assert len([entry for entry in entries if entry["event"] == "failed"]) == 20
    assert len(often) + sum(entry.get("unsaid", 0) for entry in often) == 501
    assert len(often) <= 31


@pytest.fixture
def configured() -> Iterator[Any]:
    before = structlog.get_config()
    yield lambda form: log.configure(Config(home=Path("h"), cache=Path("c"), addresses={}, log_format=form))
    structlog.configure(**before)


_HOSTILE: Final = [
    ("/\x1b[31mRED\x1b]0;owned\x07", r"/\x1b[31mRED\x1b]0;owned\x07"),
    ("/a\nb\r", r"/a\nb\r"),
    ("/\x9b31m", r"/\x9b31m"),
    ("/\u202ereversed", r"/\u202ereversed"),
    ("/é ok", "/é ok"),
]


@pytest.mark.parametrize(("text", "shown"), _HOSTILE)
@pytest.mark.parametrize("where", ["a value", "a list", "the event", "a name", "a traceback"])
def test_what_is_not_printable_is_escaped_on_a_terminal(
    where: str, text: str, shown: str, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    configured("console")
    logger = structlog.get_logger("test")

    match where:
        case "a value":
            logger.info("request", path=text)
        case "a list":
            logger.info("request", paths=[text])
        case "the event":
            logger.info(text)
        case "a name":
            logger.info("request", **{text: 1})
        case _:
            logger.error("failed", exc_info=ValueError(text))

    printed = stderr.getvalue().replace("\n", "")
    assert printed.isprintable()
    assert shown.replace(r"\n", "") in printed.replace(r"\\", "\\").replace(r"\n", "")


@pytest.mark.parametrize("text", [text for text, _ in _HOSTILE])
def test_json_holds_what_there_was_and_nothing_that_a_terminal_obeys(
    text: str, configured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    configured("json")

    structlog.get_logger("test").info("request", path=text)

    line = stderr.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert json.loads(line)["path"] == text
