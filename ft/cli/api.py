"""``ft api``: Serve the read API over HTTP."""

import sys

import click

from ft.cli.configured import configured


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def command(host: str, port: int) -> None:
    """Serve the read API over HTTP, in one process.

    It reads the schema `projection` of FT_POSTGRES (or of the servers that `ft up` left running) in the role
    ft_api. Of FT_KAFKA and FT_SCHEMA_REGISTRY, where they are set, it only looks every few seconds whether they are
    of the database's deployment, for /health/ready and the status page; without them it goes by what workers say.
    It starts while the database is away and answers 503 until it comes. Run several behind a load balancer to use
    more cores; they share nothing.

    \b
    Where to look, with the defaults:
      http://127.0.0.1:8080/schema               every path, its parameters and answers
      http://127.0.0.1:8080/schema/openapi.json  the same for programs (OpenAPI 3.1)
      http://127.0.0.1:8080/api/v1/status        heads, lag, backlogs
      http://127.0.0.1:8080/health/ready         200 once the database answers
      http://127.0.0.1:8080/metrics              Prometheus

    \b
    For example:
      curl http://127.0.0.1:8080/api/v1/assets/ethereum:0xbc4ca0eda7647a8ab7c2061c2e118a18a936f13d:1
      curl 'http://127.0.0.1:8080/api/v1/transfers?network=ethereum&limit=10'

    There is no authentication: what is on a public chain is public. It listens on loopback unless --host says
    otherwise.
    """
    from ft.api.server import serve

    sys.exit(serve(configured(printed=True), host, port))
