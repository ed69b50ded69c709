"""``ft down``: Stop the servers that `ft up` started, and no others."""

import click

from ft import embedded
from ft.config import Config
from ft.embedded.progress import shown


@click.command()
@click.option("--delete-data", is_flag=True, help="Also delete their data, logs and passwords. Downloads stay.")
def command(delete_data: bool) -> None:
    """Stop the servers of this home (and a demo's API), in order, and wait until they are gone. Their data stay."""
    config = Config.from_env()
    with shown() as progress:
        with progress.doing("looking what runs"):
            from ft.demo.stage import stop_api
        stop_api(config, progress)
        stopped = (embedded.remove if delete_data else embedded.stop)(config, progress)
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    if delete_data:
        click.echo(f"deleted the servers' data under {config.home}")
