"""`ft dlq` and what the normalizer or the ledger has refused: closed by what has come, never by a promise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ft.cli.dlq import command
from ft.schemas.events import NormalizedBatch, RawBlock, to_record
from tests.integration.agents.normalize.conftest import Normalizer
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, revert
from tests.integration.agents.normalize.test_normalize import broken_log, chain_of

STATES = "SELECT id, state FROM system.dlq ORDER BY id"


@pytest.fixture
def ft(raw: RawTopic) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(command, words, env=raw.config.environ())


async def test_a_block_without_a_parent_is_replayed_once_it_has_come(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    first, second, third = appends(chain_of(), 3, lease=0, first=True, finalized=3)
    await raw.write(first, third)
    await normalizer.run()

    early = ft("replay", "1")
    await raw.write(second, third)
    await normalizer.run()
    late = ft("replay", "--consumer", "normalize")

    assert early.exit_code == 1
    assert f"`ft ingest {NETWORK} --from 3 --to 3` brings it" in early.output
    assert (late.exit_code, late.output) == (0, f"1: block 3 '{third.hash}' is canonical\n")
    assert raw.rows(STATES) == [(1, "replayed")]


async def test_a_block_whose_height_is_taken_needs_a_replace(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    (first,) = appends(chain_of(), 1, lease=0, first=True, finalized=3)
    await raw.write(first, replace(first, hash="0x" + "f" * 64))
    await normalizer.run()

    refused = ft("replay", "1")

    assert refused.exit_code == 1
    assert f"another block is canonical there, {first.hash}" in refused.output
    assert f"`ft replace {NETWORK} --from 1 --to 1`" in refused.output
    assert raw.rows(STATES) == [(1, "open")]


async def test_better_proven_content_that_differs_is_replayed_once_the_block_was_replaced(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    chain = chain_of()
    (proven,) = appends(chain, 1, lease=0, first=True, finalized=3)
    await raw.write(broken_log(replace(proven, proof="logs")), proven)
    await normalizer.run()

    early = ft("replay", "1")
    await raw.write(revert(chain.blocks[0], 0, reason="replace"), proven)
    await normalizer.run()
    late = ft("replay", "1")

    assert raw.rows("SELECT reason FROM system.dlq") == [("content_differs",)]
    assert (early.exit_code, late.exit_code) == (1, 0)
    assert f"stands with its old content: `ft replace {NETWORK} --from 1 --to 1`" in early.output


async def test_a_revert_of_a_block_that_is_final_is_not_done_by_a_replay(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    chain = chain_of()
    (first,) = appends(chain, 1, lease=0, first=True, finalized=3)
    await raw.write(first, claim(), revert(chain.blocks[0], 1))
    await normalizer.run()

    refused = ft("replay", "1")

    assert raw.rows("SELECT reason FROM system.dlq") == [("not_the_tip",)]
    assert refused.exit_code == 1
    assert "was to be reverted and is canonical. It is final" in refused.output


async def test_what_is_no_record_is_shown_as_bytes_and_can_only_be_dropped(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    await raw.write(b"not a record")
    await normalizer.run()

    shown, refused, dropped, again = ft("show", "1"), ft("replay", "1"), ft("drop", "1"), ft("drop", "1")

    assert b"not a record".hex(" ", 4) in shown.output
    assert refused.exit_code == 1
    assert "nothing says which block it was" in refused.output
    assert (dropped.exit_code, dropped.output) == (0, "1: dropped\n")
    assert again.output == "1: is dropped already\n"
    assert ft("list").output == "no open dead letters\n"
    assert "dropped" in ft("list", "--all").output


async def test_a_readable_record_is_shown_field_by_field(
    raw: RawTopic, normalizer: Normalizer, ft: Callable[..., Result]
) -> None:
    first, second = appends(chain_of(), 2, lease=0, first=True, finalized=3)
    await raw.write(replace(second, starts_range=False))
    await normalizer.run()

    shown = ft("show", "1").output

    assert "reason     no_parent" in shown
    assert "raw_block" in shown
    assert f"parent_hash     {first.hash}" in shown
    assert "name block, encoding json, bytes " in shown
    assert "transactionsRoot" not in shown


def letter(raw: RawTopic, consumer: str, topic: str, record: RawBlock | NormalizedBatch | bytes) -> None:
    payload = record if isinstance(record, bytes) else raw.facts.codecs[topic].encode(to_record(record))
    raw.rows(
        'INSERT INTO system.dlq (consumer, topic, partition, "offset", network, reason, error, payload)'
        " VALUES (%(consumer)s, %(topic)s, 1, 5, %(network)s, 'bad_text', 'why', %(payload)s) RETURNING id",
        consumer=consumer, topic=topic, network=NETWORK, payload=payload,
    )  # fmt: skip


async def test_a_slice_that_the_ledger_refused_is_replayed_once_the_journal_has_it(
    raw: RawTopic, ft: Callable[..., Result]
) -> None:
    slice_ = NormalizedBatch(network=NETWORK, op="append", position=4, partition=1, block_number=9, block_hash="0x9")
    letter(raw, "ledger", raw.facts.topics.normalized, slice_)

    early = ft("replay", "1")
    raw.rows(
        "INSERT INTO ledger.applied_blocks VALUES ('ledger', %(network)s, '0x9', 1, 'applied', 9, now(), '', 'logs',"
        " 1, 1) RETURNING 1",
        network=NETWORK,
    )
    late = ft("replay", "1")

    assert early.exit_code == 1
    assert f"`ft replace {NETWORK} --from 9 --to 9` sends its slices anew" in early.output
    assert (late.exit_code, late.output) == (0, "1: block 9 '0x9' in partition 1 is in the journal\n")


async def test_a_record_that_project_refused_is_not_replayed(raw: RawTopic, ft: Callable[..., Result]) -> None:
    letter(raw, "project", raw.facts.topics.ownership_changed, b"x")

    refused = ft("replay", "--consumer", "project")

    assert refused.exit_code == 1
    assert "`ft verify` says whether the projections miss anything" in refused.output
    assert raw.rows(STATES) == [(1, "open")]


@pytest.mark.parametrize("words", [("replay",), ("drop",), ("drop", "1", "--network", "x")])
def test_letters_are_named_either_by_id_or_by_what_they_share(words: tuple[Any, ...]) -> None:
    result = CliRunner().invoke(command, words)

    assert result.exit_code == 2
    assert "name letters by their IDs, or choose them by" in result.output


async def test_the_list_says_how_many_it_leaves_out(raw: RawTopic, ft: Callable[..., Result]) -> None:
    for topic in ("a", "b", "c"):
        letter(raw, "project", topic, b"x")

    listed = ft("list", "--limit", "2", "--reason", "bad_text").output

    assert ["b-1@5" in listed, "c-1@5" in listed] == [True, False]
    assert "and 1 more" in listed
    assert ft("list", "--network", "other").output == "no open dead letters\n"
