"""``ft reset``: Empty a deployment: its database, and its topics or all but the raw ones."""

import click

from ft.cli.configured import configured
from ft.cli.confirming import require_confirmed
from ft.cli.said import Said

_LISTED = 12


@click.command()
@click.option(
    "--keep", type=click.Choice(["nothing", "raw", "topics"]), default="nothing", show_default=True,
    help="raw: everything is read again from the raw topics. topics: the database alone is emptied.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, or refuses it, and delete nothing.")
@click.option("--confirm", metavar="ID", help="The deployment's id, instead of typing it when asked.")
def command(keep: str, dry_run: bool, confirm: str | None) -> None:
    """Empty a deployment: its database, and its topics or all but the raw ones. There is no way back but a backup.

    \b
    --keep nothing  database and topics are deleted: `ft migrate` begins a new deployment
    --keep raw      it stays the same deployment. Workers read the raw topics again from their beginning, and the
                    ledger's topics are announced anew, in a new generation: subscribers begin again
    --keep topics   the database is emptied, Kafka is not touched: for `ft restore`, or another FT_TOPIC_PREFIX

    Topics are deleted only where the topic system.deployment proves that they are those of this database, and no worker
    reads them. Where the database is lost, --keep raw takes an empty one: the topic says which deployment it was. Dead
    letters and quarantine go with the database. Asks for the deployment's id to be typed, unless --confirm gives it.
    Ended in any way, the same command goes on where it was.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX, FT_NETWORKS
    """
    from ft.ops.recovery import reset
    from ft.ops.recovery.session import alone

    with Said() as said:
        config = configured()
        with alone(config, looks_only=dry_run) as conn:
            if reset.unfinished(config, conn, keep):  # type: ignore[arg-type]
                if dry_run:
                    click.echo("emptied by a run that was ended before it was done: the same command goes on with it")
                    return
                after = reset.afterwards(config, keep)  # type: ignore[arg-type]
                reset.go_on(config, conn)
            else:
                found = reset.plan(config, conn, keep, dry_run=dry_run, report=said)  # type: ignore[arg-type]
                _tell(found)
                if dry_run:
                    return
                if found.deployment:
                    require_confirmed(found.deployment, confirm)
                after = reset.afterwards(config, keep)  # type: ignore[arg-type]
                reset.reset(config, conn, keep, found, said)  # type: ignore[arg-type]
        click.echo(f"emptied. {after}")


def _tell(found: object) -> None:
    from ft.ops.recovery.reset import Plan

    assert isinstance(found, Plan)
    if not found.deployment:
        click.echo("database   names no deployment, and nothing was read into it: deleted")
    else:
        click.echo(f"deployment {found.deployment}")
    if found.bytes:
        click.echo(f"database   {found.rows:,} rows of the journal, {found.bytes / 1e6:,.1f} MB: deleted")
    elif found.deployment:
        click.echo("database   names no deployment: it is made anew as that of the topics")
    if found.letters:
        click.echo(f"           {found.letters:,} open dead letters (`ft dlq list`): deleted")
    for word, names in (("deleted", found.topics), ("kept", found.kept)):
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        if names:
            click.echo(f"topics     {', '.join(names[:_LISTED])}{more}: {word}")
    if found.refused_while:
        click.echo(f"refused while {', '.join(found.refused_while)} run: stop workers and ingestion first")
