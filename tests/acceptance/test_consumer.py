"""The consumer that the README shows, word for word, against a running pipeline."""

import re
import subprocess
import sys
from pathlib import Path

from ft.streams.kafka.topics import Topics
from tests.acceptance.conftest import Chains
from tests.devnet.contracts import ZERO

NETWORKS = ("consumed",)
README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_consumer_of_the_readme_prints_every_change_and_its_retraction(live: Chains, tmp_path: Path) -> None:
    chain = live("consumed")
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
    script = tmp_path / "consumer.py"
    script.write_text(shown(pipeline.config.topic_prefix))

    done = subprocess.run(
        [sys.executable, str(script)], env=pipeline.environ(), capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " finality " not in line]
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


def shown(prefix: str) -> str:
    """The README's consumer, of this deployment's topic."""
    section = README.read_text().split("## Consume", 1)[1]
    block = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert block is not None
    topic = Topics("").ownership_changed
    assert f'["{topic}"]' in block[1]
    return block[1].replace(f'["{topic}"]', f'["{prefix}{topic}"]')
