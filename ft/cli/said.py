"""What a command tells: text from elsewhere as a terminal may have it, and how far it is."""

import sys
import time
from typing import TYPE_CHECKING

import click

from ft.telemetry.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ft.ops.rebuild.progress import Progress

_LINE_EVERY_S = 10.0
_UNBOUNDED = 1_000


def shown(text: str) -> str:
    """For rich: neither the terminal nor rich itself obeys it."""
    from rich.markup import escape

    return escape(printable(text))


def console() -> "Console":
    """Standard output; into a pipe or a file every value is whole, on one line."""
    from rich.console import Console

    found = Console()
    if not found.is_terminal:
        found.width = _UNBOUNDED
    return found


def table(*headings: str) -> "Table":
    """Columns without lines between them."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


class Said:
    """Told on stderr: one line that moves on a terminal, else a line every ten seconds."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._said_at = 0.0
        self._open = False

    def __enter__(self) -> "Said":
        return self

    def __exit__(self, *_: object) -> None:
        self._close_line()

    def __call__(self, said: "Progress | str") -> None:
        if isinstance(said, str):
            self._close_line()
            click.echo(said, err=True)
        elif time.monotonic() - self._said_at >= (0.2 if self._tty else _LINE_EVERY_S):
            self._said_at = time.monotonic()
            click.echo(f"\r{said}\x1b[K" if self._tty else str(said), err=True, nl=not self._tty)
            self._open = self._tty

    def _close_line(self) -> None:
        if self._open:
            click.echo(err=True)
            self._open = False
