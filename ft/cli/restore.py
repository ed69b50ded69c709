"""``ft restore``: Bring a deployment back from a backup, and let it go on."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ft.cli.configured import configured
from ft.cli.said import Said
from ft.errors import ConfigError

if TYPE_CHECKING:
    from ft.ops.recovery.continued import Done


@click.command()
@click.option(
    "--from", "folder", type=click.Path(path_type=Path, file_okay=False), help="Folder that `ft backup` has written."
)
@click.option(
    "--as-it-stands", "as_it_stands", is_flag=True,
    help="The database was brought to an older state by other means (a base backup, a snapshot of the disk).",
)  # fmt: skip
def command(folder: Path | None, as_it_stands: bool) -> None:
    """Bring a deployment back from a backup into an empty database, and let it go on from there.

    Workers, ingestion and API are stopped before, and started afterwards. What Kafka still has decides what happens:

    \b
    all of it      the database is the older of the two: workers read again what came after the backup; where that is
                   gone from ledger.normalized, from the first record of the raw topics
    nothing        topics are made anew and the journal (the ledger's events, in order) is announced from its first
                   row; what came after the backup is read again from the chain
    a part of it   refused: start Kafka with the data it had, or point FT_KAFKA at an empty cluster

    Either way a new generation of announced records begins. A subscriber that has got further than the backup learns
    so from the records, and takes its own state back (`docs/consuming.md`). A registry that lost ids gets them back.

    Ended in any way, the same command goes on where it was; until it is done nothing starts.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX, FT_NETWORKS,
           FT_POSTGRES_PROGRAMS (path: pg_restore from PATH)
    """
    if (folder is None) != as_it_stands:
        raise ConfigError("expected one of --from FOLDER and --as-it-stands. See `ft restore --help`.")
    from ft.ops.recovery.restore import continue_as_it_stands, restore

    with Said() as said:
        config = configured()
        done = continue_as_it_stands(config, said) if folder is None else restore(config, folder.absolute(), said)
    tell(done)


def tell(done: "Done") -> None:
    """What was done, and what comes next."""
    said = {
        "older": "workers read again what Kafka has beyond the backup",
        "reread": "workers read the raw topics again from their first records, and go on beyond the backup",
        "lost": "workers announce the journal from its first row on",
        "announce": "workers announce the journal from its first row on",
    }
    click.echo(f"generation {done.generation}: {said[done.kind]}")
    if done.kind == "lost":
        click.echo(
            f"lost on the way: {done.cut:,} blocks, {done.taken_back:,} of them applied in part and taken back; `ft "
            "ingest` reads them again"
        )
    click.echo("ready: start workers, ingestion and API")
