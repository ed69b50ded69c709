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

from ft.api.assets import routes as assets
from ft.api.assets.reads import StoredAssets
from ft.api.assets.sections import Section
from ft.api.collections import routes as collections
from ft.api.collections.reads import StoredCollections
from ft.api.http import openapi, problems, request
from ft.api.http.browsers import Browsers
from ft.api.http.compressed import Compressed
from ft.api.http.database import Database
from ft.api.http.middleware import ApiMetrics, Observed
from ft.api.networks import routes as networks
from ft.api.networks.reads import StoredNetworks
from ft.api.owners import routes as owners
from ft.api.owners.reads import StoredHoldings
from ft.api.status import routes as status
from ft.api.status.identity import Identity
from ft.api.status.reads import StoredStatus
from ft.api.transfers import routes as transfers
from ft.api.transfers.reads import StoredTransfers
from ft.config import Config

_RESOURCES: Final = (
    assets.router, collections.router, networks.router, owners.router, transfers.router, status.router, openapi.router,
)  # fmt: skip
SECTIONS: Final[tuple[Section[Any], ...]] = ()
"""What domains know of an asset, a section each."""
_ABOUT: Final = (
    "Who owns an NFT, since when, and how sure it is. Every answer says which block it is the state of (`as_of`), "
    "every on-chain fact how final it is, every error is a problem document (RFC 9457) with a stable `code`. "
    "An event is in force as long as its block counts: what a reorg has retracted is not. "
    "Quantities and token ids are decimal strings; times are RFC 3339 in UTC."
)


class Reads(StoredAssets, StoredCollections, StoredHoldings, StoredTransfers, StoredNetworks, StoredStatus):
    """Every read of the API: what each resource's folder asks of Postgres."""


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
        Reads(database, config.topic_prefix, identity, SECTIONS),
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
        before_request=request.require_readable,
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
    openapi.amend(app.openapi_schema)
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
