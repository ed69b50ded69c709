"""Between ft and the registry: passes requests on, and fails those that a test names."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx


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


class Between:
    """A registry's address that leads to another one. A failing request is answered 501: that is not tried again."""

    def __init__(self, registry: str) -> None:
        self.failing: Request | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, registry))
        self.url = f"http://127.0.0.1:{self._server.server_port}{urlsplit(registry).path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(between: Between, registry: str) -> type[BaseHTTPRequestHandler]:
    root = urlsplit(registry)

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            failing = between.failing
            fails = failing is not None and failing.method == self.command
            fails = fails and self.path.removeprefix(root.path).startswith(failing.path if failing else "")
            answer = None if fails and failing is not None and not failing.done else self._ask(body)
            self.send_response(501 if fails or answer is None else answer.status_code)
            content = b"" if fails or answer is None else answer.content
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _pass  # noqa: N815 - the names of http.server

        def _ask(self, body: bytes) -> httpx.Response:
            headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
            url = f"{root.scheme}://{root.netloc}{self.path}"
            return httpx.request(self.command, url, content=body, headers=headers, timeout=30)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
