"""``ft <command>``: one module a command in this folder, imported only when it is asked for.

A command module is ``ft/cli/<name>.py`` (``_`` in the file is ``-`` on the command line) with a click command
called ``command`` at its top level. The first line of its docstring is what ``ft --help`` shows.
"""

import ast
import sys
from importlib import import_module
from pathlib import Path

import click

from ft.config import Config
from ft.early import rest
from ft.errors import FtError

_FOLDER = Path(__file__).parent


class LazyCommands(click.Group):
    """A group whose commands are the modules of this folder; listing them imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(path.stem.replace("_", "-") for path in _FOLDER.glob("*.py") if _holds_command(path))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = cmd_name.replace("-", "_")
        path = _FOLDER / f"{module}.py"
        if not module.isidentifier() or not path.is_file() or not _holds_command(path):
            return None
        command = import_module(f"ft.cli.{module}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"ft.cli.{module}.command: expected a click command, got {command!r}")
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first line of their module's docstring."""
        rows = [(name, _summary(_FOLDER / f"{name.replace('-', '_')}.py")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _holds_command(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "command":
            return True
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "command" for t in node.targets):
            return True
    return False


def _summary(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = docstring.partition("\n")[0].replace("``", "`")
    return first.split("`: ", 1)[-1] if first.startswith("`ft ") else first


@click.command(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ft-supply", prog_name="ft")
def commands() -> None:
    """Who owns an NFT, since when, and how sure it is: from the chain's own records."""


def main() -> None:
    """Run the command line. An FtError is one message on stderr and exit code 1, Ctrl-C is one line and 130."""
    code: object = 0
    try:
        _speak()
        rest()
        code = commands.main(prog_name="ft", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except FtError as exc:
        from ft.telemetry.takeover import tell_end

        tell_end(exc)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        from ft.cli.ending import at_once

        at_once()
    sys.exit(code if isinstance(code, int) else 0)


def _speak() -> None:
    """Where JSON is chosen, whatever a command says on stderr is; what it answers, on stdout, is not."""
    config = Config.of_logs()
    if config.log_format == "json":
        from ft.telemetry.takeover import take_over

        take_over(config)
