"""Bring database, topics and schemas to this version."""

import click

from ft.cli.configured import configured
from ft.cli.said import Said


@click.command()
def command() -> None:
    """Bring the database, the Kafka topics and the registered schemas to this version of ft.

    Applies the numbered SQL files that are missing, fills the reference tables from the built-in networks and
    the file named by FT_NETWORKS, creates missing topics with their settings, and registers every Avro schema
    under FULL_TRANSITIVE compatibility; a registry that lost ids gets the same ones back (`ft schemas --help`). Then
    proves again, from the raw log, what an older version noted with less proof; stopped, it goes on there the next
    time. Running it again changes nothing.

    A database of a version whose journal (the ledger's events, in order) did not say who holds a token is brought
    there, and announced anew: stop workers and ingestion before. However it is ended, the next run goes on from there;
    workers start once it is done.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_NETWORKS,
           FT_TOPIC_PREFIX, FT_PARTITIONS (first time only; default 8), FT_REPLICATION (default 1)
    """
    from ft.agents.normalize.reproof import prove_again
    from ft.ops.anew.run import announce_anew
    from ft.streams.deployment.provision import prepare

    config = configured()
    done = prepare(config)
    for name in done.migrations:
        click.echo(f"database  applied {name}")
    for name in done.topics:
        click.echo(f"kafka     created {name}")
    if done.unasked:
        click.echo(
            f"registry  did not answer: {len(done.unasked)} of {len(done.subjects)} schemas have the ids that the "
            "database keeps"
        )
    else:
        click.echo(f"registry  {len(done.subjects)} schemas registered")
    prove_again(config, lambda text: click.echo(f"creations {text}"))
    with Said() as said:
        anew = announce_anew(config, said)
    if anew:
        click.echo("journal   says who holds what, and is announced anew")
    click.echo(f"ready: {done.partitions} partitions")
