"""How the commands that compare tell what came of it."""

from typing import TYPE_CHECKING

import click

from ft.telemetry.printable import printable

if TYPE_CHECKING:
    from ft.ops.verify.run import Outcome


def tell(outcome: "Outcome", fine: str) -> None:
    """One line, and one a difference that is listed. ``fine``: the word where there is none."""
    click.echo(f"{'differs' if outcome.count else fine:7}  {outcome.claim}  ({outcome.seconds:.1f} s)")
    for difference in outcome.differences:
        click.echo(f"         {printable(difference)}")
    if outcome.count > len(outcome.differences):
        click.echo(f"         … and {outcome.count - len(outcome.differences):,} more")
