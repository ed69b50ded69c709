"""Source, EVM: JSON-RPC over HTTP. Results are slices of the answer, byte for byte, never encoded again.

- calls of one batch go in one HTTP request, or one by one to a node that takes no batches
- an error of one call is a value beside the other results; anything that concerns the node as a whole is raised
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from ft.errors import FtError

Call: TypeAlias = tuple[str, list[Any]]
"""Method and parameters."""

NULL: Final = b"null"
ANSWER_BYTES_MAX: Final = 256 << 20
"""Of one HTTP answer, unpacked."""
_KEY_LENGTH: Final = 8
"""Of a path's or a query's piece that may be a key."""
_UNKNOWN_METHOD: Final = (-32601, -32004)
_LIMIT: Final = -32005
_LIMIT_WORDS: Final = ("rate limit", "too many request", "request limit", "exceeded the quota", "capacity")
_ABSENT_WORDS: Final = ("not found", "unknown block", "could not find block")
_UNKNOWN_WORDS: Final = ("does not exist", "not available", "not supported", "unsupported", "not whitelisted")


class ProviderFailed(FtError):
    """The node did not answer, or not as JSON-RPC. Another provider, or the same one later, may."""

    retryable: ClassVar[bool] = True


class RateLimited(ProviderFailed):
    """The node wants fewer requests. ``retry_after_s``: what it asked for, None if it did not say."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class RpcError:
    """What a node answered to one call instead of a result."""

    code: int
    message: str

    @property
    def unknown_method(self) -> bool:
        """Whether the node does not have this method at all: asking again is of no use."""
        if self.code in _UNKNOWN_METHOD:
            return True
        return self.code in (-32600, -32000, -32001) and any(word in self.message.lower() for word in _UNKNOWN_WORDS)

    @property
    def absent(self) -> bool:
        """Whether the node says that it does not have what was asked for (others answer null)."""
        return any(word in self.message.lower() for word in _ABSENT_WORDS) and not self.unknown_method

    @property
    def limited(self) -> bool:
        """Whether the node asks for patience."""
        if self.code in (_LIMIT, 429):
            return True
        return any(word in self.message.lower() for word in _LIMIT_WORDS) and self.code not in (-32602,)

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


Reply: TypeAlias = bytes | RpcError


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Answer(msgspec.Struct):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


_ANSWERS: Final = msgspec.json.Decoder(list[_Answer] | _Answer)


