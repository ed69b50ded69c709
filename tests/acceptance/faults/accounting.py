"""What everything must come to: the journal, ownership, projections and announcements against the model's chain."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from ft import children
from ft.schemas.events import OwnershipChanged, from_record
from ft.streams.deployment.comparing import told_generations
from ft.streams.deployment.generations import ONLY_ONE, Generations
from tests.acceptance.faults.world import NETWORK, PARTITIONS, World
from tests.synthetic.chain import Chain
from tests.synthetic.model import ZERO, Holding
from tests.synthetic.ownership import differences
from tests.synthetic.rawlog import event_keys, kinds

VERIFY_S: Final = 240.0

_LIVE: Final = """
SELECT tx_hash, contract, topic0, n, block_hash, count(*) FROM ledger.normalized_events GROUP BY 1, 2, 3, 4, 5
"""
_SUMS: Final = """
SELECT count(*) FROM (
    SELECT sum(CASE op WHEN 'apply' THEN 1 ELSE -1 END) AS live FROM ledger.events WHERE op IN ('apply', 'revert')
    GROUP BY network, tx_hash, contract, topic0, n, sub_index) t WHERE live NOT IN (0, 1)
"""
# What is missing is what the journal has forgotten: rows of kind finality, which the model knows nothing of.
_SEQ: Final = """
SELECT e.partition, min(seq), max(seq), count(*), count(DISTINCT seq), o.next_seq, max(f.rows)
FROM ledger.events e
JOIN system.partition_owner o ON o.consumer = 'ledger' AND o.partition = e.partition
LEFT JOIN ledger.forgotten f ON f.partition = e.partition
GROUP BY e.partition, o.next_seq HAVING (max(seq), count(*)) <> (o.next_seq - 1, count(DISTINCT seq))
    OR max(seq) <> count(*) + coalesce(max(f.rows), 0)
    OR max(seq)::numeric * (max(seq) + 1) / 2 <> sum(seq) + coalesce(max(f.seqs), 0)
