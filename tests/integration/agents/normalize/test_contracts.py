"""Contracts older than the standards, listed before and after blocks were read."""

import json
from dataclasses import replace
from typing import Final

from ft.contracts import Contract
from ft.networks import load_networks
from ft.schemas.events import NormalizedBatch, RawBlock
from ft.sql.migrate import ensure_network
from tests.integration.agents.normalize.conftest import MakeNormalizer
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, revert
from tests.synthetic.chain import TRANSFER, Chain

LISTED: Final = "0x" + "ab" * 20


def list_contract(raw: RawTopic, layout: str = "id_in_data") -> None:
    """What `ft migrate` does for a contract of the file."""
    network = load_networks(raw.config.networks_file)[NETWORK]
    ensure_network(raw.config.postgres, replace(network, contracts={LISTED: Contract(layout=layout)}))


def coin_of(record: RawBlock) -> RawBlock:
    """The block in which the contract logs one movement more, which looks like a coin's."""
    parts = {part.name: part for part in record.parts}
    receipts = json.loads(parts["receipts"].bytes)
    topics = [TRANSFER, "0x" + "0" * 64, "0x" + "0" * 63 + "7"]
    receipts[0]["logs"].append(receipts[0]["logs"][0] | {"address": LISTED, "topics": topics, "data": f"0x{77:064x}"})
    parts["receipts"] = replace(parts["receipts"], bytes=json.dumps(receipts).encode())
    return replace(record, parts=list(parts.values()))


def blocks(chain: Chain, count: int, *, first: bool = False) -> list[RawBlock]:
    return [coin_of(record) for record in appends(chain, count, lease=0, first=first, finalized=99)]


def moved_in(raw: RawTopic) -> list[int]:
    """The blocks whose events have one of the listed contract."""
    batches: list[NormalizedBatch] = [batch for found in raw.read_once().values() for batch in found]
    return sorted(batch.block_number for batch in batches if LISTED in batch.contract)


def in_force_from(raw: RawTopic) -> list[tuple[int | None]]:
    return raw.rows("SELECT in_force_from FROM ref.contracts WHERE contract = %(contract)s", contract=LISTED)


async def test_a_contract_that_is_listed_from_the_first_block_is_read_in_all(
    raw: RawTopic, make_normalizer: MakeNormalizer
) -> None:
    list_contract(raw)
    await raw.write(claim(), *blocks(Chain(seed=1, network=NETWORK, logs=4), 2, first=True))

    await (await make_normalizer("one")).run()

    assert moved_in(raw) == [1, 2]
    assert in_force_from(raw) == [(0,)]
    assert raw.rows("SELECT count(*) FROM ingest.undecoded") == [(0,)]


async def test_a_contract_that_is_listed_later_is_read_from_there_on_and_what_was_read_is_noted(
    raw: RawTopic, make_normalizer: MakeNormalizer
) -> None:
    chain = Chain(seed=1, network=NETWORK, logs=4)
    await raw.write(claim(), *blocks(chain, 2, first=True))
    await (await make_normalizer("one")).run()
    list_contract(raw)
    before = in_force_from(raw)

    await raw.write(*blocks(chain, 1))
    await (await make_normalizer("two")).run()

    assert (before, in_force_from(raw)) == ([(None,)], [(3,)])
    assert moved_in(raw) == [3]
    assert raw.rows("SELECT contract, heights::text FROM ingest.undecoded") == [(LISTED, "{[1,3)}")]
    assert raw.rows("SELECT contract, block_number, reason FROM projection.quarantined") == [(LISTED, 2, "not_listed")]


async def test_what_is_read_again_misses_nothing_any_more(raw: RawTopic, make_normalizer: MakeNormalizer) -> None:
    chain = Chain(seed=1, network=NETWORK, logs=4)
    read = blocks(chain, 2, first=True)
    await raw.write(claim(), *read)
    await (await make_normalizer("one")).run()
    list_contract(raw)

    await raw.write(revert(chain.blocks[1], 0, "replace"), read[1])
    second = await make_normalizer("two")
    await second.run()
    left = raw.rows("SELECT heights::text FROM ingest.undecoded")
    await raw.write(revert(chain.blocks[1], 0, "replace"), revert(chain.blocks[0], 0, "replace"), *read)
    await second.run()

    assert left == [("{[1,2)}",)]
    assert moved_in(raw)[-2:] == [2, 2]
    assert raw.rows("SELECT count(*) FROM ingest.undecoded") == [(0,)]


async def test_a_contract_whose_layout_changes_comes_in_force_anew(
    raw: RawTopic, make_normalizer: MakeNormalizer
) -> None:
    list_contract(raw, "all_in_data")
    chain = Chain(seed=1, network=NETWORK, logs=4)
    await raw.write(claim(), *blocks(chain, 1, first=True))
    await (await make_normalizer("one")).run()

    list_contract(raw)
    await raw.write(*blocks(chain, 1))
    await (await make_normalizer("two")).run()

    assert in_force_from(raw) == [(2,)]
    assert moved_in(raw) == [2]