class RpcClient:
    """One node. ``name`` is its host and port: never a path or a query, where keys are."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, *, batch_max: int = 20, timeout_s: float = 30.0
    ) -> None:
        self.name = provider_name(url)
        self.answer_bytes_max = ANSWER_BYTES_MAX
        self.batch_max = max(1, batch_max)
        """Calls in one HTTP request; halved for a node that refuses so many, down to 1."""
        self._url = url
        self._secrets = _secrets(url)
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 10.0))

    async def call(self, method: str, *params: Any) -> Reply:
        """One call. Raises ProviderFailed."""
        return (await self.batch([(method, list(params))]))[0]

    async def batch(self, calls: Sequence[Call]) -> list[Reply]:
        """All calls, in as few HTTP requests as the node takes; replies in the order of the calls.

        Raises ProviderFailed, and RateLimited if any of the calls was refused for that.
        """
        size = self.batch_max
        chunks = [calls[at : at + size] for at in range(0, len(calls), size)]
        replies = [reply for chunk in await _all(self._chunk(chunk) for chunk in chunks) for reply in chunk]
        for reply in replies:
            if isinstance(reply, RpcError) and reply.limited:
                raise RateLimited(f"{self.name} limits requests: {reply}")
        return replies

    async def _chunk(self, calls: Sequence[Call]) -> list[Reply]:
        if len(calls) > 1:
            answers = await self._post(_encode(calls))
            if isinstance(answers, list) and len(answers) != 1:
                return self._in_order(calls, answers)
            self._refused_batch(calls, answers[0] if isinstance(answers, list) else answers)
            half = (len(calls) + 1) // 2
            return [
                reply for part in await _all(self._chunk(c) for c in (calls[:half], calls[half:])) for reply in part
            ]
        answer = await self._post(_encode(calls)[1:-1])
        if isinstance(answer, list):
            answer = answer[0] if len(answer) == 1 else _Answer(error=_Error(message="a list for one call"))
        return [self._reply(answer)]

    def _refused_batch(self, calls: Sequence[Call], answer: _Answer) -> None:
        """One answer to many calls: the node takes fewer at once or none, unless it only wants fewer requests."""
        reply = self._reply(answer)
        if isinstance(reply, RpcError) and reply.limited:
            raise RateLimited(f"{self.name} limits requests: {reply}")
        self.batch_max = max(1, min(self.batch_max, len(calls) // 2))

    def _in_order(self, calls: Sequence[Call], answers: Sequence[_Answer]) -> list[Reply]:
        by_id = {str(answer.id): answer for answer in answers}
        if missing := [calls[at][0] for at in range(len(calls)) if str(at) not in by_id]:
            raise ProviderFailed(f"{self.name}: expected {len(calls)} answers of a batch, none came for {missing[0]}")
        return [self._reply(by_id[str(at)]) for at in range(len(calls))]

    async def _post(self, body: bytes) -> list[_Answer] | _Answer:
        try:
            async with self._session.post(self._url, data=body, headers=_HEADERS, timeout=self._timeout) as response:
                text = await self._read(response)
                status, retry_after = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            said = self._without_secrets(f"{type(exc).__name__}: {exc}")
            raise ProviderFailed(f"{self.name}: expected an answer, got {said}") from exc
        if status == 429:
            raise RateLimited(f"{self.name} limits requests (HTTP 429)", _seconds(retry_after))
        if status >= 500:
            raise (
                RateLimited(f"{self.name}: HTTP {status}", _seconds(retry_after))
                if retry_after
                else ProviderFailed(f"{self.name}: expected HTTP 200, got {status}")
            )
        try:
            answers: list[_Answer] | _Answer = _ANSWERS.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
            said = self._without_secrets(text[:120].decode("utf-8", "replace"))
            raise ProviderFailed(
                f"{self.name}: expected JSON-RPC, got HTTP {status} and {len(text)} bytes: {said!r}"
            ) from exc
        return answers

    def _reply(self, answer: _Answer) -> Reply:
        if answer.error is not None:
            return RpcError(answer.error.code, self._without_secrets(answer.error.message[:300]))
        return bytes(answer.result) or NULL

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, however it is packed, up to a size that no honest answer has. Raises ProviderFailed."""
        parts, size = list[bytes](), 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self.answer_bytes_max:
                raise ProviderFailed(
                    f"{self.name}: expected an answer of at most {self.answer_bytes_max} bytes, got {size} and no end"
                )
            parts.append(part)
        return b"".join(parts)

    def _without_secrets(self, said: str) -> str:
        """What others say may repeat the address, and with it a key."""
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said


_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}


def _encode(calls: Sequence[Call]) -> bytes:
    return msgspec.json.encode(
        [{"jsonrpc": "2.0", "id": at, "method": method, "params": params} for at, (method, params) in enumerate(calls)]
    )


def provider_name(url: str) -> str:
    """Host and port: never a path, a query or a user, where keys are."""
    parts = urlsplit(url)
    return (parts.hostname or "?") + (f":{parts.port}" if parts.port else "")


def _secrets(url: str) -> list[str]:
    """Parts of an address that may be a key: credentials, path and query, whole and piece by piece; longest first."""
    parts = urlsplit(url)
    userinfo = parts.netloc.rpartition("@")[0]
    long = {parts.path.strip("/"), *parts.path.split("/"), parts.query}
    long |= {value for pair in parts.query.split("&") for value in pair.split("=")[1:]}
    words = {word for word in long if len(word) >= _KEY_LENGTH} | {userinfo, *userinfo.split(":")}
    return sorted((word for word in words | {unquote(word) for word in words} if word), key=len, reverse=True)


async def _all(work: Any) -> list[Any]:
    """Every one at once; the first failure cancels the rest."""
    coroutines = list(work)
    if len(coroutines) == 1:
        return [await coroutines[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _seconds(retry_after: str | None) -> float | None:
    """The header's value: seconds, or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
