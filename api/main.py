"""The Litestar application: every resource, one error shape, OpenAPI 3.1 at /schema."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, Send

from ft.api import assets, collections, document, networks, owners, problems, query, status, transfers
from ft.api.browsers import Browsers
from ft.api.compressed import Compressed
from ft.api.database import Database
from ft.api.identity import Identity
from ft.api.observe import ApiMetrics, Observed
from ft.api.reads import Reads
from ft.config import Config

_RESOURCES: Final = (
    assets.router, collections.router, networks.router, owners.router, transfers.router, status.router, document.router,
)  # fmt: skip
_ABOUT: Final = (
    "Who owns an NFT, since when, and how sure it is. Every answer says which block it is the state of (`as_of`), "
    "every on-chain fact how final it is, every error is a problem document (RFC 9457) with a stable `code`. "
    "An event is in force as long as its block counts: what a reorg has retracted is not. "
    "Quantities and token ids are decimal strings; times are RFC 3339 in UTC."
)


def application(config: Config) -> ASGIApp:
    """The API over the configured database; it starts, and says 503, while that is away."""
    database = Database(config.postgres_as("ft_api"))
    identity = Identity(config, database)

    @asynccontextmanager
    async def connected(_: Litestar) -> AsyncIterator[None]:
        await database.open()
        looking = asyncio.create_task(identity.run(), name="identity")
        try:
            yield
        finally:
            looking.cancel()
            await database.close()

    return build(
        Reads(database, config.topic_prefix, identity),
        [connected],
        origins=config.api_cors_origins,
        proxies=config.api_proxies,
    )


def build(reads: Any, lifespan: Any = (), origins: Collection[str] = (), proxies: Collection[str] = ()) -> ASGIApp:
    """The API over ``reads``: anything with the methods that resources ask for. ``origins``: whose pages may read.
    ``proxies``: whose word counts for which client asks."""
    api_metrics = ApiMetrics()
    inside = framework(reads, api_metrics, lifespan)
    app: ASGIApp = Observed(Browsers(Compressed(inside), origins), api_metrics, _unforeseen)
    if proxies:
        app = wrap_asgi_with_proxy_headers(app, list(proxies))
    return app


def framework(reads: Any, api_metrics: ApiMetrics, lifespan: Any = ()) -> Litestar:
    """Every path, with the framework's own parts as this API wants them."""
    app = Litestar(
        route_handlers=list(_RESOURCES),
        dependencies={
            "reads": Provide(lambda: reads, sync_to_thread=False),
            "api_metrics": Provide(lambda: api_metrics, sync_to_thread=False),
        },
        before_request=query.require_readable,
        exception_handlers={Exception: problems.answer},
        lifespan=list(lifespan),
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="ft",
            version=version("ft-supply"),
            description=_ABOUT,
            path="/schema/framework",  # its own pages load scripts from elsewhere and answer errors as HTML
            render_plugins=[JsonRenderPlugin()],
        ),
    )
    document.amend(app.openapi_schema)
    return app


async def _unforeseen(exc: Exception, send: Send) -> None:
    """Outside of the framework: an error that it did not catch, or a request that is not let in."""
    problem = problems.problem_of(exc)
    body = problems.document(problem)
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    headers += [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers.append((b"cache-control", b"no-store"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
