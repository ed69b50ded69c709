"""``ft dlq``: Show and settle dead letters, the records that were refused."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ft.cli.configured import configured
from ft.cli.said import console, shown, table
from ft.config import Config
from ft.schemas.domains import declared
from ft.telemetry.printable import printable

if TYPE_CHECKING:
    from ft.ops.dlq import Connection, Letter

_HEX_BYTES = 256
_TEXT_MAX = 2_000


class _Consumer(click.ParamType):
    """Who refuses records: the spine, and the domains that the settings name."""

    name = "consumer"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        configured()
        of_domains = [consumer for domain in declared() for consumer in (*domain.consumers, *domain.reading)]
        known = ["publisher", "normalize", "ledger", "project", *of_domains]
        if value not in known:
            self.fail(f"expected one of {', '.join(known)}, got {value!r}", param, ctx)
        return value


@click.group(no_args_is_help=True)
def command() -> None:
    """Show dead letters, the records that were refused, and settle them.

    A consumer that cannot take a record puts it aside, whole, and goes on; only the publisher waits, since the order of
    what it announces is worth more. A letter stays open, and the alert on, until somebody has dealt with it:

    \b
    ft dlq list                         what is open
    ft dlq show 12                      everything about one letter
    ft dlq replay 12                    take it up again, or learn what brings what it carried
    ft dlq replay --consumer publisher  every partition that waits goes on
    ft dlq drop 12                      close it: nothing is missing, or nothing can be done
    """


def _filters(work: Callable[..., None]) -> Callable[..., None]:
    """The options that choose letters."""
    for option in (
        click.option("--network", help="Letters of this network."),
        click.option("--reason", help="Letters with this reason, such as no_parent."),
        click.option("--consumer", type=_Consumer(), help="Letters of this consumer."),
    ):
        work = option(work)
    return work


@command.command("list", short_help="List open letters, the oldest first.")
@_filters
@click.option("--all", "settled", is_flag=True, help="Those that were replayed or dropped too.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many, the oldest first.")
def list_(consumer: str | None, reason: str | None, network: str | None, settled: bool, limit: int) -> None:
    """List open letters, the oldest first."""
    from ft.ops import dlq

    wanted = dlq.Wanted(consumer=consumer, reason=reason, network=network, settled=settled)
    with dlq.connect(configured()) as conn:
        found, count = dlq.letters(conn, wanted, limit)
    if not found:
        click.echo("no dead letters" if settled else "no open dead letters")
        return
    _table(found, settled)
    if count > len(found):
        click.echo(f"and {count - len(found):,} more: see --limit")


@command.command(short_help="Show one letter whole, its record decoded.")
@click.argument("letter_id", metavar="ID", type=int)
def show(letter_id: int) -> None:
    """Show one letter whole: where it was refused and why, and the record, decoded if its bytes allow it.

    The bytes of a block's parts are counted, not printed.
    """
    from ft.ops import dlq

    config = configured()
    with dlq.connect(config) as conn:
        letter = dlq.letter(conn, letter_id)
    offset = "journal seq" if letter.consumer == "publisher" else "offset"
    rows = {"id": letter.id, "state": letter.state, "since": f"{letter.created_at:%Y-%m-%d %H:%M:%S %Z}"}
    rows |= {"consumer": letter.consumer, "topic": letter.topic, "partition": letter.partition, offset: letter.offset}
    rows |= {"network": letter.network, "reason": letter.reason, "error": letter.error}
    rows |= {"payload": f"{len(letter.payload):,} bytes"}
    _fields(rows)
    record, said = dlq.decoded(config, letter)
    if record is None:
        click.echo(f"\nnot decoded: {said}\n{letter.payload[:_HEX_BYTES].hex(' ', 4)}")
        if len(letter.payload) > _HEX_BYTES:
            click.echo(f"… and {len(letter.payload) - _HEX_BYTES:,} bytes more")
        return
    click.echo(f"\n{said}")
    _fields({name: _value(value) for name, value in record.items()})


@command.command(short_help="Take letters up again, or say what brings what they carried.")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@_filters
def replay(ids: Sequence[int], consumer: str | None, reason: str | None, network: str | None) -> None:
    """Take letters up again: those with these IDs, or the open ones that the options choose.

    \b
    publisher    The partition goes on from the row that the broker refused. Mend the topic first.
    normalize    A raw record is not sent again: its place in the chain's order is gone. The letter is
    ledger       closed if what it carried has come another way; else this says which command brings
                 it, and is to be asked again afterwards.
    project      The record stays in its topic; this says how to find out whether anything is missing.
    a domain     As project.

    Exits 1 if a letter could not be replayed; it stays open.
    """
    from ft.ops import dlq

    config = configured()
    _each(config, ids, consumer, reason, network, lambda conn, letter: dlq.replay(config, conn, letter))


@command.command(short_help="Close letters and do nothing else.")
@click.argument("ids", metavar="[ID]...", nargs=-1, type=int)
@_filters
def drop(ids: Sequence[int], consumer: str | None, reason: str | None, network: str | None) -> None:
    """Close letters for good, and do nothing else: those with these IDs, or the open ones that the options choose.

    For records that are not missed: of somebody else, or of a block that is gone. The row stays, as `dropped`. The
    letter of a partition whose publisher waits cannot be dropped.
    """
    from ft.ops import dlq

    _each(configured(), ids, consumer, reason, network, dlq.drop)


def _each(
    config: Config,
    ids: Sequence[int],
    consumer: str | None,
    reason: str | None,
    network: str | None,
    settle: "Callable[[Connection, Letter], str]",
) -> None:
    """Settle each chosen letter and say what became of it; exit 1 if one stays open."""
    from ft.ops import dlq
    from ft.telemetry.takeover import tell

    chosen = (consumer, reason, network) != (None, None, None)
    if bool(ids) == chosen:
        raise click.UsageError("name letters by their IDs, or choose them by --consumer, --reason, --network")
    refused = 0
    with dlq.connect(config) as conn:
        wanted = dlq.Wanted(consumer=consumer, reason=reason, network=network)
        found = [dlq.letter(conn, each) for each in ids] if ids else dlq.letters(conn, wanted, None)[0]
        for letter in found:
            try:
                click.echo(f"{letter.id}: {settle(conn, letter)}")
            except dlq.CannotReplay as exc:
                refused += 1
                tell(f"{letter.id}: stays open: {exc}")
    if not found:
        click.echo("no open dead letters")
    sys.exit(1 if refused else 0)


def _table(letters: "Iterable[Letter]", settled: bool) -> None:
    rows = table("id", "since", "consumer", "where", "network", "reason", *(["state"] if settled else []), "error")
    for each in letters:
        where = f"{each.topic}-{each.partition}@{each.offset}"
        said = (str(each.id), f"{each.created_at:%Y-%m-%d %H:%M}", each.consumer, where, each.network, each.reason)
        rows.add_row(*map(shown, said), *([each.state] if settled else []), shown(" ".join(each.error.split())))
    console().print(rows)


def _fields(rows: Mapping[str, Any]) -> None:
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"{name:<{width}}  {printable(value)}")


def _value(value: Any) -> str:
    """A field in a line; bytes are counted."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list):
        text = f"[{'; '.join(map(_value, value[:20]))}{'; …' if len(value) > 20 else ''}] ({len(value):,})"
    else:
        text = str(value)
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
