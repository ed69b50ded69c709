"""``ft up``: Start Kafka, Postgres and the schema registry of this home."""

import click

from ft import embedded
from ft.config import Config
from ft.embedded.progress import shown


@click.command()
def command() -> None:
    """Start Kafka, Postgres and the schema registry; those that run are left as they are.

    They go on when this command ends. An address in the environment (FT_KAFKA, FT_POSTGRES,
    FT_SCHEMA_REGISTRY) replaces that server.
    """
    config = Config.from_env()
    with shown() as progress:
        _, started = embedded.start_missing(config, progress)
    servers = embedded.describe(Config.from_env())
    click.echo(f"started {', '.join(started)}" if started else "already running")
    for server in servers:
        click.echo(f"  {server.name:<9} {server.address}")
