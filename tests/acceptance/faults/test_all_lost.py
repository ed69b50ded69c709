"""Every server is lost amid the work; from a backup that was taken under load, everything comes back."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ft import embedded
from ft.config import Config
from tests.acceptance.faults.accounting import require_exactly_once
from tests.acceptance.faults.recovery import Monitor
from tests.acceptance.faults.report import Summary
from tests.acceptance.faults.soak import NODE, Soak
from tests.acceptance.faults.supervisor import supervised
from tests.acceptance.faults.world import NETWORK, SESSION_TIMEOUT_S, World
from tests.acceptance.recovery.commands import ft
from tests.acceptance.recovery.subscribers import Reader, require_held, require_taken_back
from tests.deployments import download_cache
from tests.synthetic.script import script

EVENTS: Final = {True: 200_000, False: 10_000}
OVER_S: Final = {True: 60.0, False: 15.0}
BACK_MAX_S: Final = 300.0
_APPLIED: Final = "SELECT coalesce(sum(next_seq - 1), 0) FROM system.partition_owner WHERE consumer = 'ledger'"


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[list[Config]]:
    """Servers that are lost, and those that come after them."""
    made = [Config(home=tmp_path / name, cache=download_cache(), addresses={}) for name in ("lost", "new")]
    yield made
    for home in made:
        embedded.remove(home)


def deployment(home: Config, tmp_path: Path) -> Config:
    servers = embedded.start(home)
    return replace(
        servers, home=tmp_path / f"of-{home.home.name}", networks_file=tmp_path / "networks.toml",
        session_timeout_s=SESSION_TIMEOUT_S,
    )  # fmt: skip


@pytest.mark.timeout(1200)
def test_a_backup_under_load_brings_everything_back_after_every_server_was_lost(
    homes: list[Config], tmp_path: Path, summary: Summary, seed: int, long: bool
) -> None:
    events = EVENTS[long]
    made = script(seed=seed, network=NETWORK, events=events, reorgs=events // 4_000, logs=50 if long else 20)
    world, older, newer = World(deployment(homes[0], tmp_path)), Reader(), Reader()
    with supervised(world.config) as workers:
        workers.exits_max = 1_000
        with world.connect() as conn:
            soak = Soak(world, made, workers, Monitor(world, conn, workers), over_s=OVER_S[long])
            soak.start(tmp_path)
            workers.until(lambda: world.number(_APPLIED) > events // 5, "a fifth of the events", 240)
            older.read(world)
            began = time.monotonic()
            said = ft(world.config, "backup", "--to", str(tmp_path / "backup"))
            summary.add("backup under load", f"{time.monotonic() - began:.1f} s: {said.splitlines()[0]}")
            workers.until(lambda: world.number(_APPLIED) > 2 * events // 5, "as many again", 240)
            newer.read(world)
        workers.kill_all(but=NODE)
        world.close()
        embedded.remove(homes[0])

        config = deployment(homes[1], tmp_path)
        began = time.monotonic()
        said = ft(config, "restore", "--from", str(tmp_path / "backup"))
        assert "workers announce the journal from its first row on" in said
        restored_s = time.monotonic() - began
        world = World(config)
        with supervised(world.config) as restored, world.connect() as conn:
            restored.exits_max = 1_000
            soak.moved_to(world, restored, Monitor(world, conn, restored)).settle(conn, BACK_MAX_S)
    back_s = time.monotonic() - began
    summary.add("every server lost: restored, everything applied", f"{restored_s:.1f} s, {back_s:.1f} s")
    count = require_exactly_once(world, made.chain)
    summary.add("lost, strange, double after it", f"{count.lost}, {count.strange}, {count.double}")
    require_held(world, made.chain, older, Reader())
    require_taken_back(world, made.chain, newer)
    world.close()
    assert back_s < BACK_MAX_S
