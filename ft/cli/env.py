"""``ft env``: Print the servers' addresses and logins for a shell."""

import shlex

import click

from ft.config import ADDRESSES, Config


@click.command()
def command() -> None:
    """Print the servers' addresses, and what their logins take: eval "$(ft env)"."""
    config = Config.from_env()
    logins = {name: value for name, value in sorted(config.addresses.items()) if name not in ADDRESSES}
    for name, value in [*((name, _address(config, name)) for name in ADDRESSES), *logins.items()]:
        click.echo(f"export {name}={shlex.quote(value)}")


def _address(config: Config, name: str) -> str:
    return {"FT_KAFKA": lambda: config.kafka, "FT_POSTGRES": lambda: config.postgres}.get(
        name, lambda: config.schema_registry
    )()
