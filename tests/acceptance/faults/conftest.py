"""A fresh deployment for each test: database, topics and home of its own, eight partitions, six-second sessions.

--faults=long runs everything at its full length (--events, --over, --away), --summary=FILE says where its table is
written, FT_SEED is the seed.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from tests.acceptance.faults.report import Summary
from tests.acceptance.faults.world import World
from tests.deployments import deployment

_SUMMARY = pytest.StashKey[Summary]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--faults", choices=("short", "long"), default="short", help="length of the fault runs")
    group.addoption("--events", type=int, default=100_000, help="events of the long run")
    group.addoption("--over", type=float, default=420.0, help="seconds over which the long run's chain is shown")
    group.addoption("--away", type=float, default=360.0, help="seconds for which the long run's broker is away")
    group.addoption("--summary", type=Path, help="file for the table of the fault runs")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SUMMARY] = Summary()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[_SUMMARY].table()
    if not table:
        return
    terminalreporter.section("fault runs")
    terminalreporter.write_line(table)
    path = config.getoption("--summary", default=None)
    if path is not None:
        failed = [report.nodeid for report in terminalreporter.getreports("failed")]
        verdict = f"failed: {', '.join(failed)}" if failed else "everything passed"
        path.write_text(f"{table}\n\n{verdict}\n")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the runs have their full length."""
    return bool(request.config.getoption("--faults", default="short") == "long")


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> Summary:
    """The table at the end."""
    return request.config.stash.setdefault(_SUMMARY, Summary())


@pytest.fixture(scope="session")
def seed(long: bool, summary: Summary) -> int:
    """FT_SEED; without it the same in every short run, and another in every long one."""
    given = os.environ.get("FT_SEED")
    chosen = int(given) if given else secrets.randbelow(10**8) if long else 20260101
    print(f"seed {chosen}: FT_SEED={chosen} makes the same chain and the same faults")
    if long:
        summary.add("seed", f"{chosen} (FT_SEED={chosen} runs it again)")
    return chosen


@pytest.fixture
def another(servers: Mapping[str, str], world: World, tmp_path: Path) -> Iterator[Callable[[], Config]]:
    """Makes the configuration of one more deployment, with a database and topics of its own."""
    with ExitStack() as stack:

        def make() -> Config:
            folder = tmp_path / secrets.token_hex(4)
            made = stack.enter_context(deployment(servers, folder))
            return replace(
                world.config,
                home=folder,
                networks_file=folder.with_suffix(".toml"),
                addresses=made.addresses,
                topic_prefix=made.topic_prefix,
            )

        yield make
