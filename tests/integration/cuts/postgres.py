"""Cuts a connection to Postgres at a message: before it arrives, in its middle, or before its reply is heard."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ft.config import Config
from tests.integration.cuts.wire import CutOff, Proxy

Where = Literal["unsent", "halfway", "unanswered"]
COPY = "\x00copy"
"""The data of a COPY, as what to cut at."""


@dataclass
class Cut:
    """At the ``nth`` message of an application that says ``at``. ``done``: it happened."""

    application: str
    at: str
    where: Where
    nth: int = 1
    done: bool = False
    left: int = field(default=0)

    def __post_init__(self) -> None:
        self.left = self.nth

    def __str__(self) -> str:
        return f"{self.application}: {self.at.strip(chr(0))!r} number {self.nth} {self.where}"


@dataclass
class Wire:
    """What went through, and where to cut next."""

    cut: Cut | None = None
    said: list[tuple[str, str]] = field(default_factory=list)
    """Application and text of each statement; '' where a connection begins, 'cut' where one was cut."""

    def first_words_after_the_cut(self) -> list[str]:
        """What the application whose connection was cut said then."""
        assert self.cut is not None
        mine = [text for application, text in self.said if application.startswith(self.cut.application)]
        return mine[mine.index("cut") + 1 :]


class _Talk:
    """One connection's messages: a type and a length, except the first."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._application: str | None = None
        self._swallowing = False

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        if self._application is None:
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length) - 4)
            words = body[4:].split(b"\0")
            options = dict(zip(words[::2], words[1::2], strict=False))
            self._application = options.get(b"application_name", b"").decode()
            self._wire.said.append((self._application, ""))
            return length + body
        head, body = await _message(reader)
        return self._look(head[:1], body, head + body)

    async def read_reply(self, reader: asyncio.StreamReader) -> bytes:
        head, body = await _message(reader)
        if not self._swallowing:
            return head + body
        if head[:1] == b"Z":  # the server is ready for the next query: this one is done
            raise CutOff
        return b""

    def _look(self, kind: bytes, body: bytes, whole: bytes) -> bytes:
        cut, application = self._wire.cut, self._application or ""
        text = COPY if kind == b"d" else _statement(kind, body)
        if text and text != COPY:
            self._wire.said.append((application, text))
        if cut is None or cut.done or not text or cut.at not in text or not application.startswith(cut.application):
            return whole
        cut.left -= 1
        if cut.left:
            return whole
        cut.done = True
        self._wire.said.append((application, "cut"))
        if cut.where == "unsent":
            raise CutOff
        if cut.where == "halfway":
            raise CutOff(whole[: len(whole) // 2])
        self._swallowing = True
        return whole


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head, await reader.readexactly(int.from_bytes(head[1:]) - 4)


def _statement(kind: bytes, body: bytes) -> str:
    """The text of a simple query, or of one that is parsed."""
    if kind == b"Q":
        return body.rstrip(b"\0").decode()
    return body.split(b"\0")[1].decode() if kind == b"P" else ""


@contextmanager
def cutting(config: Config) -> Iterator[tuple[Config, Wire]]:
    """A configuration whose Postgres is behind a proxy."""
    wire = Wire()
    parts: Any = urlsplit(config.postgres)
    with Proxy(parts.hostname, parts.port, lambda _: _Talk(wire)) as proxy:
        login = parts.netloc.rpartition("@")[0]
        query = "&".join(filter(None, (parts.query, "sslmode=disable&gssencmode=disable")))
        url = parts._replace(netloc=f"{login}@127.0.0.1:{proxy.port}", query=query).geturl()
        assert conninfo_to_dict(make_conninfo(url))["port"] == str(proxy.port)
        yield replace(config, addresses={**config.addresses, "FT_POSTGRES": url}), wire
