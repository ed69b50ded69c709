"""Answers in fewer bytes for who reads them: zstd or gzip, whole bodies only, so that a stream stays one."""

import re
from typing import Any, Final

import cramjam
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_BODY_MIN: Final = 1_000
"""Bytes; less is not worth the work."""
_KINDS: Final = re.compile(rb"application/(?:[\w.+-]+\+)?json|text/(?!event-stream)")
_ZSTD_LEVEL: Final = 3
_GZIP_LEVEL: Final = 6
_UNCHANGED: Final = 304
_VARY: Final = (b"vary", b"Accept-Encoding")


class Compressed:
    """The ASGI application inside, its bodies as the request accepts them. Validators are weak: they fit every form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        sent = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        await self._app(scope, receive, _Answer(send, accepted(sent.decode("latin-1"))).send)


class _Answer:
    """One answer: its head waits until the first of its body shows whether that is all."""

    def __init__(self, send: Send, encoding: str | None) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Any = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if start["status"] == _UNCHANGED:  # as the whole answer would (RFC 9110, 15.4.5)
                start["headers"] = [*start["headers"], _VARY]
            elif message["type"] == "http.response.body" and not message.get("more_body") and _compressible(start):
                start["headers"] = [*start["headers"], _VARY]
                message["body"] = self._shortened(start, message.get("body", b""))
            await self._send(start)
        await self._send(message)

    def _shortened(self, start: Any, body: bytes) -> bytes:
        if self._encoding is None or len(body) < _BODY_MIN:
            return body
        if self._encoding == "zstd":
            shorter = bytes(cramjam.zstd.compress(body, level=_ZSTD_LEVEL))
        else:
            shorter = bytes(cramjam.gzip.compress(body, level=_GZIP_LEVEL))
        kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
        start["headers"] = [
            *kept,
            (b"content-encoding", self._encoding.encode()),
            (b"content-length", str(len(shorter)).encode()),
        ]
        return shorter


def accepted(accept_encoding: str) -> str | None:
    """What a header Accept-Encoding prefers of zstd and gzip; None: neither. Equal weights: zstd."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, rest = part.partition(";")
        weight = re.fullmatch(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", rest)
        weights[name.strip()] = float(weight[1]) if weight else (0.0 if rest.strip() else 1.0)
    known = {name: weights.get(name, weights.get("*", 0.0)) for name in ("zstd", "gzip")}
    best = max(known, key=lambda name: known[name])
    return best if known[best] > 0 and known[best] >= weights.get("identity", 0.0) else None


def _compressible(start: Any) -> bool:
    if start["status"] == 204:
        return False
    found = dict(start["headers"])
    return b"content-encoding" not in found and bool(_KINDS.match(found.get(b"content-type", b"")))