"""
_PROJECTED: Final = """
SELECT contract, token_id::text, account, quantity::text FROM projection.holdings
WHERE network = %s AND quantity > 0 AND NOT covered AND account NOT IN ('', %s)
"""
_STATS: Final = """
SELECT contract, owners, assets, supply::bigint, transfers, mints, burns FROM projection.collection_stats
WHERE network = %s
"""
_COVERED: Final = 'SELECT range_agg(int8range("from", "to", \'[]\')) = %s::int8multirange FROM ingest.coverage'


@dataclass(kw_only=True)
class Sums:
    """Of what came in less what went out: what a reader of ``ledger.ownership_changed`` keeps."""

    balances: Counter[Holding] = field(default_factory=Counter)

    @property
    def held(self) -> dict[Holding, int]:
        return {key: quantity for key, quantity in self.balances.items() if quantity > 0 and key[2] != ZERO}

    def move(self, change: OwnershipChanged) -> None:
        """A head moves nothing."""
        if change.kind == "finality":
            return
        quantity = int(change.quantity) * (1 if change.op == "apply" else -1)
        token = (change.contract, int(change.token_id))
        self.balances[(*token, change.from_account)] -= quantity
        self.balances[(*token, change.to_account)] += quantity


@dataclass(kw_only=True)
class Subscriber(Sums):
    """Somebody else's reader, by ft's own rule of generations."""

    generations: Generations = ONLY_ONE
    records: int = 0
    repeats: int = 0
    gaps: list[str] = field(default_factory=list)

    def take(self, partition: int, changes: Sequence[OwnershipChanged]) -> None:
        """A partition from its beginning: drops what it has seen by seq, and notices what is missing by prev_seq."""
        last = 0
        for change in changes:
            self.records += 1
            if self.generations.is_void(change.generation, partition, change.seq):
                continue
            if change.seq <= last:
                self.repeats += 1
                continue
            if change.prev_seq != last:
                self.gaps.append(f"partition {partition}: {change.seq} follows {change.prev_seq}, after {last}")
            last = change.seq
            self.move(change)


def subscribe(world: World) -> Subscriber:
    """Read the whole topic as anybody could."""
    topic = world.topics.ownership_changed
    codec = world.codec_of("ownership_changed", topic)
    subscriber = Subscriber(generations=told_generations(world.config)[1])
    for partition in range(PARTITIONS):
        values = world.read(topic, partition)
        subscriber.take(partition, [from_record(OwnershipChanged, codec.decode(value)) for value in values])
    return subscriber


def repeats_in_normalized(world: World) -> tuple[int, int]:
    """Records of ``ledger.normalized``, and those of them that say again what was said."""
    topic = world.topics.normalized
    codec = world.codec_of("normalized_batch", topic)
    records = repeated = 0
    for partition in range(PARTITIONS):
        last = -1
        for value in world.read(topic, partition):
            position = codec.decode(value)["position"]
            records += 1
            repeated += position <= last
            last = max(last, position)
    return records, repeated


@dataclass(frozen=True, kw_only=True)
class Count:
    """The journal's live events against the model's, and the announcements against the journal."""

    events: int
    """Of the model."""
    lost: int
    strange: int
    """Live, and not of the model."""
    double: int
    records: int
    """Of ``ledger.ownership_changed``."""
    repeats: int
    gaps: int


def require_exactly_once(world: World, chain: Chain, *, dead_letters: int = 0) -> Count:
    """Nothing lost, nothing twice: counted in Postgres, read from Kafka, proved by ``ft verify``."""
    with world.connect() as conn:
        lost, strange, double = _require_journal(conn, chain)
        assert conn.execute("SELECT count(*) FROM system.dlq").fetchone() == (dead_letters,)
        assert conn.execute("SELECT count(*) FROM ingest.quarantine").fetchone() == (0,)
        assert differences(conn, NETWORK, chain.ownership) == []
        _require_projections(conn, chain)
        canonical = "SELECT number, hash FROM ingest.blocks WHERE state = 'canonical' ORDER BY 1"
        assert conn.execute(canonical).fetchall() == [(block.number, block.hash) for block in chain.blocks]
        whole = f"{{[{chain.blocks[0].number},{chain.blocks[-1].number}]}}"
        assert conn.execute(_COVERED, (whole,)).fetchone() == (True,), "coverage has a hole"
    subscriber = subscribe(world)
    assert subscriber.gaps == []
    assert subscriber.held == chain.ownership.held
    require_verified(world)
    return Count(
        events=sum(len(block.moves) for block in chain.blocks),
        lost=lost,
        strange=strange,
        double=double,
        records=subscriber.records,
        repeats=subscriber.repeats,
        gaps=len(subscriber.gaps),
    )


def _require_journal(conn: psycopg.Connection[Any], chain: Chain) -> tuple[int, int, int]:
    expected = event_keys(chain.blocks)
    rows = conn.execute(_LIVE).fetchall()
    live = {tuple(row[:4]): row[4] for row in rows}
    lost, strange = expected.keys() - live.keys(), live.keys() - expected.keys()
    double = sum(row[5] - 1 for row in rows) + len(rows) - len(live)
    counted = {"lost": len(lost), "strange": len(strange), "double": double}
    print(f"journal: {len(live)} live events, {len(expected)} of the model, {counted}")
    assert not any(counted.values()), f"{counted}; e.g. {[*lost, *strange][:3]}"
    assert live == expected, "an event is live under another block than the canonical one"
    assert conn.execute(_SUMS).fetchone() == (0,), "an event is applied or retracted twice"
    assert conn.execute(_SEQ).fetchall() == [], "seq is not contiguous"
    return len(lost), len(strange), double


def _require_projections(conn: psycopg.Connection[Any], chain: Chain) -> None:
    held = chain.ownership.held
    rows = conn.execute(_PROJECTED, (NETWORK, ZERO)).fetchall()
    assert {(c, int(token), account): int(quantity) for c, token, account, quantity in rows} == held
    stats = {contract: tuple(rest) for contract, *rest in conn.execute(_STATS, (NETWORK,)).fetchall()}
    # Of every contract; one whose events were all undone is known with nothing.
    counted = dict.fromkeys(stats, (0, 0, 0)) | kinds(chain.blocks)
    assert stats == {contract: (*_figures(held, contract), *counts) for contract, counts in counted.items()}


def _figures(held: Any, contract: str) -> tuple[int, int, int]:
    mine = [(token, account, quantity) for (c, token, account), quantity in held.items() if c == contract]
    return len({a for _, a, _ in mine}), len({t for t, _, _ in mine}), sum(q for _, _, q in mine)


def require_verified(world: World) -> None:
    """``ft verify`` exits 0."""
    child = children.start(world.config, "verify", (*children.FT, "verify"))
    began = time.monotonic()
    code = child.wait(VERIFY_S)
    print(f"ft verify: exit {code} after {time.monotonic() - began:.1f} s")
    assert code == 0, child.log_end()
