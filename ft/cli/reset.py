"""``ft reset``: Empty a deployment: its database, and its topics or all but the raw ones."""

import click

from ft.cli.configured import configured
from ft.cli.said import Said
from ft.errors import ConfigError

_LISTED = 12


@click.command()
@click.option(
    "--keep", type=click.Choice(["nothing", "raw", "topics"]), default="nothing", show_default=True,
    help="raw: everything is read again from the raw topics. topics: the database alone is emptied.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--confirm", metavar="ID", help="The deployment's id, instead of typing it when asked.")
def command(keep: str, dry_run: bool, confirm: str | None) -> None:
    """Empty a deployment: its database, and its topics or all but the raw ones. There is no way back but a backup.

    \b
    --keep nothing  database and topics are deleted: `ft migrate` begins a new deployment
    --keep raw      it stays the same deployment. Workers read the raw topics again from their beginning, and the
                    ledger's topics are announced anew, in a new generation: subscribers begin again
    --keep topics   the database is emptied, Kafka is not touched: for `ft restore`, or another FT_TOPIC_PREFIX

    Topics are deleted only where the topic system.deployment proves that they are those of this database. Dead letters
    and quarantine go with the database. Asks for the deployment's id to be typed, unless --confirm gives it.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX, FT_NETWORKS
    """
    from ft.agents.recovery import reset
    from ft.agents.recovery.session import alone

    with Said() as said:
        config = configured()
        with alone(config) as conn:
            if reset.unfinished(conn):
                reset.go_on(config, conn)
            else:
                found = reset.plan(config, conn, keep)  # type: ignore[arg-type]
                _tell(found)
                if dry_run:
                    return
                typed = confirm or click.prompt("Type the deployment's id to delete all of that", err=True)
                if typed != found.deployment:
                    raise ConfigError(f"expected {found.deployment}, got {typed!r:.80}. Nothing was changed.")
                reset.reset(config, conn, keep, found, said)  # type: ignore[arg-type]
    click.echo("emptied: workers read the raw topics again" if keep == "raw" else "emptied: run `ft migrate`")


def _tell(found: object) -> None:
    from ft.agents.recovery.reset import Plan

    assert isinstance(found, Plan)
    click.echo(f"deployment {found.deployment}")
    click.echo(f"database   {found.rows:,} rows of the journal, {found.bytes / 1e6:,.1f} MB: deleted")
    if found.letters:
        click.echo(f"           {found.letters:,} open dead letters (`ft dlq list`): deleted")
    for word, names in (("deleted", found.topics), ("kept", found.kept)):
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        if names:
            click.echo(f"topics     {', '.join(names[:_LISTED])}{more}: {word}")
