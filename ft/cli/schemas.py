"""``ft schemas``: Show, keep, restore and check the schema ids that records are written under."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ft.cli.configured import configured
from ft.cli.said import console, shown, table
from ft.errors import FtError
from ft.telemetry.takeover import tell_end

if TYPE_CHECKING:
    from ft.schemas.registered import Agreement

SAME, DIFFERENT, CANNOT_RUN = 0, 1, 2


@click.group(no_args_is_help=True)
def command() -> None:
    """Show, keep, restore and check the schema ids that records are written under.

    A record on Kafka names its schema by an id alone, which the registry gave out. Ids are therefore a part of the log:
    ft keeps each with its schema in the database (system.schemas) and on the topic system.deployment, and reads without
    a registry. A registry that lost its data gets the same ids back from `ft migrate`, workers and `ft ingest`; one
    that says something else for an id is refused by all of them.

    \b
    ft schemas list                   every id, its subject, and what the registry says of it
    ft schemas check                  whether the registry agrees; exit 0, 1 or 2
    ft schemas export --to ids.json   a copy of ids and schemas, for your own backup
    ft schemas import                 give the registry back what the database keeps
    ft schemas import ids.json        the same from a file, where the database is lost too

    \b
    Reads: FT_POSTGRES, FT_SCHEMA_REGISTRY (default: the servers of `ft up`)
    """


@command.command("list", short_help="List ids, subjects and records, and what the registry says.")
def list_() -> None:
    """List every id with its subject, version and record, and what the registry says of it.

    \b
    same    the registry has the same schema under the id
    lost    it has none: `ft schemas import` puts it back
    other   it says something else, see `ft schemas check`
    ?       the registry does not answer, or is none

    Needs the database only.
    """
    from ft.streams.deployment.comparing import refuse_somebodys
    from ft.streams.deployment.schema_ids import Schemas

    config = configured()
    with Schemas(config) as schemas:
        found = schemas.agreement()
        kept = schemas.kept
    if not kept:
        refuse_somebodys(config)
        click.echo("no schema is kept yet: `ft migrate` keeps those of the registry")
        return
    rows = table("id", "subject", "version", "record", "registry")
    for row in kept:
        rows.add_row(str(row.id), shown(row.subject), str(row.version), shown(row.record), _said(found, row.id))
    console().print(rows)


@command.command("export", short_help="Write ids and schemas as JSON.")
@click.option("--to", "path", type=click.Path(path_type=Path), help="The file. Default: standard output.")
def export(path: Path | None) -> None:
    """Write every id with its subject, version and schema as JSON, which `ft schemas import` reads.

    Keep it with your backups: with it every record can be read although database and registry are lost. A file that
    exists is replaced once the new one is whole. Needs the database only.
    """
    from ft.streams.deployment.schema_files import exported

    text, count = exported(configured())
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        beside = path.with_name(f"{path.name}.new")
        beside.write_text(text)
        beside.replace(path)
    except OSError as exc:
        raise click.ClickException(f"--to: expected a file that can be written, got: {exc}") from exc
    click.echo(f"{path}: {count} ids")


@command.command("import", short_help="Give a registry the same ids back.")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be put back, and change nothing.")
def import_(path: Path | None, dry_run: bool) -> None:
    """Give a registry the ids back that it lost: those that the database keeps, and those of FILE.

    What the registry has is left as it is; where it says something else for one of the ids, nothing is changed. Other
    subjects may be in it. Schemas of FILE that the database does not keep are kept from then on; a database that is not
    migrated is left alone.

    Apicurio Registry 3 takes them by its import, every other by mode IMPORT of Confluent's API.

    Exit code: 0 the registry has all of them; 1 it has not, and the message says why.
    """
    from ft.streams.deployment.schema_files import put_back

    done = put_back(configured(), path, dry_run=dry_run)
    if not done.ids:
        click.echo("no schema is kept, and no file was named: nothing to put back")
    elif done.lost and dry_run:
        click.echo(f"would put back ids {', '.join(map(str, done.lost))}; {done.ids} in all. Nothing was changed")
    elif done.lost:
        click.echo(f"put back ids {', '.join(map(str, done.lost))}; {done.ids} in all")
    else:
        click.echo(f"the registry has all of {done.ids} ids")
    if done.kept:
        click.echo(f"the database keeps {done.kept} schemas more")


@command.command(short_help="Whether the registry agrees with what is kept.")
def check() -> None:
    """Compare every id that the database keeps with the registry, and list what differs. Changes nothing.

    Exit code: 0 the registry has the same schema under every id; 1 it lost some, or says something else for some; 2 the
    check could not run: the registry or the database does not answer, or nothing is kept yet.
    """
    from ft.streams.deployment.schema_files import checked

    try:
        found = checked(configured())
    except FtError as exc:
        tell_end(exc)
        sys.exit(CANNOT_RUN)
    for row in found.lost:
        click.echo(f"lost     id {row.id} of {row.subject}: {row.record}")
    for difference in found.different:
        click.echo(f"differs  {difference}")
    if found.different:
        click.echo(
            "This registry is not the one that the records were written with, or gave ids out anew after a loss. Point "
            "FT_SCHEMA_REGISTRY at the deployment's, or at an empty one and `ft schemas import`."
        )
    elif found.lost:
        click.echo("`ft schemas import` puts them back, as workers and `ft migrate` do.")
    else:
        click.echo(f"same     {found.ids} ids")
    sys.exit(DIFFERENT if found.lost or found.different else SAME)


def _said(found: "Agreement | None", schema_id: int) -> str:
    if found is None or found.wrong:
        return "?"
    if schema_id in {difference.id for difference in found.different}:
        return "[red]other[/]"
    return "[red]lost[/]" if schema_id in found.lost_ids else "same"
