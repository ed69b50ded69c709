"""Between ft and the registry: passes requests on, and fails those that a test names."""

import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from tests.served import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A kind of request: its method, and what its path begins with behind the registry's own."""

    method: str
    path: str
    done: bool
    """Whether the registry does what it is asked, and only its answer is lost."""


REQUESTS: Final = tuple(
    Request(method=method, path=path, done=done)
    for method, path in (
        ("GET", "/config/"),
        ("PUT", "/config/"),
        ("POST", "/subjects/"),
        ("GET", "/schemas/ids/"),
        ("POST", "/compatibility/"),
    )
    for done in (False, True)
)
"""What one registration asks, in this order; the subject is looked up and registered by the same kind."""


class Between(Served):
    """A registry's address that leads to another one. A failing request is answered 501: that is not tried again."""

    def __init__(self, registry: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.failing: Request | None = None
        self._root = urlsplit(registry)
        self.url += self._root.path

    def respond(self, method: str, path: str, body: bytes, content_type: str | None) -> tuple[int, bytes]:
        failing = self.failing
        if failing is None or failing.method != method or not self._below(path).startswith(failing.path):
            answer = self._ask(method, path, body, content_type)
            return answer.status_code, answer.content
        if failing.done:
            self._ask(method, path, body, content_type)
        return 501, b""

    def _below(self, path: str) -> str:
        return path.removeprefix(self._root.path)

    def _ask(self, method: str, path: str, body: bytes, content_type: str | None) -> httpx.Response:
        url = f"{self._root.scheme}://{self._root.netloc}{path}"
        headers = {"Content-Type": content_type or "application/json"}
        return httpx.request(method, url, content=body, headers=headers, timeout=30)
