"""Deliveries at the same time, and a death between the commit and the acknowledgement: each position is taken once."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ft.errors import BrokerError, Fenced
from ft.streams.worker.chain_reader.sender import Sender
from ft.streams.worker.fence import Claim, Work, Writer
from ft.streams.worker.tables import Table
from tests.integration.agents.normalize.conftest import MakeNormalizer
from tests.integration.agents.normalize.rawtopic import (
    NETWORK,
    RawTopic,
    appends,
    claim,
    events_of,
    expected_events,
    revert,
)
from tests.synthetic.chain import Chain

BLOCKS = "SELECT count(*) FROM ingest.blocks WHERE state = 'canonical'"


def chain_of() -> Chain:
    return Chain(seed=7, network=NETWORK, logs=10, contracts=12)


async def write_a_reorg(raw: RawTopic, chain: Chain) -> None:
    records = [claim(), *appends(chain, 4, lease=0, first=True)]
    records += [revert(block, 0) for block in chain.undo(2)]
    await raw.write(*records, *appends(chain, 3, lease=0))


async def test_two_concurrent_deliveries_take_effect_once(raw: RawTopic, make_normalizer: MakeNormalizer) -> None:
    chain = chain_of()
    await write_a_reorg(raw, chain)
    first = await make_normalizer("one")
    second = await make_normalizer("two")

    outcomes = await asyncio.gather(first.run(), second.run(), return_exceptions=True)

    assert isinstance(outcomes[0], Fenced)
    assert outcomes[1] is None
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows(BLOCKS) == [(len(chain.blocks),)]
    assert raw.next_offset() == 10


async def test_a_crash_between_commit_and_acknowledgement_repeats_nothing(
    raw: RawTopic, make_normalizer: MakeNormalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = chain_of()
    await write_a_reorg(raw, chain)
    first = await make_normalizer("one")
    committed = Writer.commit

    async def commit_and_die(self: Writer, work: Work) -> None:
        await committed(self, work)
        raise RuntimeError("killed before the acknowledgement")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "commit", commit_and_die)
        with pytest.raises(RuntimeError):
            await first.run()
    await (await make_normalizer("two")).run()

    sent = raw.normalized()
    for records in sent.values():
        positions = [record.batch.position for record in records]
        assert positions == sorted(set(positions))
    assert events_of(raw.read_once()) == expected_events(chain.blocks)
    assert raw.rows(BLOCKS) == [(len(chain.blocks),)]


async def test_nothing_is_committed_before_everything_is_acknowledged(
    raw: RawTopic, make_normalizer: MakeNormalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = chain_of()
    await write_a_reorg(raw, chain)
    first = await make_normalizer("one")

    async def refused(self: Sender[Any]) -> None:
        raise BrokerError("the record is refused")

    with monkeypatch.context() as patch:
        patch.setattr(Sender, "acknowledged", refused)
        with pytest.raises(BrokerError):
            await first.run()

    assert raw.next_offset() == 0
    assert raw.rows("SELECT count(*) FROM ingest.blocks") == [(0,)]

    assert first.hop._sender is None, "a producer that was refused something sends nothing more"
    await first.run()

    assert events_of(raw.read_once()) == expected_events(chain.blocks)


async def test_the_table_learns_of_a_batch_only_when_it_is_committed(
    raw: RawTopic, make_normalizer: MakeNormalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen = Table.write, []

    def watched(self: Table, changes: Mapping[bytes, bytes | None], claim: Claim) -> None:
        seen.append((claim.next_offset, raw.next_offset(), bool(changes)))
        write(self, changes, claim)

    monkeypatch.setattr(Table, "write", watched)
    await write_a_reorg(raw, chain_of())

    await (await make_normalizer("one")).run()

    assert [found for found in seen if found[2]] == [(10, 10, True)]
