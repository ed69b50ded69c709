"""Tokens: had once for as long as they live, and never shown where they fail."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest

from ft.errors import BrokerUnavailable
from ft.oauth import Tokens, expiry
from tests.tokens import jwt


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def endpoint(
    answer: dict[str, object], status: int = 200
) -> Iterator[tuple[str, list[tuple[str, dict[str, list[str]]]]]]:
    """A token endpoint: its URL, and (authorization, form) of every request that came."""
    came: list[tuple[str, dict[str, list[str]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            came.append((self.headers["Authorization"], parse_qs(body)))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_is_had_for_client_credentials_once_for_most_of_its_life() -> None:
    clock = Clock()
    with endpoint({"access_token": "t1", "token_type": "Bearer", "expires_at": clock.now + 100}) as (url, came):
        tokens = Tokens(url=url, client_id="id", client_secret="secret", scope="kafka", clock=clock)

        assert tokens.current() == ("t1", clock.now + 100)
        clock.now += 79
        assert tokens.current()[0] == "t1"
        assert len(came) == 1
        clock.now += 2
        tokens.current()

    words, form = came[0]
    assert base64.b64decode(words.removeprefix("Basic ")) == b"id:secret"
    assert form == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    assert len(came) == 2


def test_a_refusal_names_the_host_and_no_secret() -> None:
    with endpoint({"error": "invalid_client", "error_description": "unknown client"}, 401) as (url, _):
        tokens = Tokens(url=url, client_id="id", client_secret="s3cret")
        with pytest.raises(BrokerUnavailable, match=r"Kafka's token from 127\.0\.0\.1:.*unknown client") as caught:
            tokens.current()

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, {"token_type": "Bearer"}])
def test_an_answer_without_a_token_is_told(answer: dict[str, object]) -> None:
    with endpoint(answer) as (url, _), pytest.raises(BrokerUnavailable, match="expected one"):
        Tokens(url=url, client_id="id", client_secret="s3cret").current()


def test_an_endpoint_that_is_away_is_told() -> None:
    with pytest.raises(BrokerUnavailable, match=r"Kafka's token from 127.0.0.1:9: expected one \(RFC 6749, 4.4\), got"):
        Tokens(url="http://127.0.0.1:9/token", client_id="id", client_secret="s3cret").current()


def test_a_file_is_read_anew_when_its_token_nears_its_end(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "token"
    tokens = Tokens(file=file, clock=clock)
    file.write_text(first := jwt(exp=clock.now + 100))
    assert tokens.current() == (first, clock.now + 100)

    file.write_text(second := jwt(exp=clock.now + 300))
    assert tokens.current()[0] == first
    clock.now += 81
    assert tokens.current()[0] == second


@pytest.mark.parametrize("text", ["", jwt(exp=1)])
def test_a_file_without_a_valid_token_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)

    with pytest.raises(BrokerUnavailable, match="expected a token that is valid"):
        Tokens(file=file).current()


def test_a_token_that_is_no_jwt_says_nothing_of_its_end() -> None:
    assert [expiry(text) for text in ("opaque", "a.b.c", "e30.e30.", "e30.W10.x", jwt(exp=5))] == [
        None, None, None, None, 5.0,
    ]  # fmt: skip
