"""An HTTP server that answers as its class says, at an address of its own, while it is entered."""

import ssl
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self


class Served(ABC):
    """``url``: scheme, host and port. ``content_type``: of every answer."""

    content_type: ClassVar[str] = "application/json"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        """``tls``: with the server's certificate; None: plain."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def lets_in(self, authorization: str | None) -> bool:
        """Whether a request with this header is answered; another gets 401."""
        return True

    @abstractmethod
    def respond(self, method: str, path: str, body: bytes, content_type: str | None) -> tuple[int, bytes]:
        """Status and body. ``path``: with its query, as it was asked for; ``content_type``: of the request's body."""


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if served.lets_in(self.headers.get("Authorization")):
                status, content = served.respond(self.command, self.path, body, self.headers.get("Content-Type"))
            else:
                status, content = 401, b'{"error_code": 401, "message": "Unauthorized"}'
            self.send_response(status)
            self.send_header("Content-Type", served.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - the names of http.server

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
