"""A terminal shows what came from elsewhere, and does not obey it."""

import io
from pathlib import Path

import pytest
import structlog

from ft.api import log
from ft.config import Config


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/\x1b[31mRED\x1b]0;owned\x07", r"/\x1b[31mRED\x1b]0;owned\x07"),
        ("/a\nb\r", r"/a\nb\r"),
        ("/\x9b31m", r"/\x9b31m"),
        ("/\u202ereversed", r"/\u202ereversed"),
        ("/é ok", "/é ok"),
    ],
)
def test_what_is_not_printable_is_escaped_on_a_terminal(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    before = structlog.get_config()
    try:
        log.configure(Config(home=Path("h"), cache=Path("c"), addresses={}, log_format="console"))
        structlog.get_logger("test").info("request", path=text)
    finally:
        structlog.configure(**before)

    assert shown in stderr.getvalue()
    assert text == shown or text not in stderr.getvalue()
