"""How ft logs in to the schema registry: what it asks for over TLS, and what ft shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ft.environment import FILE, PORT_MAX, names_a_host, path_of, require_readable, secret_in, text_of
from ft.errors import ConfigError

_CA, _USERNAME, _PASSWORD, _TOKEN, _CLUSTER = (
    f"FT_SCHEMA_REGISTRY_{name}" for name in ("CA", "USERNAME", "PASSWORD", "TOKEN", "CLUSTER")
)
VARIABLES: Final = frozenset({_CA, _USERNAME, _PASSWORD, f"{_PASSWORD}{FILE}", _TOKEN, f"{_TOKEN}{FILE}", _CLUSTER})
"""All that are read here."""


@dataclass(frozen=True, kw_only=True)
class RegistrySecurity:
    """What is shown with every request. Built by :meth:`from_env`; the default shows nothing."""

    ca: Path | None = None
    """``FT_SCHEMA_REGISTRY_CA``: PEM file with the authorities of its certificate. Default: the system's."""
    username: str = ""
    """``FT_SCHEMA_REGISTRY_USERNAME``: of HTTP's basic authentication. Default: none."""
    password: str = field(default="", repr=False)
    """``FT_SCHEMA_REGISTRY_PASSWORD`` (or ``..._FILE``): of the same."""
    token: str = field(default="", repr=False)
    """``FT_SCHEMA_REGISTRY_TOKEN``: a bearer token, instead of name and password. Default: none."""
    token_file: Path | None = None
    """``FT_SCHEMA_REGISTRY_TOKEN_FILE``: a file in which somebody keeps a valid one; read anew for each request."""
    cluster: str = ""
    """``FT_SCHEMA_REGISTRY_CLUSTER``: the logical cluster that Confluent Cloud wants beside a token. Default: none."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "RegistrySecurity":
        """Read the environment. Raises ConfigError for a value that cannot be read, lacks, or has no use here."""
        token_file, ca = environ.get(f"{_TOKEN}{FILE}", ""), environ.get(_CA, "")
        found = cls(
            ca=path_of(ca) if ca else None,
            username=environ.get(_USERNAME, ""),
            password=text_of(environ, _PASSWORD, is_secret=True),
            token=environ.get(_TOKEN, ""),
            token_file=path_of(token_file) if token_file else None,
            cluster=environ.get(_CLUSTER, ""),
        )
        _require(found, environ.get("FT_SCHEMA_REGISTRY", ""))
        return found

    def confluent(self) -> dict[str, Any]:
        """Settings of Confluent's registry client."""
        settings: dict[str, Any] = {}
        if self.ca is not None:
            settings["ssl.ca.location"] = str(self.ca)
        if self.username:
            settings["basic.auth.user.info"] = f"{self.username}:{self.password}"
        if self.token or self.token_file:
            settings["bearer.auth.credentials.source"] = "CUSTOM"
            settings["bearer.auth.custom.provider.function"] = lambda _: {
                "bearer.auth.token": self.bearer(),
                "bearer.auth.logical.cluster": self.cluster,
            }
            settings["bearer.auth.custom.provider.config"] = {}
        return settings

    def bearer(self) -> str:
        """The token of now; empty: none. Raises ConfigError where its file cannot be read."""
        return self.token or (secret_in(self.token_file, f"{_TOKEN}{FILE}") if self.token_file else "")


def _require(security: RegistrySecurity, url: str) -> None:
    """Raises ConfigError for settings that do not belong together."""
    if url and not all(
        each.startswith(("http://", "https://")) and names_a_host(each) for each in url.replace(" ", "").split(",")
    ):
        raise ConfigError(
            "FT_SCHEMA_REGISTRY: expected an http or https URL (http://host:port/...) with a port of at most "
            f"{PORT_MAX} or none, got {len(url)} characters that are none"
        )
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigError(
            f"FT_SCHEMA_REGISTRY: expected a URL without name and password, which messages show. Set {_USERNAME} and "
            f"{_PASSWORD} (or {_PASSWORD}{FILE}) instead."
        )
    if bool(security.username) != bool(security.password):
        raise ConfigError(f"{_USERNAME} and {_PASSWORD}: expected both of them or none. Set the other.")
    shown = [name for name, text in ((_USERNAME, security.username), (_TOKEN, security.token)) if text]
    shown += [f"{_TOKEN}{FILE}"] if security.token_file else []
    if len(shown) > 1:
        raise ConfigError(f"{' and '.join(shown)} are set: expected one of them. Unset the others.")
    if security.ca is not None and parts.scheme != "https":
        raise ConfigError(f"{_CA}: expected nothing, as FT_SCHEMA_REGISTRY is no https URL: it would not be used.")
    for file, name in ((security.ca, _CA), (security.token_file, f"{_TOKEN}{FILE}")):
        if file is not None:
            require_readable(file, name)
    if security.ca is not None:
        from ft.access.certificates import require_authorities

        require_authorities(security.ca, _CA)
