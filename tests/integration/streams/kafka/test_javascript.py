"""The consumer in JavaScript that docs/consuming.md shows, word for word: kafkajs and its registry client."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from ft.schemas.events import OwnershipChanged, to_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.producer import Producer
from ft.streams.kafka.topic_admin import create_topics
from ft.streams.kafka.topics import Topics
from tests import npm
from tests.unit.pages import CHECKOUT, blocks, page

MINT = OwnershipChanged(
    seq=1,
    prev_seq=0,
    kind="mint",
    op="apply",
    network="polygon",
    block_number=71_000_000,
    block_hash="0x" + "ab" * 32,
    block_time=1_700_000_000,
    asset_id="polygon:0xc0:1",
    from_account="0x00",
    to_account="0xa1",
    finality_status="finalized",
)
RECORDS = [replace(MINT, seq=n, prev_seq=n - 1, asset_id=f"polygon:0xc0:{n}") for n in range(1, 41)]
CODEC = "CompressionCodecs[CompressionTypes.ZSTD]"


@pytest.fixture
async def announced(config: Config) -> Config:
    """40 records in two partitions, and one of them again."""
    topic = Topics(config.topic_prefix).ownership_changed
    create_topics(config, [], config.partitions)
    with Schemas(config) as schemas:
        codec = schemas.codec("ownership_changed", topic)
    producer = Producer(config)
    for partition in (0, 1):
        for record in [*RECORDS, RECORDS[-1]]:
            producer.send(topic, partition, codec.encode(to_record(record)))
    await producer.flush_acknowledged(30)
    return config


@contextmanager
def consumer(config: Config, folder: Path, changed: Callable[[str], str]) -> Iterator["subprocess.Popen[str]"]:
    """The page's consumer under Node, of this deployment's topic; ended afterwards, or after a minute."""
    (shown,) = blocks(page("consuming.md"), "js")
    assert '"ledger.ownership_changed"' in shown
    script = folder / "consumer.js"
    text = shown.replace('"ledger.', f'"{config.topic_prefix}ledger.').replace("trust-score", folder.name)
    script.write_text(changed(text))
    modules = npm.modules(CHECKOUT / "tests" / "consumers" / "npm")
    environ = {**os.environ, **config.environ(), "NODE_PATH": str(modules), "NO_COLOR": "1"}
    with subprocess.Popen(
        [npm.node(), str(script)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        late = threading.Timer(60, process.kill)
        late.start()
        try:
            yield process
        finally:
            late.cancel()
            process.kill()


def changes(process: "subprocess.Popen[str]", wanted: int) -> list[str]:
    """What it prints of records; all that it printed, where it ended before."""
    assert process.stdout is not None
    said, found = [], []
    for line in process.stdout:
        said.append(line)
        found += [line.strip()] if line.startswith(("apply", "revert")) else []
        if len(found) == wanted:
            return found
    raise AssertionError("".join(said))


def test_kafkajs_reads_every_record_once(announced: Config, tmp_path: Path) -> None:
    with consumer(announced, tmp_path, lambda text: text) as process:
        found = changes(process, 2 * len(RECORDS))

    expected = [f"apply mint {record.asset_id} 0x00 -> 0xa1 finalized" for record in RECORDS]
    assert sorted(found) == sorted(2 * expected)


def test_kafkajs_reads_with_the_codec_for_an_older_node(announced: Config, tmp_path: Path) -> None:
    older = 'Buffer.from(require("fzstd").decompress(buffer))'
    assert f"decompress: async (buffer) => {older}" in page("consuming.md")

    with consumer(announced, tmp_path, lambda text: text.replace("zlib.zstdDecompressSync(buffer)", older)) as process:
        found = changes(process, 2 * len(RECORDS))

    assert len(set(found)) == len(RECORDS)


def test_kafkajs_without_a_codec_says_what_the_page_says_it_does(announced: Config, tmp_path: Path) -> None:
    said = "ZSTD compression not implemented"
    assert f"`{said}`" in page("consuming.md")

    with consumer(announced, tmp_path, lambda text: text.replace(CODEC, "const unused")) as process:
        assert process.stdout is not None
        assert any(said in line for line in process.stdout)
