"""``ft verify``: Prove that journal, ownership and projections agree."""

import sys

import click

from ft.cli.configured import configured
from ft.cli.outcomes import tell
from ft.errors import FtError
from ft.telemetry.printable import printable

PROVEN, DIFFERENT, CANNOT_RUN = 0, 1, 2


@click.command()
@click.option("--wait", "wait_s", default=10.0, show_default=True, help="Seconds to wait for `project` to catch up.")
@click.option("--allow-lag", is_flag=True, help="Exit 0 although `project` has not read all that the ledger applied.")
@click.option("--no-topics", is_flag=True, help="Leave the topics out: nothing is read from Kafka.")
@click.option("--strict", is_flag=True, help="Exit 1 for findings too: tokens whose events do not add up.")
def command(wait_s: float, allow_lag: bool, no_topics: bool, strict: bool) -> None:
    """Prove that journal, ownership and projections agree; list what does not.

    Everything is recounted from the journal (every event that the ledger applied or took back, in that order), in one
    snapshot; a running pipeline may go on meanwhile:

    \b
    journal      seq has no gap and no repeat, and ends where its owner says
    ids          no event is live twice; revisions alternate apply, revert, apply
    slices       each block's slice (its events in one partition) holds its rows, applied or retracted whole
    chain        canonical blocks are linked; the ledger's partitions agree with them
    ownership    each token is where its last live event put it; balances are sums
    conservation no negative sum and no second holder, where the whole history is known
    projections  holdings, cards, holders, figures, activity, assets equal a recount
    coverage     stretches are the canonical blocks; holes and weak proofs are listed
    topics       read from their beginning as a subscriber does: nothing is missing in them, and they come to the same
                 ownership. Needs about half a kilobyte of memory for each holding of the largest partition

    A token whose events do not add up although all of them are known is a finding: it is kept in system.findings,
    marks the API's answers `nonconserving`, and goes away once it heals. Without its whole history (every block from
    the collection's creation, or the network's start block, up to the head) nothing is a finding.

    Exit code: 0 proven; 1 differences, or `project` is behind (see --allow-lag); 2 the check could not run.
    """
    from ft.ops.verify.run import Check, Listener, Outcome, verify
    from ft.telemetry.takeover import tell_end

    def on_check(check: Check) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r… {check.name:<12}", err=True, nl=False)

    def on_records(topic: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r… {topic}: {done:,} of {total:,} records\x1b[K", err=True, nl=False)

    def on_outcome(outcome: Outcome) -> None:
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)
        tell(outcome, "proved")

    try:
        listener = Listener(on_check=on_check, on_outcome=on_outcome, on_records=on_records)
        report = verify(configured(), wait_s=wait_s, listener=listener, topics=not no_topics)
    except FtError as exc:
        tell_end(exc)
        sys.exit(CANNOT_RUN)
    for finding in report.findings[:20]:
        click.echo(f"finding  {printable(finding)}")
    if report.findings or report.healed:
        click.echo(f"findings {len(report.findings):,} nonconserving tokens kept, {report.healed:,} healed")
    for note in report.notes:
        click.echo(f"note     {printable(note)}")
    if report.unread_events:
        click.echo(
            f"behind   project has not read {report.unread_events:,} events of the journal: its rows are compared as "
            "far as it has read. Wait for it, see `ft status`, or pass --allow-lag."
        )
    behind = report.unread_events > 0 and not allow_lag
    different = report.differences > 0 or behind or (strict and bool(report.findings))
    click.echo(f"{report.differences:,} differences" if report.differences else "no differences")
    sys.exit(DIFFERENT if different else PROVEN)
