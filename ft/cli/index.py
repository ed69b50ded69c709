"""Build the indexes of months that `ft ingest --bulk` filled without them, where a worker's login may not."""

import click

from ft.cli.configured import configured
from ft.cli.ending import run
from ft.config import Config


@click.command()
def command() -> None:
    """Build what can be built now, then exit.

    A worker does this by itself if its login may act as ft_migrate. Else run this with the login of `ft migrate` in
    FT_POSTGRES. Nothing is held up meanwhile; cut off, it goes on where it was when run again.

    \b
    Reads: FT_POSTGRES (default: the server of `ft up`)
    """
    left = build(configured())
    click.echo(
        "some months wait for a bulk backfill, or for another builder (`ft status`)" if left else "all is indexed"
    )


def build(config: Config) -> bool:
    """Whether something is left to be built. Raises ConfigError where the database is not migrated, OtherDeployment
    where the topics are those of somebody else."""
    from ft.streams.deployment.comparing import whose_topics
    from ft.streams.deployment.preflight import known_networks

    with whose_topics(config):
        known_networks(config)
    return run(_build(config))


async def _build(config: Config) -> bool:
    from ft.agents.ledger.indexing import Builder

    builder = Builder(config)
    try:
        return await builder.round()
    finally:
        await builder.close()
