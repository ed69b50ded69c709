"""Bodies in fewer bytes: what the request accepts, whole bodies of some size, and never a stream."""

import gzip
from typing import Any

import cramjam
import httpx
import pytest
from msgspec.structs import replace

from ft.api.http.compressed import Compressed, accepted
from ft.api.main import build
from tests.unit.api.transfers.test_routes import ROW, Ledger

URL = "/api/v1/transfers?network=polygon"


async def _asked(encoding: str, rows: int = 100) -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it came."""
    ledger = Ledger([replace(ROW, block_number=number) for number in range(rows, 0, -1)])
    app: Any = build(ledger)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client,
        client.stream("GET", f"{URL}&limit=100", headers={"Accept-Encoding": encoding}) as answer,
    ):
        return answer, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0, zstd;q=0", None),
        ("gzip;q=0", None),
        ("br, deflate", None),
        ("*", "zstd"),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_the_request_says_what_it_reads(sent: str, encoding: str | None) -> None:
    assert accepted(sent) == encoding


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_long_answer_comes_short(encoding: str) -> None:
    _, plain = await _asked("identity")

    answer, body = await _asked(encoding)

    whole = gzip.decompress(body) if encoding == "gzip" else bytes(cramjam.zstd.decompress(body))
    assert whole == plain
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert int(answer.headers["Content-Length"]) == len(body) < len(plain) / 10


@pytest.mark.parametrize(("encoding", "rows"), [("gzip", 0), ("identity", 100)])
async def test_a_short_answer_and_one_that_nobody_can_read_stay_as_they_are(encoding: str, rows: int) -> None:
    answer, body = await _asked(encoding, rows)

    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert body.startswith(b'{"data"')


@pytest.mark.parametrize(("kind", "more"), [(b"text/event-stream", False), (b"application/json", True)])
async def test_a_stream_is_left_alone_and_goes_out_at_once(kind: bytes, more: bool) -> None:
    sent: list[Any] = []

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"x" * 5000, "more_body": more})
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]

    async def send(message: Any) -> None:
        sent.append(message)

    await Compressed(stream)({"type": "http", "headers": [(b"accept-encoding", b"gzip")]}, send, send)  # type: ignore[arg-type]

    assert sent[1]["body"] == b"x" * 5000
