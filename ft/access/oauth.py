"""Bearer tokens for Kafka (SASL OAUTHBEARER, RFC 7628): had for client credentials, or read from a file.

One process has one token at a time, whatever number of clients it runs: they share a :class:`Tokens`.
"""

import asyncio
import base64
import binascii
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ft.errors import BrokerUnavailable

_TIMEOUT_S: Final = 10.0
_UNKNOWN_S: Final = 60.0
"""A token that does not say how long it lives is taken to live so long."""
_OF_LIFE: Final = 0.8
"""A token is used for this share of its life."""


class Tokens:
    """Where a process has its tokens from. Safe to use from several threads."""

    def __init__(
        self,
        *,
        url: str = "",
        client_id: str = "",
        client_secret: str = "",
        scope: str = "",
        file: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``url``: the token endpoint, asked with the client's credentials; or ``file``: read anew each time."""
        self._url = url
        self._client = (client_id, client_secret)
        self._scope = scope
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = self._renew_at = 0.0

    def current(self) -> tuple[str, float]:
        """A valid token, and when it ends, in seconds since 1970. Raises BrokerUnavailable where none is to be had."""
        with self._lock:
            now = self._clock()
            if now >= self._renew_at:
                self._token, self._ends = self._read(now) if self._file is not None else self._fetch(now)
                self._renew_at = now + max(0.0, self._ends - now) * _OF_LIFE
            return self._token, self._ends

    def for_librdkafka(self, _config: str) -> tuple[str, float]:
        """What librdkafka's ``oauth_cb`` is to return."""
        return self.current()

    async def token(self) -> str:
        """What aiokafka's token provider is to return."""
        return (await asyncio.to_thread(self.current))[0]

    def _read(self, now: float) -> tuple[str, float]:
        assert self._file is not None
        try:
            token = self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise BrokerUnavailable(f"FT_KAFKA_TOKEN_FILE: {self._file} cannot be read: {exc}") from exc
        ends = expiry(token)
        if not token or (ends is not None and ends <= now):
            got = "one that ended before now" if token else "an empty file"
            raise BrokerUnavailable(f"FT_KAFKA_TOKEN_FILE: {self._file}: expected a token that is valid, got {got}")
        return token, now + _UNKNOWN_S if ends is None else ends

    def _fetch(self, now: float) -> tuple[str, float]:
        from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
        from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]

        host = urlsplit(self._url).netloc.rpartition("@")[2]
        try:
            with OAuth2Client(*self._client, scope=self._scope or None, timeout=_TIMEOUT_S) as client:
                answer: dict[str, Any] = client.fetch_token(self._url, grant_type="client_credentials")
            token = answer["access_token"]
        except OAuthError as exc:
            raise BrokerUnavailable(f"Kafka's token from {host}: refused: {exc}") from exc
        except Exception as exc:
            got = str(exc) or type(exc).__name__
            raise BrokerUnavailable(f"Kafka's token from {host}: expected one (RFC 6749, 4.4), got: {got}") from exc
        ends = answer.get("expires_at") or expiry(token) or now + _UNKNOWN_S
        return str(token), float(ends)


def expiry(token: str) -> float | None:
    """When a token that is a JWT (RFC 7519) says that it ends, in seconds since 1970; None for any other."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    ends = claims.get("exp") if isinstance(claims, dict) else None
    return float(ends) if isinstance(ends, int | float) and not isinstance(ends, bool) else None
