"""A login of Postgres for each role that ft works in; without one, the login of ``FT_POSTGRES`` takes the role."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from ft.environment import FILE, text_of
from ft.errors import ConfigError

PREFIXES: Final = {"ft_writer": "FT_POSTGRES_WRITER", "ft_api": "FT_POSTGRES_API"}
"""Role -> what its variables begin with: ``FT_POSTGRES_API_USERNAME``, ``FT_POSTGRES_API_PASSWORD`` (or its file)."""
VARIABLES: Final = frozenset(
    f"{prefix}_{name}" for prefix in PREFIXES.values() for name in ("USERNAME", "PASSWORD", f"PASSWORD{FILE}")
)
"""All that are read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """On the server, and for the database, that ``FT_POSTGRES`` names."""

    username: str
    password: str = field(repr=False)


def login_of(environ: Mapping[str, str], role: str) -> Login | None:
    """The role's own login; None where it has none. Raises ConfigError for a half of one."""
    prefix = PREFIXES.get(role)
    if prefix is None:
        return None
    username = environ.get(f"{prefix}_USERNAME", "")
    password = text_of(environ, f"{prefix}_PASSWORD", is_secret=True)
    if bool(username) != bool(password):
        raise ConfigError(f"{prefix}_USERNAME and {prefix}_PASSWORD: expected both of them or none. Set the other.")
    return Login(username=username, password=password) if username else None


def url_in_role(url: str, role: str, login: Login | None) -> str:
    """The database's URL with a session in ``role``: of its own ``login``, else of the URL's, which is a member."""
    parts = urlsplit(url)
    if login is not None:
        place = parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{quote(login.username, safe='')}:{quote(login.password, safe='')}@{place}")
    if login is None or login.username != role:
        option = "options=" + quote(f"-c role={role}", safe="")
        parts = parts._replace(query=f"{parts.query}&{option}" if parts.query else option)
    return urlunsplit(parts)


def same_server(one: str, other: str) -> bool:
    """Whether two URLs name the same servers, whoever logs in to whichever database."""
    return urlsplit(one).netloc.rpartition("@")[2] == urlsplit(other).netloc.rpartition("@")[2]
