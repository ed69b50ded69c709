"""Recorded blocks, bent at random: whatever comes, it is events, a hole or a dead letter, never anything else."""

import json
import os
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from ft.agents.decode import families
from ft.agents.ledger.validated_input import read
from ft.agents.normalize import slices
from ft.errors import MalformedRecord
from ft.schemas.changes import refusal_of
from ft.schemas.codec import Codec
from ft.schemas.events import NormalizedBatch, OwnershipChanged, RawBlock, RawPart, from_record, to_record
from ft.streams.worker.chain_reader.canonical import Chain, Marks
from ft.streams.worker.chain_reader.envelope import Envelope
from tests.recordings import recorded

SEED: Final = int(os.environ.get("FT_FUZZ_SEED", "20260106"))
ROUNDS: Final = int(os.environ.get("FT_FUZZ_ROUNDS", "1000"))
"""Of each test; a thousand take a second or two."""
BLOCKS: Final = ("ethereum/7280016", "polygon/10000000", "polygon/20000000")
LOGS_MAX: Final = 40
WORDS: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 1.5, "", "0x", "0X", "0x0", "zz", "\0", "é", "0x" + "f" * 40, "0x" + "F" * 64,
    "0x" + "f" * 10_000, [], {}, [[]], [None], {"logs": None}, 2**64,
    "0x-1", "0x1_0", " 0x1", "0x" + "0" * 63 + "1", [[[[[[]]]]]],
)  # fmt: skip
TOKENS: Final = (b"[", b"]", b"{", b"}", b'"', b",", b":", b"null", b"\\u0000", b"\\ud800", b"\xff", b"\0", b"9" * 400)


def unknown(schema_id: int) -> Any:
    raise MalformedRecord(f"schema id {schema_id}: expected one that the registry knows")


RAW: Final = Codec("raw_block", 1, unknown)
NORMALIZED: Final = Codec("normalized_batch", 1, unknown)
OWNED: Final = Codec("ownership_changed", 1, unknown)


def raw_block(name: str) -> RawBlock:
    """A recorded block as its raw record; of its receipts no more than hold LOGS_MAX logs, so that a round is short."""
    network = name.partition("/")[0]
    body = json.loads(recorded("evm", name, "block.json.gz"))
    kept: list[Any] = []
    for receipt in json.loads(recorded("evm", name, "receipts.json.gz")):
        if sum(len(each["logs"]) for each in kept) < LOGS_MAX:
            kept.append(receipt)
    body["transactions"] = body["transactions"][: len(kept)]
    return RawBlock(
        network=network,
        op="append",
        height=int(body["number"], 16),
        hash=body["hash"],
        parent_hash=body["parentHash"],
        time=int(body["timestamp"], 16),
        finalized=2**40,
        starts_range=True,
        proof="receipts",
        parts=[
            RawPart(name="block", encoding="json", bytes=json.dumps(body).encode()),
            RawPart(name="receipts", encoding="json", bytes=json.dumps(kept).encode()),
        ],
    )


def normalize(value: bytes) -> list[bytes]:
    """What normalize does with one value, without Kafka and Postgres: the records that would follow."""
    record = from_record(RawBlock, RAW.decode(value))
    chain = Chain()
    chain.step(record, 7)
    decoded = families.decode(record, "evm")
    block = next(iter(chain.rows.values()), None)
    if block is None:
        return []
    sent = []
    for partition, part in slices.split(record.network, decoded.events, 8).items():
        fit, _ = slices.fitting(part, 5_000)
        envelope = Envelope(
            network=record.network, op="append", position=7, partition=partition, marks=Marks(), block=block
        )
        batch = slices.record(envelope, fit, slices.digest(fit))
        sent.append(NORMALIZED.encode(to_record(batch)))
    return sent


def require_short(error: MalformedRecord) -> None:
    assert len(str(error)) < 2_000


