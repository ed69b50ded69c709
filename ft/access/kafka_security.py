"""How ft logs in to Kafka: one setting each, for librdkafka, aiokafka and the admin client alike.

Names and values are those of Kafka's own client settings (``security.protocol``, ``sasl.mechanism``). What is secret
can stand in a file instead: ``FT_KAFKA_PASSWORD_FILE`` in place of ``FT_KAFKA_PASSWORD``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ft.environment import FILE, PORT_MAX, is_port, names_a_host, path_of, require_readable, text_of
from ft.errors import ConfigError

if TYPE_CHECKING:
    from ft.access.oauth import Tokens

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@dataclass(frozen=True, kw_only=True)
class KafkaSecurity:
    """What is shown and asked for when a connection opens. Built by :meth:`from_env`; the default is a plain one."""

    protocol: str = "PLAINTEXT"
    """``FT_KAFKA_SECURITY_PROTOCOL``: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Default PLAINTEXT."""
    ca: Path | None = None
    """``FT_KAFKA_CA``: PEM file with the authorities that the broker's certificate may be of. Default: the system's."""
    certificate: Path | None = None
    """``FT_KAFKA_CERTIFICATE``: PEM file with the certificate that is shown to the broker (mTLS). Default: none."""
    key: Path | None = None
    """``FT_KAFKA_KEY``: PEM file with that certificate's private key."""
    key_password: str = field(default="", repr=False)
    """``FT_KAFKA_KEY_PASSWORD`` (or ``..._FILE``): what the key is encrypted with. Default: it is not."""
    mechanism: str = ""
    """``FT_KAFKA_SASL_MECHANISM``: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."""
    username: str = ""
    """``FT_KAFKA_USERNAME``: of PLAIN and SCRAM."""
    password: str = field(default="", repr=False)
    """``FT_KAFKA_PASSWORD`` (or ``..._FILE``): of PLAIN and SCRAM."""
    token_url: str = ""
    """``FT_KAFKA_TOKEN_URL``: of OAUTHBEARER: where a token is had for client credentials (RFC 6749, 4.4)."""
    client_id: str = ""
    """``FT_KAFKA_CLIENT_ID``: to show there."""
    client_secret: str = field(default="", repr=False)
    """``FT_KAFKA_CLIENT_SECRET`` (or ``..._FILE``): to show there."""
    scope: str = ""
    """``FT_KAFKA_SCOPE``: to ask for there. Default: none."""
    token_file: Path | None = None
    """``FT_KAFKA_TOKEN_FILE``: of OAUTHBEARER: a file in which somebody keeps a valid token, instead of the URL."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "KafkaSecurity":
        """Read the environment. Raises ConfigError for a value that cannot be read, lacks, or has no use here."""
        given = {setting.name: text_of(environ, *_NAMES[setting.name]) for setting in fields(cls)}
        found = cls(**{name: _PARSE.get(name, str)(text) for name, text in given.items() if text})
        _require(found)
        return found

    @property
    def is_encrypted(self) -> bool:
        """Whether connections are TLS."""
        return self.protocol in ("SSL", "SASL_SSL")

    def environ(self) -> dict[str, str]:
        """The environment variables that make another process read this; secrets are among them."""
        chosen = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        return {_NAMES[name][0]: str(value) for name, value in chosen.items() if value != getattr(_PLAIN, name)}

    def librdkafka(self) -> dict[str, Any]:
        """Settings of a librdkafka client: producer, consumer or admin. Raises BrokerUnavailable where it needs a token
        and there is none."""
        if self.protocol == "PLAINTEXT":
            return {}
        settings: dict[str, Any] = {"security.protocol": self.protocol}
        if self.is_encrypted:
            settings["ssl.ca.location"] = str(self.ca or "probe")  # its own default is a folder that may not exist
            if self.certificate is not None:
                settings |= {"ssl.certificate.location": str(self.certificate), "ssl.key.location": str(self.key)}
            if self.key_password:
                settings["ssl.key.password"] = self.key_password
        if self.mechanism:
            settings["sasl.mechanism"] = self.mechanism
        if self.mechanism == "OAUTHBEARER":
            self.tokens.current()  # a client that gets none waits for ten seconds, and does not say why
            settings["oauth_cb"] = self.tokens.for_librdkafka
        elif self.mechanism:
            settings |= {"sasl.username": self.username, "sasl.password": self.password}
        return settings

    @cached_property
    def tokens(self) -> "Tokens":
        """Of OAUTHBEARER: where this process has its tokens from."""
        from ft.access.oauth import Tokens

        return Tokens(
            url=self.token_url,
            client_id=self.client_id,
            client_secret=self.client_secret,
            scope=self.scope,
            file=self.token_file,
        )


def require_servers(servers: str) -> None:
    """Raises ConfigError for bootstrap servers whose port is none: clients only say that nobody answers."""
    for server in servers.split(","):
        _, colon, port = server.strip().rpartition("]")[2].rpartition(":")
        if "://" in server or (colon and not is_port(port)):
            raise ConfigError(
                f"FT_KAFKA: expected the bootstrap servers (host:port, commas between), with ports of at most "
                f"{PORT_MAX}, got {server.strip()!r}"
            )


def _protocol(text: str) -> str:
    return _one_of("FT_KAFKA_SECURITY_PROTOCOL", text, PROTOCOLS)


def _mechanism(text: str) -> str:
    return _one_of("FT_KAFKA_SASL_MECHANISM", text, MECHANISMS)


def _one_of(name: str, text: str, allowed: tuple[str, ...]) -> str:
    if text.upper() not in allowed:
        raise ConfigError(f"{name}: expected one of {', '.join(allowed)}, got {text!r}.")
    return text.upper()


_SECRET: Final = frozenset({"key_password", "password", "client_secret"})
_NAMES: Final[Mapping[str, tuple[str, bool]]] = {
    name: (f"FT_KAFKA_{setting}", name in _SECRET)
    for name, setting in {
        "protocol": "SECURITY_PROTOCOL",
        "mechanism": "SASL_MECHANISM",
        **{
            name: name.upper()
            for name in (
                "ca", "certificate", "key", "key_password", "username", "password", "token_url", "client_id",
                "client_secret", "scope", "token_file",
            )
        },
    }.items()
}  # fmt: skip
"""Field -> its variable, and whether it is a secret, which may stand in a file."""
_PARSE: Final[Mapping[str, Any]] = {
    "protocol": _protocol,
    "mechanism": _mechanism,
    "ca": path_of,
    "certificate": path_of,
    "key": path_of,
    "token_file": path_of,
}
_PLAIN: Final = KafkaSecurity()
VARIABLES: Final = frozenset(name for name, _ in _NAMES.values()) | {
    f"{name}{FILE}" for name, is_secret in _NAMES.values() if is_secret
}
"""All that are read here."""


def _require(security: KafkaSecurity) -> None:
    """Raises ConfigError for settings that do not belong together: one that is not used would seem to protect."""
    protocol, mechanism = security.protocol, security.mechanism
    wanted = {"protocol"}
    needed: list[tuple[str, ...]] = []
    if security.is_encrypted:
        wanted |= {"ca", "certificate", "key", "key_password"}
        if security.certificate or security.key or security.key_password:
            needed += [("certificate",), ("key",)]
    if protocol.startswith("SASL"):
        wanted.add("mechanism")
        needed.append(("mechanism",))
        if mechanism == "OAUTHBEARER":
            by_url = {"token_url", "client_id", "client_secret", "scope"}
            wanted |= {"token_file"} if security.token_file else by_url
            needed += [] if security.token_file else [("token_url", "token_file"), ("client_id",), ("client_secret",)]
        elif mechanism:
            wanted |= {"username", "password"}
            needed += [("username",), ("password",)]
    why = f"FT_KAFKA_SECURITY_PROTOCOL is {protocol}" + (f", FT_KAFKA_SASL_MECHANISM {mechanism}" if mechanism else "")
    for names in needed:
        if not any(getattr(security, name) for name in names):
            lacking = " or ".join(_NAMES[name][0] for name in names)
            raise ConfigError(f"{lacking} is not set: expected it, as {why}. Set it.")
    idle = sorted(
        _NAMES[setting.name][0]
        for setting in fields(security)
        if setting.name not in wanted and getattr(security, setting.name)
    )
    if idle:
        raise ConfigError(f"{', '.join(idle)}: expected nothing, as {why}: it would not be used. Unset it, or {_HOW}.")
    for name in ("ca", "certificate", "key", "token_file"):
        file: Path | None = getattr(security, name)
        if file is not None:
            require_readable(file, _NAMES[name][0])
    _require_certificates(security)
    if (url := security.token_url) and not (url.startswith(("http://", "https://")) and names_a_host(url)):
        raise ConfigError(f"FT_KAFKA_TOKEN_URL: expected an http or https URL, got {len(url)} characters that are none")


def _require_certificates(security: KafkaSecurity) -> None:
    if security.ca is not None or security.certificate is not None:
        from ft.access import certificates

        if security.ca is not None:
            certificates.require_authorities(security.ca, "FT_KAFKA_CA")
        if security.certificate is not None and security.key is not None:
            certificates.require_pair(security.certificate, security.key, security.key_password, prefix="FT_KAFKA")


_HOW: Final = "choose another FT_KAFKA_SECURITY_PROTOCOL (SSL, SASL_PLAINTEXT, SASL_SSL)"
