"""Prefix, Kafka, database and registry, each right, another, older or empty: on real servers, every pair of those.

Sixteen rows of the 256 of tests/unit/streams/deployment/test_identity.py, such that each two of the four are met in all
their sixteen combinations. Whatever runs must say the same of each row: ``ft migrate``, workers, ``ft ingest``,
``ft verify``, ``ft status`` and the API; and what works on a database, where that is empty.
"""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from ft import embedded
from ft.cli.status_attention import asked
from ft.config import Config
from ft.errors import ConfigError
from ft.schemas.registered import Registered
from ft.streams.deployment.comparing import look
from ft.streams.deployment.identity import OtherDeployment
from ft.streams.deployment.naming import say_it
from ft.streams.deployment.preflight import verify as worker_starts
from ft.streams.deployment.provision import partitions_of, prepare
from ft.streams.deployment.schema_files import checked, exported
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.registry_ids import Ids
from tests.deployments import download_cache, fresh_database, name_of
from tests.integration.streams.conftest import at
from tests.integration.streams.deployment import starting
from tests.integration.streams.own_registry import OwnRegistry
from tests.readiness import answer
from tests.unit.streams.deployment.test_identity import PREFIXES, STATES, WITH_REGISTRY, WITHOUT_REGISTRY, verdict

RIGHT, OTHER, OLDER, EMPTY = STATES
_TWICE = (0, 2, 3, 1)
"""Times two, in the field of four elements: sums are exclusive ors. That makes the rows orthogonal."""
ROWS = [tuple(STATES[at] for at in (a, b, a ^ b, a ^ _TWICE[b])) for a in range(4) for b in range(4)]
"""Prefix, Kafka, database, registry."""
pytestmark = pytest.mark.timeout(400)


