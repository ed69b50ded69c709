#!/usr/bin/env bash
# aiokafka 0.14.0 and confluent-kafka 2.16.0 (librdkafka), one consumer of four partitions, 5,000 fetched records of each:
# `getmany(max_records=500)` and `consume(500)` return the records of one partition alone, call after call, until all
# 5,000 of it are handed out; only then comes the next partition. A partition with a backlog keeps all others of the
# consumer waiting for as long as its fetched buffer lasts, and a smaller `max_records` only makes more calls of it.
#
# Seen: 40 calls of 500 records, of one partition each; three changes of the partition in all.
# The broker is librdkafka's own (`test.mock.num.brokers`), so nothing but the two clients is needed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check aiokafka==0.14.0 confluent-kafka==2.16.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import itertools

import aiokafka
import confluent_kafka

PARTITIONS, RECORDS, CALL = 4, 5_000, 500

producer = confluent_kafka.Producer({
    "bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0,
    "batch.num.messages": RECORDS, "linger.ms": 60_000,  # one batch a partition: what one answer to a fetch brings
})
broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
address = f"{broker.host}:{broker.port}"
for partition, number in itertools.product(range(PARTITIONS), range(RECORDS)):
    producer.produce("topic", b"x" * 100, partition=partition)
    if number % 500 == 0:
        producer.poll(0)
producer.flush(30)


def calls_of_confluent() -> list[set[int]]:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "group", "log_level": 0})
    consumer.assign([confluent_kafka.TopicPartition("topic", each, 0) for each in range(PARTITIONS)])
    calls, seen = [], 0
    while seen < PARTITIONS * RECORDS:
        found = consumer.consume(CALL, timeout=10)
        assert found, "expected all records, the broker gave no more"
        calls.append({record.partition() for record in found})
        seen += len(found)
    consumer.close()
    return calls


async def calls_of_aiokafka() -> list[set[int]]:
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([aiokafka.TopicPartition("topic", each) for each in range(PARTITIONS)])
    await consumer.seek_to_beginning()
    calls, seen = [], 0
    while seen < PARTITIONS * RECORDS:
        found = await consumer.getmany(timeout_ms=10_000, max_records=CALL)
        assert found, "expected all records, the broker gave no more"
        calls.append({each.partition for each in found})
        seen += sum(map(len, found.values()))
    await consumer.stop()
    return calls


for name, version, calls in (
    ("confluent-kafka", confluent_kafka.__version__, calls_of_confluent()),
    ("aiokafka", aiokafka.__version__, asyncio.run(calls_of_aiokafka())),
):
    of_one = [next(iter(call)) for call in calls if len(call) == 1]
    changes = sum(one != other for one, other in itertools.pairwise(of_one))
    print(f"{name} {version}: {len(calls)} calls, {len(of_one)} of them of one partition; it changed {changes} times")
    assert len(of_one) == len(calls), f"{name}: a call brought records of several partitions"
    assert changes == PARTITIONS - 1, f"{name}: expected {PARTITIONS - 1} changes of the partition, got {changes}"
PYTHON
