"""Tokens: had once for as long as they live, and never shown where they fail."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from ft.access.oauth import Tokens, expiry
from ft.errors import BrokerUnavailable
from tests.served import Served
from tests.tokens import jwt


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Endpoint(Served):
    """A token endpoint that always answers the same. ``came``: (authorization, form) of every request."""

    def __init__(self, answer: dict[str, object], status: int = 200) -> None:
        super().__init__()
        self.url += "/token"
        self.came: list[tuple[str | None, dict[str, list[str]]]] = []
        self._answer = (status, json.dumps(answer).encode())
        self._shown: str | None = None

    def lets_in(self, authorization: str | None) -> bool:
        self._shown = authorization
        return True

    def respond(self, method: str, path: str, body: bytes, content_type: str | None) -> tuple[int, bytes]:
        self.came.append((self._shown, parse_qs(body.decode())))
        return self._answer


def test_a_token_is_had_for_client_credentials_once_for_most_of_its_life() -> None:
    clock = Clock()
    with Endpoint({"access_token": "t1", "token_type": "Bearer", "expires_at": clock.now + 100}) as endpoint:
        tokens = Tokens(url=endpoint.url, client_id="id", client_secret="secret", scope="kafka", clock=clock)

        assert tokens.current() == ("t1", clock.now + 100)
        clock.now += 79
        assert tokens.current()[0] == "t1"
        assert len(endpoint.came) == 1
        clock.now += 2
        tokens.current()

    words, form = endpoint.came[0]
    assert words is not None
    assert base64.b64decode(words.removeprefix("Basic ")) == b"id:secret"
    assert form == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    assert len(endpoint.came) == 2


def test_a_refusal_names_the_host_and_no_secret() -> None:
    with Endpoint({"error": "invalid_client", "error_description": "unknown client"}, 401) as endpoint:
        tokens = Tokens(url=endpoint.url, client_id="id", client_secret="s3cret")
        with pytest.raises(BrokerUnavailable, match=r"Kafka's token from 127\.0\.0\.1:.*unknown client") as caught:
            tokens.current()

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("answer", [{}, {"token_type": "Bearer"}])
def test_an_answer_without_a_token_is_told(answer: dict[str, object]) -> None:
    with Endpoint(answer) as endpoint, pytest.raises(BrokerUnavailable, match="expected one"):
        Tokens(url=endpoint.url, client_id="id", client_secret="s3cret").current()


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