@dataclass
class Servers:
    """What the settings may point at."""

    base: Config
    kafkas: dict[str, Mapping[str, str]]
    """State -> the settings of that broker."""
    databases: dict[str, str]
    """State -> its URL."""
    registry: OwnRegistry
    kept: Sequence[Registered]
    """The schema ids of the right deployment."""

    def pointed_at(self, prefix: str, kafka: str, database: str, registry: str) -> Config:
        self.registry.empty()
        rows = {
            RIGHT: self.kept,
            OTHER: [replace(row, schema=self.kept[at - 1].schema) for at, row in enumerate(self.kept)],
            OLDER: self.kept[: len(self.kept) // 2],
            EMPTY: [],
        }[registry]
        if rows:
            with Ids(self.registry.url, self.base.registry_security) as ids:
                ids.put_back(rows)
        addresses = {**self.base.addresses, **self.kafkas[kafka], "FT_POSTGRES": self.databases[database]}
        return at(replace(self.base, addresses=addresses, topic_prefix=PREFIXES[prefix]), self.registry.url)


class Built:
    """Brokers and databases, made one after the other."""

    def __init__(self, base: Config, folder: Path, stack: ExitStack) -> None:
        self._base = base
        self._folder = folder
        self._stack = stack
        self.names: list[str] = []

    def database(self, template: str | None = None) -> str:
        """A new one; as another one is now, where that is named."""
        return self._stack.enter_context(fresh_database(self._base.postgres, template and name_of(template)))

    def broker(self, name: str) -> Config:
        """Its home starts a Kafka alone: Postgres and the registry are named."""
        keep = {"FT_POSTGRES": self._base.postgres, "FT_SCHEMA_REGISTRY": self._base.schema_registry}
        home = Config(home=self._folder / name, cache=download_cache(), addresses=keep)
        self._stack.callback(embedded.remove, home)
        return home

    def deployed(self, kafka: Config, prefix: str, database: str, epoch: int = 0) -> Config:
        config = replace(kafka, topic_prefix=PREFIXES[prefix], addresses={**kafka.addresses, "FT_POSTGRES": database})
        prepare(config)
        return config


def raised(config: Config) -> None:
    """As after a restore."""
    with psycopg.connect(config.postgres, autocommit=True) as conn:
        conn.execute("UPDATE system.deployment SET epoch = 1")
    with Schemas(config) as schemas:
        say_it(config, [], partitions_of(config), schemas)


@pytest.fixture(scope="module")
def built(servers: Mapping[str, str], own: OwnRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("pairs")
    own.empty()
    base = Config(
        home=folder / "home", cache=download_cache(), addresses={**servers, "FT_SCHEMA_REGISTRY": own.url}, partitions=1
    )
    with ExitStack() as stack:
        made = Built(base, folder, stack)
        mine, second, given_up, theirs = (made.database() for _ in range(4))
        home = made.broker("right")
        embedded.start(home)
        embedded.stop(home)
        homes = {RIGHT: home, EMPTY: copied(made, home, "empty")}
        running = replace(embedded.start(home), partitions=1)
        right = made.deployed(running, RIGHT, mine)
        other = made.deployed(running, OTHER, second)
        made.deployed(running, OLDER, given_up)
        older = made.database(mine)
        embedded.stop(home)
        homes[OLDER] = copied(made, home, "older")
        embedded.start(home)
        for config in (right, other):
            raised(config)
        with Schemas(right) as schemas:
            kept = sorted({row.id: row for row in schemas.kept}.values(), key=lambda row: row.id)
        homes[OTHER] = made.broker("other")
        made.deployed(replace(embedded.start(homes[OTHER]), partitions=1), RIGHT, theirs)
        brokers = {state: embedded.start(each).addresses for state, each in homes.items()}
        databases = {RIGHT: mine, OTHER: second, OLDER: older, EMPTY: made.database()}
        yield Servers(base, brokers, databases, own, kept)


def copied(made: Built, home: Config, name: str) -> Config:
    """What its stopped Kafka has, in a home of its own."""
    copy = made.broker(name)
    shutil.copytree(home.home, copy.home, ignore=shutil.ignore_patterns("ports.json", "servers.json", "*.lock", "logs"))
    return copy


@pytest.mark.parametrize("row", ROWS, ids=["-".join(row) for row in ROWS])
async def test_whatever_runs_says_the_same_of_prefix_kafka_database_and_registry(
    built: Servers, row: tuple[str, str, str, str]
) -> None:
    prefix, kafka, database, registry = row
    alone = WITHOUT_REGISTRY[prefix, kafka][STATES.index(database)]
    expected = WITH_REGISTRY[registry] if alone == "one" else alone
    if alone == "FT_POSTGRES" and database == EMPTY and registry != RIGHT:
        expected = "FT_SCHEMA_REGISTRY"  # whose topics these are cannot be read: neither of them has the schema
    config = built.pointed_at(*row)

    assert verdict(look(config)) == expected
    refused = expected not in ("one", "new", "restore")
    said = {reason.reason for reason in asked(config)}
    assert (said & {"identity", "registry"} != set()) == (refused or expected == "restore")
    if refused:
        for run in (*RUNS, *(OF_AN_EMPTY_DATABASE if database == EMPTY else ())):
            with pytest.raises(OtherDeployment):
                await asyncio.to_thread(run, config)
    elif expected == "new":
        for run in (worker_starts, starting.ingest, *OF_AN_EMPTY_DATABASE):
            with pytest.raises(ConfigError, match="Run `ft migrate`") as told:
                await asyncio.to_thread(run, config)
            assert not isinstance(told.value, OtherDeployment)
    else:
        worker_starts(config).schemas.close()
    ready = (503, "other_deployment") if refused else (503, "not_migrated") if database == EMPTY else (200, None)
    assert await answer(config, "/health/ready") == ready
    status, code = await answer(config, "/api/v1/status")
    assert (status, code) == (ready if database == EMPTY else (200, None))


RUNS = (worker_starts, starting.ingest, prepare, starting.verify)
OF_AN_EMPTY_DATABASE = (starting.rebuild, starting.dead_letters, starting.index, checked, exported)
"""They work on what the database has, and ask for nothing else where it has something."""


def test_the_rows_meet_every_pair() -> None:
    for one in range(4):
        for two in range(one):
            assert len({(row[one], row[two]) for row in ROWS}) == 16
