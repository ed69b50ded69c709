"""The one frozen configuration, read from the environment; nothing else in ft reads it.

Addresses come from the environment, else from the embedded servers that ``ft up`` left running
(their addresses stand in ``<home>/servers.json``).
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from ft.access import kafka_security, node_urls, postgres_logins, registry_security
from ft.access.kafka_security import KafkaSecurity
from ft.access.postgres_logins import login_of, remedy, require_url, same_server, url_in_role
from ft.access.registry_security import RegistrySecurity
from ft.environment import FILE, PORT_MAX
from ft.errors import ConfigError, DatabaseUnavailable
from ft.schemas import domains

ADDRESSES = ("FT_KAFKA", "FT_POSTGRES", "FT_SCHEMA_REGISTRY")
SERVERS = (
    *ADDRESSES,
    *sorted(kafka_security.VARIABLES | registry_security.VARIABLES | postgres_logins.VARIABLES),
)
"""The variables that say where the servers are, and how one logs in there."""
KAFKA_JVM = "-Xms256m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
LOG_SAMPLE = 100
_BATCH_EVENTS_MAX = 5_000


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every setting of a process. Build it with :meth:`from_env`."""

    home: Path
    """``FT_HOME``: data, logs and passwords of the embedded servers, RocksDB. Default ``.ft`` in the checkout."""
    cache: Path
    """``FT_CACHE``: downloaded server archives, checked against committed checksums. Default ``<home>/cache``."""
    addresses: Mapping[str, str] = field(repr=False)
    """``FT_KAFKA`` (host:port, ...), ``FT_POSTGRES`` (URL), ``FT_SCHEMA_REGISTRY`` (URL); absent if unknown. With what
    is needed to log in there: ``ft/access``."""
    networks_file: Path | None = None
    """``FT_NETWORKS``: a TOML file of networks added to, or replacing, the built-in ones. Default: none."""
    rpc: Mapping[str, str] = field(default_factory=dict, repr=False)
    """``FT_RPC_<NETWORK>``: a network's nodes (`FT_RPC_POLYGON_AMOY`), URLs with commas between, the preferred first.
    Default: `rpc_urls` of the network."""
    topic_prefix: str = ""
    """``FT_TOPIC_PREFIX``: before every topic, group and subject: lets deployments share a broker. Default empty."""
    generation: str = ""
    """``FT_GENERATION``: names the schemas, topics and group of a rebuild; `ft rebuild` sets it for its own worker."""
    partitions: int = 8
    """``FT_PARTITIONS``: partitions of the normalized and ledger topics, used at the first ``ft migrate`` only."""
    replication: int = 1
    """``FT_REPLICATION``: replication factor of topics that ``ft migrate`` creates. Default 1."""
    agents: frozenset[str] = field(default_factory=lambda: frozenset(domains.agents()))
    """``FT_AGENTS``: what this worker runs of normalize, ledger, publisher, project and the domains, comma separated.
    Default all."""
    domains: tuple[str, ...] = ()
    """``FT_DOMAINS``: modules that declare more domains (docs/adding-a-domain.md), comma separated. Default none."""
    session_timeout_s: float = 10.0
    """``FT_SESSION_TIMEOUT_S``: Kafka session timeout of a worker, seconds. Default 10; heartbeats are a third."""
    batch_events_max: int = _BATCH_EVENTS_MAX
    """``FT_BATCH_EVENTS_MAX``: events in one ledger transaction, at most (one record may exceed it). Default 5000."""
    metrics_port: int = 0
    """``FT_METRICS_PORT``: port of the worker's web server (/metrics) on loopback. Default 0: a free one, logged."""
    web_bind: str = "127.0.0.1"
    """``FT_WEB_BIND``: address the worker's web server binds to. Default 127.0.0.1."""
    watchdog_s: float = 60.0
    """``FT_WATCHDOG_S``: a worker one of whose agents moves nothing for so long while records wait exits.
    Default 60."""
    kafka_jvm: str = KAFKA_JVM
    """``FT_KAFKA_JVM``: options of the embedded Kafka's JVM. Default: small, and quick to start rather than to run."""
    api_cors_origins: tuple[str, ...] = ()
    """``FT_API_CORS_ORIGINS``: web origins whose pages may read the API, comma separated; ``*``: all. Default: none."""
    api_proxies: tuple[str, ...] = ()
    """``FT_API_PROXIES``: addresses and networks of proxies before the API, comma separated: a request that comes from
    one counts as that of the client in its ``X-Forwarded-For``. Default: none."""
    log_level: str = "info"
    """``FT_LOG_LEVEL``: debug, info, warning or error; then components with theirs: `info,aiokafka=debug`.
    Default info."""
    log_sample: int = LOG_SAMPLE
    """``FT_LOG_SAMPLE``: lines of one kind a second, below errors; the next says how many it left out. 0: all.
    Default 100."""
    otlp_endpoint: str = ""
    """``OTEL_EXPORTER_OTLP_ENDPOINT``: URL of an OpenTelemetry collector (HTTP) that traces go to. Default: none."""
    log_format: str = "auto"
    """``FT_LOG_FORMAT``: json, console, or auto (console on a terminal, else json). Default auto."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Read the environment. Raises ConfigError for a value that cannot be read."""
        env = os.environ if environ is None else environ
        modules = _words(env, "FT_DOMAINS")
        domains.declare(modules)
        home = Path(env.get("FT_HOME") or _default_home()).expanduser().absolute()
        return cls(
            home=home,
            cache=Path(env.get("FT_CACHE") or home / "cache").expanduser().absolute(),
            addresses=_addresses(env, home),
            networks_file=Path(env["FT_NETWORKS"]).expanduser() if env.get("FT_NETWORKS") else None,
            rpc=node_urls.from_environment(env),
            topic_prefix=env.get("FT_TOPIC_PREFIX", ""),
            generation=_generation(env),
            partitions=_integer(env, "FT_PARTITIONS", 8, minimum=1),
            replication=_integer(env, "FT_REPLICATION", 1, minimum=1),
            agents=_agents(env),
            domains=modules,
            session_timeout_s=_seconds(env, "FT_SESSION_TIMEOUT_S", 10.0),
            batch_events_max=_integer(env, "FT_BATCH_EVENTS_MAX", _BATCH_EVENTS_MAX, minimum=1),
            metrics_port=_integer(env, "FT_METRICS_PORT", 0, minimum=0, maximum=PORT_MAX),
            web_bind=env.get("FT_WEB_BIND") or "127.0.0.1",
            watchdog_s=_seconds(env, "FT_WATCHDOG_S", 60.0),
            kafka_jvm=env.get("FT_KAFKA_JVM") or KAFKA_JVM,
            api_cors_origins=_origins(env),
            api_proxies=_proxies(env),
            otlp_endpoint=env.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            **_of_logs(env),
        )

    @classmethod
    def of_logs(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """What decides how lines are written, and nothing else: for messages about a configuration that is wrong. A
        setting that cannot be read is its default."""
        env = os.environ if environ is None else environ
        home = Path(env.get("FT_HOME") or _default_home())
        readable = {}
        for name in ("FT_LOG_LEVEL", "FT_LOG_SAMPLE", "FT_LOG_FORMAT"):
            with suppress(ConfigError):
                _of_logs({name: env.get(name, "")})
                readable[name] = env.get(name, "")
        return cls(home=home, cache=home, addresses={}, **_of_logs(readable))

    @cached_property
    def kafka(self) -> str:
        """Bootstrap servers. Raises ConfigError where none is known."""
        return self._address("FT_KAFKA", "the Kafka bootstrap servers (host:port)")

    @cached_property
    def kafka_security(self) -> KafkaSecurity:
        """How one logs in there. Raises ConfigError."""
        return KafkaSecurity.from_env(self.addresses)

    @cached_property
    def registry_security(self) -> RegistrySecurity:
        """How one logs in to the registry. Raises ConfigError."""
        return RegistrySecurity.from_env(self.addresses)

    @property
    def kafka_client(self) -> dict[str, Any]:
        """With what every client of librdkafka finds Kafka and logs in. Raises ConfigError where none is known,
        BrokerUnavailable where no token is to be had."""
        return {"bootstrap.servers": self.kafka, **self.kafka_security.librdkafka()}

    @cached_property
    def postgres(self) -> str:
        """URL of the database, with the role that owns it. Raises ConfigError where none is known."""
        return self._address("FT_POSTGRES", "a Postgres URL (postgresql://user:password@host:port/database)")

    @cached_property
    def schema_registry(self) -> str:
        """URL of the Confluent-compatible registry. Raises ConfigError where none is known."""
        return self._address("FT_SCHEMA_REGISTRY", "the schema registry's URL (http://host:port/...)")

    def postgres_as(self, role: str) -> str:
        """The database URL with its session in ``role`` (ft_writer, ft_api), by the role's own login where it has one.
        Raises ConfigError."""
        return url_in_role(self.postgres, role, login_of(self.addresses, role))

    def postgres_remedy(self, said: object, role: str = "") -> str:
        """What to look at where Postgres gave ``role`` (default: the owner) no connection and ``said`` why."""
        return remedy(said, self.addresses, role)

    def no_connection(self, exc: Exception, role: str = "") -> DatabaseUnavailable:
        """The driver's error as ours, where Postgres gave ``role`` no connection."""
        said = str(exc).strip()
        return DatabaseUnavailable(f"Postgres: expected a connection, got: {said}. {self.postgres_remedy(said, role)}")

    def environ(self) -> dict[str, str]:
        """The environment variables that make another process read this configuration."""
        values = {
            "FT_HOME": self.home,
            "FT_CACHE": self.cache,
            "FT_NETWORKS": self.networks_file or "",
            "FT_TOPIC_PREFIX": self.topic_prefix,
            "FT_GENERATION": self.generation,
            "FT_PARTITIONS": self.partitions,
            "FT_REPLICATION": self.replication,
            "FT_AGENTS": ",".join(sorted(self.agents)),
            "FT_DOMAINS": ",".join(self.domains),
            "FT_SESSION_TIMEOUT_S": self.session_timeout_s,
            "FT_BATCH_EVENTS_MAX": self.batch_events_max,
            "FT_METRICS_PORT": self.metrics_port,
            "FT_WEB_BIND": self.web_bind,
            "FT_WATCHDOG_S": self.watchdog_s,
            "FT_KAFKA_JVM": self.kafka_jvm,
            "FT_API_CORS_ORIGINS": ",".join(self.api_cors_origins),
            "FT_API_PROXIES": ",".join(self.api_proxies),
            "FT_LOG_LEVEL": self.log_level,
            "FT_LOG_SAMPLE": self.log_sample,
            "FT_LOG_FORMAT": self.log_format,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_endpoint,
        }
        own = {name: str(value) for name, value in values.items()}
        return {**self.addresses, **self.rpc, **own}

    def _address(self, name: str, expected: str) -> str:
        value = self.addresses.get(name)
        if not value:
            raise ConfigError(
                f"{name} is not set and no embedded servers are known under {self.home}: "
                f"expected {expected}. Run `ft up` to start the embedded servers, or set {name}."
            )
        return value


def _default_home() -> Path:
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".ft"


def _addresses(env: Mapping[str, str], home: Path) -> dict[str, str]:
    left: dict[str, str] = {}
    left_running = home / "servers.json"
    if _is_there(left_running):
        try:
            stored = json.loads(left_running.read_text())
            left = {name: str(stored[name]) for name in SERVERS if name in stored}
        except (OSError, ValueError, TypeError) as exc:
            raise ConfigError(
                f"{left_running} cannot be read ({exc}): expected a JSON object. Run `ft down`, then `ft up`."
            ) from exc
    named = {name: env[name] for name in SERVERS if env.get(name)}
    if "FT_POSTGRES" in named:
        require_url(named["FT_POSTGRES"])
    if named.get("FT_KAFKA", left.get("FT_KAFKA")) != left.get("FT_KAFKA"):  # another one asks for another login
        left = {name: value for name, value in left.items() if name not in kafka_security.VARIABLES}
    if "FT_POSTGRES" in named and not same_server(named["FT_POSTGRES"], left.get("FT_POSTGRES", "")):
        left = {name: value for name, value in left.items() if name not in postgres_logins.VARIABLES}
    left = {name: value for name, value in left.items() if f"{name}{FILE}" not in named}  # the same, said otherwise
    found = left | named
    if "FT_KAFKA" in found:
        kafka_security.require_servers(found["FT_KAFKA"])
    KafkaSecurity.from_env(found)  # what cannot be used is refused before anything is tried
    RegistrySecurity.from_env(found)
    for role in postgres_logins.PREFIXES:
        login_of(found, role)
    return found


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except PermissionError as exc:
        raise ConfigError(
            f"{file.parent} is closed to this user ({exc.strerror}): expected a home of your own. Run ft as the user "
            "who ran `ft up`, or set FT_HOME."
        ) from exc


def _agents(env: Mapping[str, str]) -> frozenset[str]:
    chosen, known = frozenset(_words(env, "FT_AGENTS")), domains.agents()
    if unknown := chosen - set(known):
        raise ConfigError(f"FT_AGENTS: expected some of {', '.join(known)}, got {', '.join(sorted(unknown))}.")
    if "publisher" in chosen and "ledger" not in chosen:
        raise ConfigError("FT_AGENTS: the publisher works under the ledger's partitions; name ledger too.")
    return chosen or frozenset(known)


def _words(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in env.get(name, "").split(",") if word.strip())


def _generation(env: Mapping[str, str]) -> str:
    name = env.get("FT_GENERATION", "")
    if name and not re.fullmatch("[a-z][a-z0-9_]{0,39}", name):
        raise ConfigError(f"FT_GENERATION: expected lower-case letters, digits and _, at most 40, got {name!r}.")
    return name


def _origins(env: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(word.strip() for word in env.get("FT_API_CORS_ORIGINS", "").split(",") if word.strip())
    for origin in origins:
        if origin != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", origin):
            raise ConfigError(
                f"FT_API_CORS_ORIGINS: expected origins such as https://app.example or *, got {origin!r}. "
                "Name scheme and host, and no path."
            )
    return origins


def _proxies(env: Mapping[str, str]) -> tuple[str, ...]:
    proxies = tuple(word.strip() for word in env.get("FT_API_PROXIES", "").split(",") if word.strip())
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as exc:
            raise ConfigError(
                f"FT_API_PROXIES: expected addresses or networks such as 10.0.0.5 or 10.0.0.0/8, got {proxy!r}: {exc}"
            ) from exc
    return proxies


def _of_logs(env: Mapping[str, str]) -> dict[str, Any]:
    return {
        "log_level": _levels(env),
        "log_sample": _integer(env, "FT_LOG_SAMPLE", LOG_SAMPLE, minimum=0),
        "log_format": _choice(env, "FT_LOG_FORMAT", "auto", ("json", "console", "auto")),
    }


def _levels(env: Mapping[str, str]) -> str:
    words = [word.strip() for word in (env.get("FT_LOG_LEVEL") or "info").split(",")]
    level = "(debug|info|warning|error)"
    if not re.fullmatch(level, words[0]) or not all(re.fullmatch(rf"[\w.]+={level}", word) for word in words[1:]):
        raise ConfigError(
            "FT_LOG_LEVEL: expected one of debug, info, warning, error, then components with theirs "
            f"(info,aiokafka=debug,ft.api.access=warning), got {env['FT_LOG_LEVEL']!r}."
        )
    return ",".join(words)


def _integer(env: Mapping[str, str], name: str, default: int, *, minimum: int, maximum: int | None = None) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isdecimal() or int(text) < minimum or (maximum is not None and int(text) > maximum):
        bounds = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
        raise ConfigError(f"{name}: expected a whole number of {bounds}, got {text!r}.")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as exc:
        raise ConfigError(f"{name}: expected seconds as a number, got {text!r}.") from exc
    if not 0 < value < 86_400:
        raise ConfigError(f"{name}: expected seconds between 0 and 86400, got {text!r}.")
    return value


def _choice(env: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = env.get(name) or default
    if value not in allowed:
        raise ConfigError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}.")
    return value
