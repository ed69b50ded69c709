"""What is deleted for good is confirmed by typing whose it is."""

import sys

import click

from ft.errors import ConfigError


def require_confirmed(deployment: str, confirm: str | None) -> None:
    """``confirm``: what the option of that name says; None: it is asked for. Raises ConfigError where it is another
    one, UsageError where nobody can type."""
    if (typed := confirm or _typed()) != deployment:
        raise ConfigError(f"expected {deployment}, got {typed!r:.80}. Nothing was changed.")


def _typed() -> str:
    click.echo("Type the deployment's id to delete all of that: ", nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        click.echo(err=True)
        raise click.UsageError("expected the deployment's id to be typed, or --confirm ID. Nothing was changed.")
    return line.strip()
