"""Cuts a producer's connection to the broker after the broker has its records and before it says so."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from ft.config import Config
from tests.integration.cuts.wire import CutOff, Proxy

_PRODUCE: Final = 0


@dataclass
class Acknowledgements:
    """``every``: each so many requests to produce, the reply is cut off; 0: none. ``cut``: how many were. ``away``: no
    request gets through at all."""

    every: int = 0
    away: bool = False
    cut: int = 0
    asked: int = 0


class _Talk:
    """Requests and replies begin with their length; a reply names the request that it answers."""

    def __init__(self, proxy: Proxy, acknowledgements: Acknowledgements) -> None:
        host, port = proxy.upstream
        self._named = host.encode() + port.to_bytes(4)
        self._instead = host.encode() + proxy.port.to_bytes(4)
        self._acknowledgements = acknowledgements
        self._unheard: bytes | None = None

    async def read_request(self, reader: asyncio.StreamReader) -> bytes:
        frame = await _frame(reader)
        mine = self._acknowledgements
        if mine.away:
            raise CutOff
        if int.from_bytes(frame[4:6]) == _PRODUCE and self._unheard is None:
            mine.asked += 1
            if mine.every and mine.asked % mine.every == 0:
                self._unheard = frame[8:12]
        return frame

    async def read_reply(self, reader: asyncio.StreamReader) -> bytes:
        frame = await _frame(reader)
        if frame[4:8] == self._unheard:
            self._acknowledgements.cut += 1
            raise CutOff
        return re.sub(re.escape(self._named), lambda _: self._instead, frame)  # where the broker says it is


async def _frame(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length))


@contextmanager
def cutting_acknowledgements(config: Config) -> Iterator[tuple[Config, Acknowledgements]]:
    """A configuration whose Kafka is behind a proxy."""
    host, _, port = config.kafka.rpartition(":")
    found = Acknowledgements()
    with Proxy(host, int(port), lambda proxy: _Talk(proxy, found)) as proxy:
        yield replace(config, addresses={**config.addresses, "FT_KAFKA": f"{host}:{proxy.port}"}), found
