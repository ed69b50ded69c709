"""What browsers ask of a server of another origin (CORS), as configured; and HEAD in every list of methods."""

from collections.abc import Collection
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_ANY: Final = "*"
_EXPOSED: Final = b"ETag, Retry-After, X-Data-Status, X-Request-ID"
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"If-None-Match, X-Min-Block, X-Request-ID"),
    (b"access-control-max-age", b"600"),
)


class Browsers:
    """The ASGI application inside; pages of ``origins`` may read its answers (``*``: all pages; none: no page)."""

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in asked
        added = self._headers(asked.get(b"origin", b"").decode("latin-1"), preflight)

        async def forward(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*map(_with_head, message.get("headers", [])), *added]
            await send(message)

        await self._app(scope, receive, forward)

    def _headers(self, origin: str, preflight: bool) -> list[tuple[bytes, bytes]]:
        """The cases: nobody may; everybody may; this origin may; another may, which caches must tell apart."""
        if not self._origins:
            return []
        added = [(b"access-control-expose-headers", _EXPOSED), *(_PREFLIGHT if preflight else ())]
        if _ANY in self._origins:
            return [(b"access-control-allow-origin", b"*"), *added] if origin else []
        vary = (b"vary", b"Origin")
        if origin not in self._origins:
            return [vary]
        return [(b"access-control-allow-origin", origin.encode("latin-1")), vary, *added]


def _with_head(header: Any) -> Any:
    """Whatever takes GET takes HEAD."""
    name, value = header
    if name.lower() != b"allow" or b"HEAD" in value or b"GET" not in value:
        return header
    return name, b", ".join(sorted([*(method.strip() for method in value.split(b",")), b"HEAD"]))
