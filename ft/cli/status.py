"""``ft status``: Show the servers, and what the pipeline makes of its networks."""

import importlib
import importlib.util

import click
from rich.table import Table

from ft import embedded
from ft.cli.configured import configured
from ft.cli.said import console, table

_STATES = {"running": "green", "external": "green", "starting": "yellow", "stopped": "red"}
_PIPELINE = "ft.cli.status_pipeline"


@click.command()
def command() -> None:
    """Show the servers, with where their data and logs stand; then the pipeline, unless all of them are stopped."""
    config = configured()
    servers = embedded.describe(config)
    out = console()
    out.print(_table(servers))
    some_run = any(server.state in ("running", "external") for server in servers)
    # The pipeline's part shows itself: `show(config, console)` of its own module. It tells which server it has asked in
    # vain; where none runs, none is missed.
    if some_run and importlib.util.find_spec(_PIPELINE) is not None:
        importlib.import_module(_PIPELINE).show(config, out)


def _table(servers: list[embedded.ServerStatus]) -> Table:
    rows = table("server", "state", "address", "pid", "version", "memory", "data", "log")
    for server in servers:
        rows.add_row(
            server.name,
            f"[{_STATES[server.state]}]{server.state}[/]",
            server.address,
            "" if server.pid is None else str(server.pid),
            server.version,
            "" if server.memory_bytes is None else f"{server.memory_bytes >> 20} MiB",
            "" if server.data is None else str(server.data),
            "" if server.log is None else str(server.log),
        )
    return rows
