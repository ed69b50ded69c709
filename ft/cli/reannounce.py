"""``ft reannounce``: Make Kafka's topics anew from the journal, after a loss."""

import click

from ft.cli.configured import configured
from ft.cli.restore import tell
from ft.cli.said import Said


@click.command()
def command() -> None:
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
    (`docs/consuming.md`). Ended in any way, the same command goes on where it was; until it is done nothing starts.

    \b
    Reads: FT_POSTGRES, FT_KAFKA, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX, FT_REPLICATION
    """
    from ft.ops.recovery.continued import reannounce
    from ft.ops.recovery.session import alone

    with Said() as said:
        config = configured()
        with alone(config) as conn:
            done = reannounce(config, conn, said)
    tell(done)
