"""``ft reannounce``: Make Kafka's topics anew from the journal, after a loss."""

from typing import TYPE_CHECKING

import click

from ft.cli.configured import configured
from ft.cli.confirming import require_confirmed
from ft.cli.restore import tell
from ft.cli.said import Said

if TYPE_CHECKING:
    from ft.ops.recovery.continued import Planned


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, or refuses it, and do nothing.")
@click.option("--confirm", metavar="ID", help="The deployment's id, instead of typing it when asked.")
def command(dry_run: bool, confirm: str | None) -> None:
    """Make Kafka's topics anew from the journal (the ledger's events, in order), after Kafka has lost them.

    Workers and ingestion are stopped before. What Kafka still has decides what happens:

    \b
    nothing                     every topic is made anew. What was on its way is taken back and read again from the
                                chain; the raw log begins where it ended, and what lies below is gone: `ft rebuild
                                ledger` cannot read it any more
    the raw and normalized log  only the ledger's topics are made anew, from the first row of the journal on; old
                                records are deleted
    a part of that              refused

    A new generation of announced records begins; a subscriber drops what it has by `seq` and goes on
    (`docs/consuming.md`). Where records are deleted, the deployment's id is asked for, unless --confirm gives it. Ended
    in any way, the same command goes on where it was; until it is done nothing starts.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX, FT_REPLICATION
    """
    from ft.ops.recovery.continued import plan, reannounce
    from ft.ops.recovery.session import alone

    with Said() as said:
        config = configured()
        with alone(config, looks_only=dry_run) as conn:
            planned = plan(config, conn, None if dry_run else said)
            _tell_plan(planned)
            if dry_run:
                return
            if planned.records:
                require_confirmed(planned.deployment, confirm)
            done = reannounce(config, conn, said)
    tell(done)


def _tell_plan(planned: "Planned") -> None:
    click.echo(f"deployment {planned.deployment}")
    if planned.begun:
        click.echo("topics     a run was ended before it was done: the same command goes on with it")
    elif planned.kind == "lost":
        click.echo("topics     Kafka has none of them, or nothing in them: all are made anew")
    else:
        click.echo(
            f"topics     the ledger's are made anew, {planned.records:,} old records are deleted; the others stay"
        )
    click.echo(f"journal    {planned.rows:,} rows are announced from the first on")
    if planned.refused_while:
        click.echo(f"refused while {', '.join(planned.refused_while)} run: stop workers and ingestion first")
