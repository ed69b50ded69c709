"""What a domain is made of, in one declaration each: the rest of ft asks here and keeps no list of its own.

A domain lives beside the ledger and knows it by its topics only. Those of ft are in :data:`BUILT_IN`; ``FT_DOMAINS``
names modules that declare more. Docs: docs/adding-a-domain.md.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from ft.errors import ConfigError

SPINE: Final = ("normalize", "ledger", "publisher", "project")
"""Agents that are no domain's."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TAKEN: Final = frozenset(
    {*SPINE, "heads", "ref", "ingest", "catalog", "projection", "system", "public", "pg_catalog", "information_schema"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What ``ft verify`` looks at, in one snapshot of everything. ``query`` gives a row of texts (what, expected, got)
    for each difference, and ``count`` one number: of how many things that is claimed. Both may name ``%(changed)s``:
    the topic ``ledger.ownership_changed``, which the domain has read to where system.partition_owner says."""

    name: str
    claim: str
    """A sentence for people with ``{0:,}`` in it, the number."""
    count: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """One domain. Names are for good: consumers, tables and topics are called by them."""

    name: str
    """One word, lower case: its agent in FT_AGENTS, its schema in Postgres, the beginning of its topics."""
    subscribers: Sequence[Any] = ()
    """Classes (:class:`ft.streams.worker.subscriber.Subscriber`): what it makes of ``ledger.ownership_changed``."""
    readers: Sequence[Any] = ()
    """Classes (:class:`ft.streams.worker.chain_reader.domain.ChainReader`): what it makes of raw blocks, each in a
    topic of its own."""
    announces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Topic, without prefix -> the Avro schema of its records, which has ``seq`` and ``prev_seq`` of type long."""
    migrations: Mapping[str, str] = field(default_factory=dict)
    """Name -> SQL that is run once by ``ft migrate``, in this order, in the schema ``<name>``, which is made before."""
    tables: Sequence[str] = ()
    """Tables of the schema that its subscribers write, and a rebuild makes anew: ``ft_writer`` may do so."""
    views: Sequence[str] = ()
    """Tables and views of the schema that the API reads: ``ft_api`` may."""
    checks: Sequence[Check] = ()

    @property
    def consumers(self) -> tuple[str, ...]:
        """Those of its subscribers, without the ones that read heads for them."""
        return tuple(subscriber.consumer for subscriber in self.subscribers)

    @property
    def topics(self) -> dict[str, Mapping[str, Any]]:
        """What it announces, and what its chain readers send: topic, without prefix -> the schema of its records."""
        return {**self.announces, **{reader.topic: reader.schema() for reader in self.readers}}

    @property
    def reading(self) -> tuple[str, ...]:
        """The consumers of its chain readers."""
        return tuple(reader.consumer for reader in self.readers)


BUILT_IN: Final[tuple[Domain, ...]] = ()
_declared: dict[str, Domain] = {domain.name: domain for domain in BUILT_IN}


def declared() -> tuple[Domain, ...]:
    """The domains that this process knows of."""
    return tuple(_declared.values())


def announced() -> dict[str, Mapping[str, Any]]:
    """Topic of a domain, without prefix -> the Avro schema of its records; the topic is the record's name, too."""
    return {topic: schema for domain in declared() for topic, schema in domain.topics.items()}


def agents() -> tuple[str, ...]:
    """What FT_AGENTS may name: the spine's, then the domains."""
    return (*SPINE, *_declared)


def state_schema(consumer: str) -> str:
    """In Postgres, of the tables that hold the chain as a domain's reader has read it."""
    return f"{consumer.replace('.', '_')}_chain"


def declare(modules: Iterable[str]) -> None:
    """Let this process know of the domains of these modules: each has a ``DOMAIN``. Raises ConfigError."""
    for module in modules:
        try:
            domain = import_module(module).DOMAIN
        except (ImportError, AttributeError) as exc:
            raise ConfigError(
                f"FT_DOMAINS: expected modules that declare a DOMAIN, got {module!r} ({exc}). Is it on PYTHONPATH?"
            ) from exc
        except Exception as exc:
            raise ConfigError(f"FT_DOMAINS: {module}: expected a module that can be imported, got {exc!r}") from exc
        if not isinstance(domain, Domain):
            raise ConfigError(f"FT_DOMAINS: {module}.DOMAIN: expected a Domain, got {type(domain).__name__}.")
        try:
            _require_fit(domain, module)
        except (AttributeError, KeyError, TypeError) as exc:
            raise ConfigError(
                f"domain {domain.name!r} of {module}: expected what docs/adding-a-domain.md says of a declaration, "
                f"got {exc!r}"
            ) from exc
        _declared[domain.name] = domain


def _require_fit(domain: Domain, module: str) -> None:
    """Raises ConfigError.

    1. its name is free; 2. its topics are its own; 3. their records are Avro's and can be followed; 4. its consumers'
    names are its own, no two are the same, and what they keep of a chain is theirs alone
    """
    others = [other for other in declared() if other is not domain]
    if not _NAME.fullmatch(domain.name) or domain.name in _TAKEN:  # 1
        raise ConfigError(
            f"domain {domain.name!r} of {module}: expected a word of lower-case letters, digits and _ that is none of "
            f"{', '.join(sorted(_TAKEN))}."
        )
    if any(other.name == domain.name for other in others):
        raise ConfigError(f"domain {domain.name!r} of {module}: expected a name of its own, another module has it.")
    for topic, schema in domain.topics.items():
        if not topic.startswith(f"{domain.name}."):  # 2
            raise ConfigError(f"domain {domain.name}: expected topics that begin with {domain.name}., got {topic}.")
        _require_avro(topic, schema)  # 3
    for topic, schema in domain.announces.items():
        longs = {each["name"] for each in schema["fields"] if each["type"] == "long"}
        if missing := {"seq", "prev_seq"} - longs:  # 3
            raise ConfigError(f"{topic}: expected fields seq and prev_seq of type long, missing: {sorted(missing)}.")
    names = (*domain.consumers, *domain.reading)
    if len(set(names)) < len(names):  # 4
        raise ConfigError(f"domain {domain.name}: expected consumers with a name each, got {', '.join(names)}.")
    for consumer in names:
        own = consumer == domain.name or consumer.startswith(f"{domain.name}.")
        if not own or consumer.endswith(".heads"):
            raise ConfigError(
                f"domain {domain.name}: expected consumers called {domain.name}, or {domain.name}. and a word other "
                f"than heads, got {consumer}."
            )
    taken = {state_schema(reader): reader for other in others for reader in other.reading}
    for reader in domain.reading:
        if state_schema(reader) in taken:
            raise ConfigError(
                f"domain {domain.name}: {reader}: expected a schema of its own in Postgres, {state_schema(reader)} is "
                f"that of {taken[state_schema(reader)]}."
            )


def _require_avro(topic: str, schema: Mapping[str, Any]) -> None:
    import fastavro  # not by everybody who reads a setting

    try:
        fastavro.parse_schema(dict(schema))
    except Exception as exc:
        raise ConfigError(f"{topic}: expected an Avro schema of its records, got: {exc!r:.300}") from exc
