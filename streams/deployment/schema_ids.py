"""The schemas of a deployment under their ids: kept in its database, given out by its registry.

Who reads asks the database first, and the registry for what is not kept: records that others wrote. Who writes
registers, as long as the registry answers, and takes the kept id while it does not; only a schema that is new needs it.
A registry that lost ids gets them back as they were; one that says something else for them is refused (``identity``).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
import structlog

from ft.config import Config
from ft.errors import ConfigError, MalformedRecord, ServerError
from ft.schemas.codec import Codec, schema_text
from ft.schemas.registered import Agreement, Registered, contradictions, parsed, same
from ft.sql.queries import LIVE, load
from ft.sql.session import looking
from ft.streams.deployment.identity import OtherDeployment, other_ids
from ft.streams.kafka.registry_errors import NoRegistry, RegistryUnavailable
from ft.streams.kafka.registry_ids import Ids

if TYPE_CHECKING:
    from ft.streams.kafka.registry import Registry

log = structlog.get_logger(__name__)

_ALONE: Final = 0x66740009
"""Advisory lock of who puts ids back into the registry."""
NO_ID: Final = 2**32 - 1
"""Of a codec that only reads."""
_AWAY_S: Final = 10.0
_LOOKED_S: Final = 5.0
"""So long a registry that did not answer is not asked again to register, and one that agreed is believed to."""
_READ_AGAIN_S: Final = 1.0
"""So long after an id that is not kept the database is not read again for another one."""


class Schemas:
    """What one process knows of them. Blocking."""

    def __init__(self, config: Config) -> None:
        """Raises DatabaseUnavailable."""
        self._config = config
        self.keeps = False
        """Whether the database is of a version that keeps them."""
        self.unasked: set[str] = set()
        """Subjects whose codecs write the ids that the database keeps, as the registry did not answer."""
        self._kept: list[Registered] = []
        self._read()
        self._away_until = self._agreed_until = self._unread_until = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        if "_registry" in self.__dict__:
            self._registry.close()

    @property
    def kept(self) -> Sequence[Registered]:
        """What the database had when it was last read."""
        return tuple(self._kept)

    def reader(self, name: str) -> Codec:
        """A codec that only reads: nothing is registered for it."""
        return Codec(name, NO_ID, self.schema)

    def codec(self, name: str, topic: str) -> Codec:
        """A codec that writes: under the id that is kept for ``schemas/<name>.avsc`` and the topic, once the registry
        has agreed with everything that is kept; a schema that is new is registered, and its id kept.

        Raises SchemaError if the registry holds an incompatible version, OtherDeployment if it says something else for
        ids that are kept, NoRegistry if what answers is none, RegistryUnavailable if it does not answer and the schema
        was never registered.
        """
        schema_id, is_new = self._registered(name, f"{topic}-value", anew=False)
        if is_new:
            self.keep(self._versions([f"{topic}-value"]))
        return Codec(name, schema_id, self.schema)

    def register(self, records: Mapping[str, str]) -> None:
        """Register the schemas of ``records``, topic -> name, those too whose ids are kept: the registry's level is set
        right, and what others registered under another one is told. Raises as :meth:`codec`."""
        subjects = {f"{topic}-value": name for topic, name in records.items()}
        new = [subject for subject, name in subjects.items() if self._registered(name, subject, anew=True)[1]]
        self.keep(self._versions(new))

    def _registered(self, name: str, subject: str, *, anew: bool) -> tuple[int, bool]:
        """The id of a schema that the registry has from now on, and whether that is yet to be kept. ``anew``: it is
        registered although that is kept. Raises as :meth:`codec`."""
        text = schema_text(name)
        known = [row.id for row in self._kept if row.subject == subject and same(row.schema, text)]
        try:
            if time.monotonic() < self._away_until:
                raise RegistryUnavailable(f"schema registry {self._config.schema_registry}: it did not answer just now")
            self._require_agreement(subject)
            if known and not anew:
                return known[-1], False
            schema_id = self._registry.register(subject, text)
        except NoRegistry:
            raise
        except RegistryUnavailable as exc:
            if not known:
                raise RegistryUnavailable(f"{subject} has a schema that is new and must be registered. {exc}") from exc
            if time.monotonic() >= self._away_until:
                log.warning("registry is away: ids are those that the database keeps", error=str(exc))
                self._away_until = time.monotonic() + _AWAY_S
            self.unasked.add(subject)
            return known[-1], False
        return schema_id, schema_id not in known

    def schema(self, schema_id: int) -> Mapping[str, Any]:
        """The writer's schema of an id: as it is kept, else as the registry says.

        Raises MalformedRecord for an id that nobody knows, or that is no Avro record; RegistryUnavailable, ConfigError
        where none is set, for one that is not kept: the same question may be asked again.
        """
        found = schema_of(self._kept, schema_id)
        if found is None and time.monotonic() >= self._unread_until:
            self._read()
            found = schema_of(self._kept, schema_id)
            if found is None:  # many records of somebody else may follow
                self._unread_until = time.monotonic() + _READ_AGAIN_S
        return self._registry.schema(schema_id) if found is None else found

    def fill(self, topics: Iterable[str]) -> None:
        """Keep every version of the topics' subjects that the registry has. Raises as :meth:`keep`."""
        have = {row.subject for row in self._kept}
        self.keep(self._versions([subject for topic in topics if (subject := f"{topic}-value") not in have]))

    def keep(self, rows: Sequence[Registered]) -> None:
        """Write what is new into the database, where anything is.

        Raises OtherDeployment where an id is kept with another meaning, ConfigError for a database that is not
        migrated, DatabaseUnavailable.
        """
        if not rows:
            return
        if found := contradictions([*self._kept, *rows]):
            raise OtherDeployment(other_ids(self._config.schema_registry, len(self._kept), found))
        try:
            with looking(self._config) as conn, conn.transaction():
                for row in rows:
                    conn.execute(load("schemas", LIVE)["keep"], asdict(row))
        except psycopg.errors.UndefinedTable as exc:
            raise ConfigError("the database is not migrated: system.schemas is missing. Run `ft migrate`.") from exc
        self._read()

    def agreement(self) -> Agreement | None:
        """As :func:`agreement_on`, of everything that is kept."""
        return agreement_on(self._config, self._kept)

    def require_registry(self, subject: str) -> None:
        """Whether a registry can give out the first id; where ids are kept, nothing is asked. ``subject``: one that it
        may know or not. Raises NoRegistry, RegistryUnavailable."""
        if not self._kept:
            with Ids(self._config.schema_registry, self._config.registry_security) as ids:
                ids.require_registry(subject)

    def restore(self, more: Sequence[Registered] = ()) -> list[int]:
        """Give a registry back the ids that it lost of what is kept, and ``more``; returns them.

        Others that do the same at once are waited for.

        Raises OtherDeployment where it says something else for any of them, ServerError where it does not take them,
        RegistryUnavailable.
        """
        sql, url = load("schemas", LIVE), self._config.schema_registry
        self._read()
        rows = sorted({*self._kept, *more})
        with looking(self._config) as conn, conn.transaction(), Ids(url, self._config.registry_security) as ids:
            conn.execute(sql["alone"], {"lock": _ALONE})
            before = _refused(ids.agreement(rows))
            if not before.lost:
                return []
            ids.put_back(before.lost)
            after = _refused(ids.agreement(rows))
        if after.lost:
            raise ServerError(
                f"schema registry {url}: expected ids {_numbers(before.lost_ids)} after they were put back, got none "
                f"for {_numbers(after.lost_ids)}: it took the import and left them out. Its log says why; restore its "
                "own backup, or start it with an empty store and `ft migrate`."
            )
        for subject in sorted({row.subject for row in before.lost}):
            self._registry.hold_level(subject)
        log.warning("registry had lost ids and has them again", registry=url, ids=before.lost_ids)
        return before.lost_ids

    @cached_property
    def _registry(self) -> "Registry":
        from ft.streams.kafka.registry import Registry

        return Registry(self._config.schema_registry, self._config.registry_security)

    def _versions(self, subjects: Iterable[str]) -> list[Registered]:
        with Ids(self._config.schema_registry, self._config.registry_security) as ids:
            return [row for subject in subjects for row in ids.versions(subject)]

    def _require_agreement(self, subject: str) -> None:
        """Before it gives out an id, it must be a registry, and know those that it gave out. Raises as :meth:`restore`.

        ``subject``: whose id is wanted.
        """
        if time.monotonic() < self._agreed_until:
            return
        if self._kept:
            self.restore()
        else:
            self.require_registry(subject)
        self._agreed_until = time.monotonic() + _LOOKED_S

    def _read(self) -> None:
        sql = load("schemas", LIVE)
        with looking(self._config) as conn:
            self.keeps = conn.execute(sql["knows_schemas"]).fetchone() == (True,)
            if self.keeps:
                self._kept = [registered(row) for row in conn.execute(sql["kept"])]


