"""``ft backup``: Write a folder that a deployment can be restored from."""

from pathlib import Path

import click

from ft.cli.configured import configured
from ft.cli.said import Said


@click.command()
@click.option(
    "--to", "to", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Folder to be made; one that is there must be empty.",
)  # fmt: skip
def command(to: Path) -> None:
    """Write everything that a deployment can be restored from into a folder, while workers and ingestion go on.

    \b
    database/        Postgres, of one moment (pg_dump): the journal (the ledger's events, in order), who owns what,
                     where every consumer stands
    schemas.json     the schemas of the records with the registry's ids, as `ft schemas export` writes them
    manifest.json    whose it is and of when, where Kafka's topics ended, every file with its checksum; written last

    Kafka's records are not in it. Lost together with Postgres, the ledger's topics are announced anew from the journal,
    and the chain is read again from where the backup ends (`ft restore --help`). Until it is done the folder's name
    ends with .partial. `docs/disaster.md` says what to do after which loss, and how long it takes.

    A server newer than the Postgres that ft brings along: FT_POSTGRES_PROGRAMS=path takes pg_dump from PATH.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX
    """
    from ft.ops.recovery.backup import back_up

    with Said() as said:
        made = back_up(configured(), to.absolute(), said)
    click.echo(
        f"{to}: deployment {made.deployment}, generation {made.epoch}, {made.events:,} rows of the journal, "
        f"{len(made.files)} files, {made.bytes / 1e6:,.1f} MB"
    )
