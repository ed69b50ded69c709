"""The consumer in JavaScript that docs/consuming.md shows, word for word: kafkajs and its registry client."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ft.config import Config
from tests import npm
from tests.announced import announce, mint
from tests.unit.pages import CHECKOUT, blocks, page

RECORDS = [mint(seq) for seq in range(1, 41)]
CODEC = "CompressionCodecs[CompressionTypes.ZSTD]"


@pytest.fixture
async def announced(config: Config) -> Config:
    """40 records in two partitions, and one of them again."""
    await announce(config, {partition: [*RECORDS, RECORDS[-1]] for partition in (0, 1)})
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


async def test_kafkajs_stops_at_a_generation_beyond_the_one_it_has_seen(config: Config, tmp_path: Path) -> None:
    await announce(config, {0: [mint(1), mint(2), mint(2, generation=1), mint(3, generation=1)]})

    with consumer(config, tmp_path, lambda text: text) as process:
        said, _ = process.communicate()

    assert [line.split()[2] for line in said.splitlines() if line.startswith("apply")] == [
        mint(1).asset_id,
        mint(2).asset_id,
    ]
    assert "ft was restored" in said
    assert process.returncode == 1
