"""Show the whole way of the data on a recorded or a live chain."""

from pathlib import Path

import click

from ft.cli.configured import configured
from ft.cli.reading import RPC_FILE, readable_network
from ft.config import Config
from ft.embedded.progress import shown
from ft.networks import Network
from ft.providers import providers_of, require_http


@click.command()
@click.option("--rpc", metavar="URL", help="Read a live node instead of the recorded chain.")
@RPC_FILE
@click.option(
    "--network",
    metavar="SLUG",
    help="Read this network (default, with a node: polygon). Its nodes: --rpc, --rpc-file, else FT_RPC_<NETWORK>, else "
    "rpc_urls of the network.",
)
def command(rpc: str | None, rpc_file: Path | None, network: str | None) -> None:
    """Start the embedded servers, ingest a chain, and show what ft knows about it.

    Without options: a recorded devnet with three reorgs goes through the raw topic, Faust, Postgres and the API; every
    balance is compared with what the contracts said when it was recorded. With --network, --rpc or --rpc-file: the
    newest blocks of a live network, from the first of its nodes that is http(s).

    The demo has a database (ft_demo) and topics of its own, made anew each time. Its API goes on until `ft down`.
    """
    with shown() as progress:
        progress.say("servers, an empty database, a chain, and what ft makes of it: about a minute")
        with progress.doing("loading"):
            from rich.console import Console

            from ft.demo.run import demo

            config = configured()
        chosen = _live(config, network or "polygon", rpc, rpc_file) if network or rpc or rpc_file else None
        demo(config, chosen=chosen, console=Console(), progress=progress)


def _live(config: Config, slug: str, rpc: str | None, rpc_file: Path | None) -> tuple[Network, tuple[str, ...]]:
    """A network, and its nodes. Raises ConfigError, also where there is no node to ask."""
    network = readable_network(config, slug)
    urls = providers_of(network, (rpc,) if rpc else (), rpc_file, config.rpc)
    require_http(network, urls)
    return network, urls