def agreement_on(config: Config, kept: Sequence[Registered]) -> Agreement | None:
    """What the registry says of ``kept``, or that there is none at its address; None where nobody answers there, or
    none is set."""
    if "FT_SCHEMA_REGISTRY" not in config.addresses:
        return None
    try:
        with Ids(config.schema_registry, config.registry_security) as ids:
            return ids.agreement(kept)
    except NoRegistry as exc:
        return Agreement(url=config.schema_registry, ids=len({row.id for row in kept}), wrong=str(exc))
    except RegistryUnavailable:
        return None


def schema_of(kept: Iterable[Registered], schema_id: int) -> Mapping[str, Any] | None:
    """The writer's schema of an id, as it is kept. Raises MalformedRecord for one that is no Avro record."""
    text = next((row.schema for row in kept if row.id == schema_id), None)
    if text is None:
        return None
    schema = parsed(text)
    if not isinstance(schema, dict):
        raise MalformedRecord(f"schema id {schema_id}: expected an Avro record schema, got {text[:80]!r}")
    return schema


def holds(conn: psycopg.Connection[Any], config: Config, turn: int) -> bool:
    """Whether the registry still has one of the kept ids, each turn another one; true if it does not answer."""
    row = conn.execute(load("schemas", LIVE)["kept_in_turn"], {"turn": turn}).fetchone()
    try:
        with Ids(config.schema_registry, config.registry_security) as ids:
            return row is None or ids.holds(registered(row))
    except RegistryUnavailable:
        return True


def registered(row: Sequence[Any]) -> Registered:
    """A row of sql/schemas.sql."""
    return Registered(id=row[0], subject=row[1], version=row[2], schema=row[3])


def _refused(agreement: Agreement) -> Agreement:
    if agreement.different:
        raise OtherDeployment(other_ids(agreement.url, agreement.ids, agreement.different))
    return agreement


def _numbers(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))
