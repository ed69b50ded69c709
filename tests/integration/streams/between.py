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


def _requests(*kinds: tuple[str, str]) -> tuple[Request, ...]:
    return tuple(Request(method=method, path=path, done=done) for method, path in kinds for done in (False, True))


_SUBJECTS: Final = ("POST", "/subjects/")
"""A subject is looked up and registered by the same kind."""
_IDS: Final = ("GET", "/schemas/ids/")
OF_NEW: Final = _requests(_SUBJECTS, ("PUT", "/config/"), _IDS)
"""What the registration of a subject's first schema asks, in this order."""
OF_KNOWN: Final = _requests(_SUBJECTS, ("GET", "/config/"), _IDS, ("POST", "/compatibility/"))
"""The same of a schema that the registry has."""


class Between(Served):
    """A registry's address that leads to another one. A failing request is answered 501, with a code of Confluent's API
    as a registry has one: that is not tried again."""

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
        return 501, b'{"error_code": 50101, "message": "it fails"}'

    def _below(self, path: str) -> str:
        return path.removeprefix(self._root.path)

    def _ask(self, method: str, path: str, body: bytes, content_type: str | None) -> httpx.Response:
        url = f"{self._root.scheme}://{self._root.netloc}{path}"
        headers = {"Content-Type": content_type or "application/json"}
        return httpx.request(method, url, content=body, headers=headers, timeout=30)
