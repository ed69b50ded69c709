"""The five promises of every chain adapter, kept by the EVM one from a real node to Kafka and Postgres."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from ft.demo.node import ReplayNode, replaying
from ft.streams.kafka.topics import Topics
from tests.acceptance.chains import LiveChain
from tests.acceptance.pipeline import Pipeline
from tests.devnet.contracts import Devnet, Erc721, Erc1155
from tests.devnet.faulty_node import Faults, FaultyNode
from tests.devnet.node import Anvil, TxHash

NETWORKS = ("from-receipts", "from-logs")
BATCHES = (1, 10, 100)
NOTHING_READ_S = 3.0


@dataclass(frozen=True, slots=True)
class Story:
    """One chain, read once from receipts and once from logs alone."""

    pipeline: Pipeline
    apes: Erc721
    items: Erc1155
    batches: dict[int, TxHash]
    silent: set[TxHash]
    """Transactions that move no NFT."""

    def transfers(self, network: str) -> list[dict[str, Any]]:
        return self.pipeline.all("transfers", network=network, order="asc")


@pytest.fixture(scope="module")
def story(pipeline: Pipeline) -> Iterator[Story]:
    with ExitStack() as stack:
        node = stack.enter_context(Anvil())
        told = _told(pipeline, Devnet(node))
        recording = LiveChain(pipeline, "from-receipts", node, Devnet(node)).served_later()
        whole = stack.enter_context(replaying(ReplayNode(recording)))
        poor = Faults(without={"eth_getBlockReceipts", "eth_getTransactionReceipt"})
        logs = stack.enter_context(replaying(FaultyNode(recording, poor)))
        for network, url in (("from-receipts", whole.url), ("from-logs", logs.url)):
            pipeline.ingest(network, url, first=0, last=node.head())
            pipeline.caught_up(network)
        yield told


def _told(pipeline: Pipeline, devnet: Devnet) -> Story:
    alice, bob = devnet.accounts[1:3]
    apes, items, coins = devnet.erc721(), devnet.erc1155(), devnet.erc20()
    for _ in range(3):
        apes.mint(alice)
    apes.transfer(alice, bob, 0)
    apes.transfer(bob, bob, 0)
    apes.burn(alice, 1)
    for size in BATCHES:
        items.mint_batch(alice, list(range(size)), [5] * size)
    batches = {size: items.batch_transfer(alice, bob, list(range(size)), [1] * size) for size in BATCHES}
    items.transfer(alice, bob, 0, 0)
    silent = {
        coins.mint(alice, 100),
        coins.transfer(alice, bob, 7),
        apes.approve(alice, bob, 2),
        apes.approve_all(alice, bob),
        items.batch_transfer(alice, bob, [], []),
    }
    return Story(pipeline, apes, items, batches, silent)


def test_every_record_fits_the_schema_that_its_topic_is_registered_with(story: Story) -> None:
    topics = Topics(story.pipeline.config.topic_prefix)

    read = {
        topic: _records(story.pipeline, topic)
        for topic in (topics.raw("from-receipts"), topics.normalized, topics.ownership_changed, topics.asset_created)
    }

    assert {topic for topic, records in read.items() if not records} == set()
    assert {record["schema_version"] for records in read.values() for record in records} == {1}


def _records(pipeline: Pipeline, topic: str) -> list[dict[str, Any]]:
    """Everything in the topic, as a subscriber that knows the registry alone reads it."""
    settings = {"group.id": f"{topic}-reader", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**pipeline.config.kafka_client, **settings})
    found: list[dict[str, Any]] = []
    try:
        consumer.subscribe([topic])
        with SchemaRegistryClient({"url": pipeline.config.schema_registry, "timeout": 30}) as client:
            avro = AvroDeserializer(client)
            while message := consumer.poll(NOTHING_READ_S if found else 30):
                assert message.error() is None
                found.append(avro(message.value(), SerializationContext(topic, MessageField.VALUE)))
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("network", NETWORKS)
def test_sub_indexes_of_a_batch_are_contiguous_from_0(story: Story, network: str) -> None:
    moved = story.transfers(network)

    for size, tx in story.batches.items():
        assert [each["sub_index"] for each in moved if each["tx_hash"] == tx] == list(range(size))


@pytest.mark.parametrize("network", NETWORKS)
def test_deltas_conserve(story: Story, network: str) -> None:
    rows = story.pipeline.sql(
        """SELECT e."from" ~ '^0x0{40}$', e."to" ~ '^0x0{40}$', e.quantity::int,
                  coalesce(sum(d.delta), 0)::int, count(d.delta)
           FROM ledger.events e LEFT JOIN ledger.normalized_event_deltas d USING (partition, seq)
           WHERE e.network = %(network)s AND e.op = 'apply' GROUP BY e.partition, e.seq, 1, 2, 3""",
        network=network,
    )

    for minted, burned, quantity, total, sides in rows:
        expected = (quantity, 1) if minted else (-quantity, 1) if burned else (0, 2)
        assert (total, sides) == expected
    assert {(minted, burned) for minted, burned, *_ in rows} == {(True, False), (False, True), (False, False)}


def test_the_same_block_from_receipts_and_from_logs_gives_the_same_ids(story: Story) -> None:
    ids = {
        network: [
            (each["transfer_id"].removeprefix(network), each["asset_id"].removeprefix(network), each["revision"])
            for each in story.transfers(network)
        ]
        for network in NETWORKS
    }

    assert ids["from-receipts"] == ids["from-logs"]
    assert len(set(ids["from-receipts"])) == len(ids["from-receipts"]) == 3 + 3 + 2 * sum(BATCHES) + 1


@pytest.mark.parametrize("network", NETWORKS)
def test_what_moves_no_nft_has_no_deltas(story: Story, network: str) -> None:
    deltas = story.pipeline.sql(
        "SELECT tx_hash, delta FROM ledger.normalized_event_deltas WHERE network = %(network)s", network=network
    )

    assert {tx for tx, _ in deltas} & story.silent == set()
    assert sorted(int(delta) for _, delta in deltas if not delta) == [0, 0]  # the transfer of zero units
    assert story.pipeline.sql("SELECT count(*) FROM ingest.quarantine") == [(0,)]
