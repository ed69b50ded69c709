"""The consumer that the README shows, word for word, against a running pipeline."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from ft import children
from ft.config import Config
from ft.streams.kafka.topics import Topics
from tests.acceptance.conftest import Chains
from tests.announced import announce, mint
from tests.devnet.contracts import ZERO
from tests.unit.pages import page, section

NETWORKS = ("consumed",)
README = Path(__file__).resolve().parents[2] / "README.md"
_NOT_SAID_FINAL: Final = """
    SELECT count(*) FROM (
        SELECT partition, max(block_number) AS last FROM ledger.events WHERE op = 'apply' GROUP BY partition
    ) moved JOIN system.publish_cursor c USING (partition)
    WHERE NOT EXISTS (
        SELECT FROM ledger.events e WHERE e.partition = moved.partition AND e.op = 'finality'
          AND e.seq <= c.ownership_seq AND (e.control ->> 'finalized')::bigint >= last
    )
"""


def test_the_consumer_of_the_readme_prints_every_change_and_its_retraction(live: Chains, tmp_path: Path) -> None:
    chain = live("consumed", slots_in_an_epoch=2)
    pipeline, (alice, bob) = chain.pipeline, chain.devnet.accounts[1:3]
    apes, items = chain.devnet.erc721(), chain.devnet.erc1155()
    pipeline.follow("consumed", chain.node.rpc_url, first=0)
    apes.mint(alice)
    items.mint_batch(alice, [7, 8], [1, 1])
    apes.transfer(alice, bob, 0)
    chain.agrees(apes, items)
    chain.node.reorg(1)
    apes.burn(alice, 0)
    chain.agrees(apes, items)
    chain.node.mine(4)
    pipeline.until(lambda: pipeline.sql(_NOT_SAID_FINAL) == [(0,)], "records of kind finality about every event")

    done = consumed(pipeline.config, tmp_path)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ape = [line.rsplit(" ", 1)[0] for line in lines if apes.address in line]
    assert ape == [
        f"apply mint {chain.asset(apes, 0)} {ZERO} -> {alice}",
        f"apply transfer {chain.asset(apes, 0)} {alice} -> {bob}",
        f"revert transfer {chain.asset(apes, 0)} {alice} -> {bob}",
        f"apply burn {chain.asset(apes, 0)} {alice} -> {ZERO}",
    ]
    item = [line.rsplit(" ", 1)[0] for line in lines if items.address in line]
    assert item == [f"apply mint {chain.asset(items, token)} {ZERO} -> {alice}" for token in (7, 8)]
    assert {line.rsplit(" ", 1)[1] for line in lines} <= {"pending", "confirmed", "finalized"}
    assert len(lines) == len(ape) + len(item)


async def test_the_consumer_of_the_readme_stops_at_a_generation_beyond_the_one_it_has_seen(
    config: Config, tmp_path: Path
) -> None:
    await announce(config, {0: [mint(1), mint(2), mint(2, generation=1), mint(3, generation=1)]})

    done = consumed(config, tmp_path)

    assert [line.split()[2] for line in done.stdout.splitlines()] == [mint(1).asset_id, mint(2).asset_id]
    assert done.returncode == 1
    assert "ft was restored" in done.stderr
    assert section(page("consuming.md"), "## After a restore")


async def test_the_consumer_of_the_readme_goes_on_in_a_generation_that_it_began_with(
    config: Config, tmp_path: Path
) -> None:
    late = mint(3, generation=0)
    await announce(config, {0: [mint(1, generation=1), mint(2, generation=1), late], 1: [mint(1)]})

    done = consumed(config, tmp_path)

    assert done.returncode == 0, done.stderr
    said = [mint(1).asset_id, mint(2).asset_id, mint(1).asset_id]
    assert sorted(line.split()[2] for line in done.stdout.splitlines()) == sorted(said)


def consumed(config: Config, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The README's consumer, run until it has waited for a record in vain."""
    script = folder / "consumer.py"
    script.write_text(shown(config.topic_prefix))
    environ = children.environment(config)
    return subprocess.run(
        [sys.executable, str(script)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def shown(prefix: str) -> str:
    """The README's consumer, of this deployment's topic and in a group of its own."""
    section = README.read_text().split("## Consume", 1)[1]
    block = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert block is not None
    topic = Topics("").ownership_changed
    assert f'["{topic}"]' in block[1]
    return block[1].replace(f'["{topic}"]', f'["{prefix}{topic}"]').replace("trust-score", f"{prefix}trust-score")
