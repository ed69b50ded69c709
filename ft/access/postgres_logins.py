"""A login of Postgres for each role that ft works in; without one, the login of ``FT_POSTGRES`` takes the role."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from ft.environment import FILE, is_port, text_of
from ft.errors import ConfigError

PREFIXES: Final = {"ft_writer": "FT_POSTGRES_WRITER", "ft_api": "FT_POSTGRES_API"}
"""Role -> what its variables begin with: ``FT_POSTGRES_API_USERNAME``, ``FT_POSTGRES_API_PASSWORD`` (or its file)."""
VARIABLES: Final = frozenset(
    f"{prefix}_{name}" for prefix in PREFIXES.values() for name in ("USERNAME", "PASSWORD", f"PASSWORD{FILE}")
)
"""All that are read here."""
_REFUSED: Final = re.compile(r"authentication failed|no password supplied|not permitted to log in|role \".*\" does not")
"""As Postgres and libpq say it of a login."""


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


def remedy(said: object, environ: Mapping[str, str], role: str = "") -> str:
    """What to look at where Postgres gave no connection, and ``said`` why; the end of a message. ``role``: of whom the
    login is, where it is not the one of ``FT_POSTGRES``."""
    if not _REFUSED.search(str(said)):
        return "Is it running (`ft status`), and is FT_POSTGRES right?"
    if (login := login_of(environ, role)) is None:
        return "It refused the login in FT_POSTGRES: are its name and password right?"
    settings = f"{PREFIXES[role]}_USERNAME and {PREFIXES[role]}_PASSWORD"
    return f"It refused the login {login.username!r}: are {settings} right, and did `ft migrate` run with them?"


def is_refused(said: object) -> bool:
    """Whether Postgres says that the password is another."""
    return "password authentication failed" in str(said)


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


def require_url(url: str) -> None:
    """Raises ConfigError for what is no URL of a database. The driver tells of it in its own words, and late.

    The address is not shown, and of it only what holds no password: where a / or ? of a password is not written as %2F
    or %3F, a part of that stands where the port should.
    """
    scheme, _, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    hosts = authority.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].rpartition(":") for host in hosts]
    got = ""
    if scheme not in ("postgresql", "postgres"):
        got = f"{len(url)} characters that do not begin with postgresql://"
    elif bad := [port for _, colon, port in ports if colon and port and not is_port(port)]:
        got = f"the port {bad[0]!r}" if "@" in authority else "a port that is no number, or a password with / ? # in it"
    elif {"?", "%", "["} & set(url):
        got = _unread(url)
    if got:
        raise ConfigError(
            f"FT_POSTGRES: expected a Postgres URL (postgresql://user:password@host:port/database), got {got}. "
            "Set it to one, or unset it to use the server of `ft up`."
        )


def _unread(url: str) -> str:
    """What the driver cannot read in it; empty where it can."""
    import psycopg

    try:
        psycopg.conninfo.conninfo_to_dict(url)
        urlsplit(url)
    except (psycopg.Error, ValueError) as exc:
        option = re.search(r'invalid URI query parameter: "(\w{1,40})"', str(exc))
        if option:
            return f"the option {option[1]!r}, which libpq does not have"
        return "one that libpq cannot read: [ without ], or % / ? # @ that are not written as %25 %2F %3F %23 %40"
    return ""


def same_server(one: str, other: str) -> bool:
    """Whether two URLs name the same servers, whoever logs in to whichever database."""
    return urlsplit(one).netloc.rpartition("@")[2] == urlsplit(other).netloc.rpartition("@")[2]
