"""``ft rebuild``: Make projections, or a second ledger, once more from the log."""

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ft.cli.configured import configured
from ft.cli.ending import run
from ft.cli.outcomes import tell
from ft.cli.said import Said
from ft.errors import FtError
from ft.schemas.domains import Domain, declared

if TYPE_CHECKING:
    from ft.ops.rebuild.takeover import Kept

EQUAL, DIFFERENT, CANNOT_RUN = 0, 1, 2


class _Rebuilds(click.Group):
    """One command a domain that subscribes beside the others; those of FT_DOMAINS are known once the settings are read.

    What a chain reader has sent is not made anew: its topic is the raw log's, decoded.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *(domain.name for domain in declared() if domain.subscribers)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (found := super().get_command(ctx, cmd_name)) is not None:
            return found
        with suppress(FtError):  # which the command says, if there is one
            configured()
        domain = next((each for each in declared() if each.name == cmd_name and each.subscribers), None)
        return None if domain is None else _of(domain)


@click.group(cls=_Rebuilds, no_args_is_help=True)
def command() -> None:
    """Make projections, or a second ledger, once more from the log.

    \b
    ft rebuild project   everything that `project` keeps, from ledger.ownership_changed; then it is served
    ft rebuild DOMAIN    everything that a domain keeps, in the same way
    ft rebuild ledger    a second ledger from the raw topics, compared with the one that is served, then deleted

    Both work in schemas of their own beside those that are served, while everything goes on. Ended in any way, the
    old is served and untouched; the next rebuild of the kind deletes what was left and begins anew.
    """


@command.command("project", short_help="Projections from the topic's beginning, then served.")
def project() -> None:
    """Rebuild what `project` keeps (holdings, asset cards, holders, figures, activity, the catalog's stubs (assets
    without metadata), heads, dead letters) from the first record of ledger.ownership_changed, and serve it.

    The served tables are read and written meanwhile. When the new ones have everything, they take the place of the old
    in one transaction, which readers wait for (some tenths of a second). Running workers need no restart: they go on
    from the offset where the new tables stand.

    A second one at the same time is refused. Exit code: 0 served; 1 not, the old is served.

    \b
    Reads: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX
    """
    from ft.ops.rebuild.takeover import PROJECT

    _rebuild(PROJECT)


def _of(domain: Domain) -> click.Command:
    """``ft rebuild <domain>``"""

    def rebuild() -> None:
        from ft.ops.rebuild.takeover import kept_by

        _rebuild(kept_by(domain))

    told = (
        f"Rebuild what {domain.name} keeps ({', '.join(domain.tables)}) from the first record of "
        "ledger.ownership_changed, and serve it; see `ft rebuild project --help`. Nothing is announced again. "
        "Exit code: 0 served; 1 not, the old is served."
    )
    return click.Command(domain.name, callback=rebuild, help=told, short_help=f"Everything that {domain.name} keeps.")


def _rebuild(kept: "Kept") -> None:
    from ft.ops.rebuild.domain import rebuild
    from ft.streams.deployment.guard import beside

    _end_in_order()
    with Said() as said:
        config = configured()
        done = run(beside(config, rebuild(config, kept, said)))
    click.echo(
        f"served: {done.records:,} records, everything that {kept.name} keeps; readers waited {done.locked_s:.2f} s "
        f"at the {done.tries}. try"
    )


@command.command("ledger", short_help="A second ledger from the raw topics, compared with the first.")
@click.option("--network", "networks", multiple=True, help="Only this network; repeatable. Default: all.")
@click.option("--keep", is_flag=True, help="Leave the second ledger's schemas, to look at, until the next rebuild.")
@click.option(
    "--level-within", "level_s", type=click.FloatRange(min=1), default=300.0, show_default=True,
    help="Seconds that the two may take to stand at the same place, once the second has caught up.",
)  # fmt: skip
def ledger(networks: tuple[str, ...], keep: bool, level_s: float) -> None:
    """Read the raw topics from their beginning with a second normalize and ledger, and compare what comes of it.

    The proof that Kafka is the log: events in force (those whose blocks count), ownership, sums, slices (a block's
    events in one partition), heads, the canonical chain, coverage and quarantine must be equal. A partition is compared
    in one snapshot, when both have read it to the same raw offset; until then it is waited for. Needs a running worker,
    and no backfill that never pauses.

    Exit code: 0 equal; 1 different; 2 the comparison could not be made, or not all of it.

    \b
    Reads: FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`), FT_TOPIC_PREFIX
    """
    from ft.ops.rebuild.ledger import rebuild_ledger
    from ft.telemetry.takeover import tell_end

    _end_in_order()
    try:
        with Said() as said:
            result = rebuild_ledger(configured(), list(networks), said, keep=keep, level_s=level_s)
    except FtError as exc:
        tell_end(exc)
        sys.exit(CANNOT_RUN)
    for outcome in result.outcomes:
        tell(outcome, "equal")
    for line in result.not_compared:
        click.echo(f"missing  {line}")
    if result.kept:
        click.echo(f"kept     schemas ..._{result.kept}")
    click.echo(f"{result.differences:,} differences" if result.differences else "no differences")
    sys.exit(DIFFERENT if result.differences else CANNOT_RUN if result.not_compared else EQUAL)


def _end_in_order() -> None:
    """SIGTERM as SIGINT: what was made is deleted on the way out."""

    def end(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