def bent(random: Random, value: Any) -> Any:
    """The same JSON with one thing in it replaced, dropped, doubled or renamed."""
    if isinstance(value, dict) and value and random.random() < 0.95:
        key = random.choice(list(value))
        fate = random.random()
        if fate < 0.1:
            return {name: each for name, each in value.items() if name != key}
        if fate < 0.15:
            return {(name + "x" if name == key else name): each for name, each in value.items()}
        return value | {key: bent(random, value[key])}
    if isinstance(value, list) and value and random.random() < 0.95:
        at = random.randrange(len(value))
        if random.random() < 0.1:
            return [*value[:at], *([value[at]] * random.choice((0, 2)))]
        return [*value[:at], bent(random, value[at]), *value[at + 1 :]]
    if isinstance(value, str) and value and random.random() < 0.4:
        at = random.randrange(len(value))
        return value[:at] + random.choice(("", "0", "f", "F", "x", "\0", "é")) + value[at + random.randrange(3) :]
    return random.choice(WORDS)


def bent_json(random: Random, body: bytes) -> bytes:
    value = json.loads(body)
    for _ in range(random.randint(1, 3)):
        value = bent(random, value)
    return json.dumps(value).encode()


def bent_bytes(random: Random, body: bytes) -> bytes:
    """Cut, flipped, doubled, or with something put in."""
    at, to = sorted((random.randrange(len(body)), random.randrange(len(body))))
    fate = random.randrange(5)
    if fate == 0:
        return body[:at]
    if fate == 1:
        return body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :]
    if fate == 2:
        return body[:at] + random.choice(TOKENS) + body[at:]
    if fate == 3:
        return body[:at] + body[to:]
    return body[:to] + body[at:]


def part_of(record: RawBlock, index: int, bend: Callable[[bytes], bytes]) -> RawBlock:
    parts = list(record.parts)
    parts[index] = RawPart(name=parts[index].name, encoding="json", bytes=bend(parts[index].bytes))
    return RawBlock(**{**{name: getattr(record, name) for name in RawBlock.__slots__}, "parts": parts})


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("bend", [bent_json, bent_bytes])
def test_bent_parts_are_events_or_malformed(name: str, bend: Callable[[Random, bytes], bytes]) -> None:
    random, whole = Random(f"{SEED}{name}{bend.__name__}"), raw_block(name)
    fates = {"events": 0, "malformed": 0}
    print(f"seed {SEED}")

    for _ in range(ROUNDS):
        record = part_of(whole, random.choice((0, 1, 1, 1)), lambda body: bend(random, body))
        try:
            normalize(RAW.encode(to_record(record)))
            fates["events"] += 1
        except MalformedRecord as exc:
            fates["malformed"] += 1
            require_short(exc)

    print(fates)
    assert all(fates.values())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BLOCKS)
def test_bent_frames_are_records_or_malformed(name: str) -> None:
    random, value = Random(f"{SEED}{name}"), RAW.encode(to_record(raw_block(name)))
    print(f"seed {SEED}")

    for _ in range(ROUNDS):
        bend = value[:200] if random.random() < 0.7 else value
        changed = bent_bytes(random, bend) + (value[200:] if bend is not value else b"")
        try:
            normalize(changed)
        except MalformedRecord as exc:
            require_short(exc)


@pytest.mark.timeout(120)
def test_bent_slices_are_steps_or_malformed() -> None:
    random, sent = Random(SEED), normalize(RAW.encode(to_record(raw_block("polygon/20000000"))))
    print(f"seed {SEED}, {len(sent)} slices")

    for _ in range(4 * ROUNDS):
        value = random.choice(sent)
        try:
            record = NORMALIZED.decode(bent_bytes(random, value))
        except MalformedRecord:
            continue
        read(record, record["partition"])
        from_record(NormalizedBatch, record)


@pytest.mark.timeout(120)
def test_bent_changes_are_projected_or_refused() -> None:
    random = Random(SEED)
    change = OwnershipChanged(
        seq=5, prev_seq=4, kind="mint", op="apply", network="polygon", block_number=7, block_hash="0x1",
        block_time=1_700_000_000, contract="0x2", token_id="7", standard="erc721", quantity="1", log_index=3,
    )  # fmt: skip
    value = OWNED.encode(to_record(change))
    print(f"seed {SEED}")

    for _ in range(10 * ROUNDS):
        try:
            refusal_of(from_record(OwnershipChanged, OWNED.decode(bent_bytes(random, value))))
        except MalformedRecord as exc:
            require_short(exc)
