"""Around the whole API: request ids, an access line a request, metrics, and a last net under every error.

What is refused because of what others ask, or because the database is away, has one line a second for all of it: under
load a line each would be work that nobody reads.
"""

import re
import time
from collections import Counter
from contextvars import ContextVar
from typing import Any, Final
from uuid import uuid4

import prometheus_client
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from ft.api.http.slots import Overloaded
from ft.telemetry.sampling import Seldom

_ASKING_MAX: Final = 256
"""Requests of one address that are being answered at once, those that wait included."""
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:\-]{1,128}\Z")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_client: ContextVar[str] = ContextVar("client", default="")
_exchange: ContextVar["_Exchange | None"] = ContextVar("exchange", default=None)


def current_request_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    return _request_id.get()


def current_client() -> str:
    """The address that the request came from; empty outside of one."""
    return _client.get()


def refuse(why: Exception) -> None:
    """The request that is being answered is turned away, whatever it asks: its line is one of many."""
    exchange = _exchange.get()
    if exchange is not None:
        exchange.refusal = why


class ApiMetrics:
    """Request rate, latency and errors, by method, route template and status."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = prometheus_client.Counter(
            "ft_api_requests", "Requests answered.", labels, registry=self._registry
        )
        self._errors = prometheus_client.Counter(
            "ft_api_errors", "Requests answered with 5xx.", labels, registry=self._registry
        )
        self._seconds = Histogram(
            "ft_api_request_seconds",
            "Seconds from a request's arrival to its answer's last byte.",
            ("method", "route"),
            registry=self._registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        self._in_flight = Gauge("ft_api_requests_in_flight", "Requests being answered.", registry=self._registry)
        started = Gauge("process_start_time_seconds", "When this process started, Unix time.", registry=self._registry)
        started.set(time.time())
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def begin(self) -> None:
        self._in_flight.inc()

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        self._in_flight.dec()
        key = (method, route, status)
        if key not in self._children:
            self._children[key] = (self._requests.labels(*map(str, key)), self._seconds.labels(method, route))
        requests, latency = self._children[key]
        requests.inc()
        latency.observe(seconds)
        if status >= 500:
            self._errors.labels(*map(str, key)).inc()

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


class Observed:
    """The ASGI application that everything else runs inside."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, unforeseen: Any) -> None:
        self._app = app
        self._metrics = metrics
        self._unforeseen = unforeseen
        self._log = structlog.get_logger("ft.api.access").bind()  # made once: half the time of a line
        self._refused = Seldom(self._log)
        self._asking: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        client = _address(scope)
        self._asking[client] += 1
        app = self._app if self._asking[client] <= _ASKING_MAX else _turn_away
        try:
            await _Exchange(scope, send, self._metrics, self._log, self._refused).run(app, receive, self._unforeseen)
        finally:
            self._asking[client] -= 1
            if not self._asking[client]:
                del self._asking[client]


async def _turn_away(*_: Any) -> None:
    """Before any work is done: refusing must cost less than answering."""
    raise Overloaded(f"expected at most {_ASKING_MAX} requests of one address at once, got more")


class _Exchange:
    """One request and its answer."""

    refusal: Exception | None = None
    """Why it was turned away; None: it was not."""

    def __init__(self, scope: Any, send: Send, metrics: ApiMetrics, log: Any, refused: Seldom) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._log = log
        self._refused = refused
        self._status = 0
        self._head = scope["method"] == "HEAD"
        self._id = _incoming_id(scope) or uuid4().hex

    async def run(self, app: ASGIApp, receive: Receive, unforeseen: Any) -> None:
        token, client, exchange = _request_id.set(self._id), _client.set(_address(self._scope)), _exchange.set(self)
        method, began = self._scope["method"], time.perf_counter()
        if self._head:
            self._scope["method"] = "GET"
        self._metrics.begin()
        try:
            await app(self._scope, receive, self._forward)
        except Exception as exc:
            if self._status:
                raise
            await unforeseen(exc, self._forward)
        finally:
            seconds = time.perf_counter() - began
            route = self._scope.get("path_template") or "unmatched"
            self._metrics.end(_known(method), route, self._status or 500, seconds)
            self._tell(method, round(seconds * 1000, 2))
            _request_id.reset(token)
            _client.reset(client)
            _exchange.reset(exchange)

    def _tell(self, method: str, ms: float) -> None:
        """The cases: turned away, with others; answered; an error, which is never left out."""
        told = {"request_id": self._id, "method": method, "path": self._scope["path"], "status": self._status, "ms": ms}
        if self.refusal is not None:
            self._refused.warning("refused", **told, error=str(self.refusal))
        elif self._status and self._status < 500:
            self._log.info("request", **told)
        else:
            self._log.error("request", **told)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [*message.get("headers", []), (b"x-request-id", self._id.encode())]
        elif message["type"] == "http.response.body" and self._head:
            message["body"] = b""
        await self._send(message)


def _incoming_id(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return str(value.decode())
    return ""


def _address(scope: Any) -> str:
    return str(scope["client"][0]) if scope.get("client") else ""


def _known(method: str) -> str:
    # A label takes no more values than there are methods, whatever is sent.
    return method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "OTHER"
