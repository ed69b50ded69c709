"""Show the whole way of the data on a recorded or a live chain."""

from pathlib import Path

import click

from ft.cli.configured import configured
from ft.cli.reading import RPC_FILE
from ft.embedded.progress import shown


@click.command()
@click.option("--rpc", metavar="URL", help="Read a live node instead of the recorded chain.")
@RPC_FILE
@click.option("--network", metavar="SLUG", help="The live node's network (default polygon); see `ft ingest --help`.")
def command(rpc: str | None, rpc_file: Path | None, network: str | None) -> None:
    """Start the embedded servers, ingest a chain, and show what ft knows about it.

    Without options: a recorded devnet with three reorgs goes through the raw topic, Faust, Postgres and the API; every
    balance is compared with what the contracts said when it was recorded. With --rpc or --rpc-file: the newest blocks
    of a live node.

    The demo has a database (ft_demo) and topics of its own, made anew each time. Its API goes on until `ft down`.
    """
    if network and not (rpc or rpc_file):
        raise click.UsageError("--network needs --rpc or --rpc-file: the recorded chain is a network of its own")
    with shown() as progress:
        progress.say("servers, an empty database, a chain, and what ft makes of it: about a minute")
        with progress.doing("loading"):
            from rich.console import Console

            from ft.demo.run import demo
            from ft.providers import read_file

            config = configured()
        urls = ((rpc,) if rpc else ()) + (read_file(rpc_file) if rpc_file else ())
        demo(config, urls=urls, network=network, console=Console(), progress=progress)
