"""Reading what an environment variable says: a text, a path, a secret that may stand in a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ft.errors import ConfigError

FILE: Final = "_FILE"
"""Behind the name of a variable for a secret: the file that holds it."""
PORT_MAX: Final = 65_535


def path_of(text: str) -> Path:
    """An absolute path; ``~`` is the user's home."""
    return Path(text).expanduser().absolute()


def text_of(environ: Mapping[str, str], name: str, is_secret: bool = False) -> str:
    """The variable's text; of a secret also that of the file that ``<name>_FILE`` names. Raises ConfigError."""
    text, file = environ.get(name, ""), environ.get(f"{name}{FILE}", "") if is_secret else ""
    if text and file:
        raise ConfigError(f"{name} and {name}{FILE} are both set: expected one of them. Unset the other.")
    return secret_in(path_of(file), f"{name}{FILE}") if file else text


def secret_in(file: Path, name: str) -> str:
    """A file's text without the line's end. Raises ConfigError for one that cannot be read, or is empty."""
    try:
        found = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{name}: {file} cannot be read ({why}): expected a file with the secret") from exc
    if not found:
        raise ConfigError(f"{name}: {file}: expected a file with the secret, got an empty one")
    return found


def require_readable(file: Path, name: str) -> None:
    """Raises ConfigError for a path that is no file, or one that is closed to this user."""
    if not os.path.isfile(file) or not os.access(file, os.R_OK):  # noqa: PTH113 - Path.is_file raises where it is closed
        raise ConfigError(f"{name}: expected a file that can be read, got {file}, which is none")


def names_a_host(url: str) -> bool:
    """Whether a URL has a host, and a port that there can be or none: a client would say so late, or not at all."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return False
    return bool(parts.hostname)


def is_port(text: str) -> bool:
    """Whether it is the number of a port."""
    return text.isdecimal() and int(text) <= PORT_MAX
