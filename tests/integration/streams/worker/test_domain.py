"""A domain of FT_DOMAINS in a worker: migrated, run, announced, proved and shown, by its declaration alone."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ft.children import FT, environment
from ft.config import Config
from ft.schemas import domains
from ft.schemas.changes import SIGN, Change, read
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim, open_raw, revert
from tests.integration.streams.worker.conftest import StartWorker
from tests.sample_domain import DOMAIN, EVERY, REACHED
from tests.synthetic.chain import Chain
from tests.topic_ends import read_all

MODULE = "tests.sample_domain"
RECEIVED = "SELECT account, n FROM sample.received WHERE n <> 0"
STANDS = """
    SELECT bool_and(s.next_seq = p.next_seq) FROM system.partition_owner s
    JOIN system.partition_owner p USING (topic, partition)
    WHERE s.consumer = 'sample' AND p.consumer = 'project'
"""
ANNOUNCED = "SELECT coalesce(sum(written), 0), coalesce(sum(written - announced), 0) FROM system.outbox_cursor"


@pytest.fixture
def raw(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawTopic]:
    monkeypatch.setitem(domains._declared, DOMAIN.name, DOMAIN)
    made = replace(config, session_timeout_s=6.0, domains=(MODULE,))
    with open_raw(made, tmp_path) as opened:
        yield opened


def changes(raw: RawTopic) -> list[Change]:
    """Every event of ledger.ownership_changed, once."""
    topic, found = raw.facts.topics.ownership_changed, []
    for partition in range(raw.facts.partitions):
        last = 0
        for message in read_all(raw.config, topic, partition, anew=True):
            said, _ = read(raw.facts.codecs[topic], message.value)
            if isinstance(said, Change) and said.seq > last:
                last = said.seq
                found += [said] if said.kind != "finality" else []
    return found


def milestones(raw: RawTopic) -> dict[int, list[dict[str, Any]]]:
    """What was announced, by partition, each seq once."""
    topic, found = f"{raw.facts.topics.own}{REACHED}", {}
    for partition in range(raw.facts.partitions):
        records = [raw.facts.codecs[topic].decode(m.value) for m in read_all(raw.config, topic, partition, anew=True)]
        found[partition] = list({record["seq"]: record for record in records}.values())
    return found


async def test_a_domain_follows_reorgs_and_announces_what_it_comes_to(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = Chain(seed=3, network=NETWORK, logs=40, contracts=12)
    records = [claim(), *appends(chain, 12, lease=0, first=True)]
    undone = chain.undo(4)
    await raw.write(*records, *[revert(block, 0) for block in undone], *appends(chain, 6, lease=0))

    worker = start_worker("normalize,ledger,publisher,project,sample")
    projected = "SELECT min(position) FROM system.partition_head WHERE consumer = 'project'"
    await raw.until(lambda: (raw.rows(projected)[0][0] or 0) >= len(records) + 9, within_s=180)
    await raw.until(lambda: raw.rows(STANDS) == [(True,)], within_s=90)
    await raw.until(lambda: raw.rows(ANNOUNCED)[0][1] == 0, within_s=90)
    assert worker.terminate() == 0

    expected: Counter[str] = Counter()
    for change in changes(raw):
        expected[change.to_account] += SIGN[change.op]
    assert dict(raw.rows(RECEIVED)) == {account: n for account, n in expected.items() if n}
    found = milestones(raw)
    for partition, each in found.items():
        assert [(m["prev_seq"], m["seq"]) for m in each] == [(n, n + 1) for n in range(len(each))], partition
    standing: Counter[tuple[str, int]] = Counter()
    for each in found.values():
        for milestone in each:
            standing[milestone["account"], milestone["received"]] += SIGN[milestone["op"]]
    reached = {(account, n) for account, total in expected.items() for n in range(EVERY, total + 1, EVERY)}
    assert {key for key, n in standing.items() if n} == reached
    assert set(standing.values()) <= {0, 1}
    assert reached


async def test_a_domain_is_proved_and_rebuilt_by_its_name(raw: RawTopic, start_worker: StartWorker) -> None:
    chain = Chain(seed=4, network=NETWORK, logs=40, contracts=12)
    await raw.write(claim(), *appends(chain, 8, lease=0, first=True))
    worker = start_worker("normalize,ledger,publisher,project,sample")
    projected = "SELECT min(position) FROM system.partition_head WHERE consumer = 'project'"
    await raw.until(lambda: (raw.rows(projected)[0][0] or 0) >= 8, within_s=180)
    await raw.until(lambda: raw.rows(STANDS) == [(True,)], within_s=90)
    await raw.until(lambda: raw.rows(ANNOUNCED)[0][1] == 0, within_s=90)
    assert worker.terminate() == 0
    before, announced = sorted(raw.rows(RECEIVED)), milestones(raw)
    assert "accounts received as often as the journal says" in ft(raw, "verify")

    run(raw, "UPDATE sample.received SET n = n + 1 WHERE account = (SELECT min(account) FROM sample.received)")
    assert "received" in ft(raw, "verify", code=1)
    assert "everything that sample keeps" in ft(raw, "rebuild", "sample")

    assert sorted(raw.rows(RECEIVED)) == before
    assert milestones(raw) == announced
    assert "no differences" in ft(raw, "verify")
    heads = "SELECT network, head_number FROM system.partition_head WHERE consumer = %(consumer)s ORDER BY partition, 1"
    assert raw.rows(heads, consumer="sample") == raw.rows(heads, consumer="project") != []
    assert "expected one of" in ft(raw, "dlq", "list", "--consumer", "nobody", code=2)
    assert ft(raw, "dlq", "list", "--consumer", "sample")


def ft(raw: RawTopic, *words: str, code: int = 0) -> str:
    """A command as an operator runs it; what it said."""
    done = subprocess.run(
        [sys.executable, *FT, *words], env=environment(raw.config), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def run(raw: RawTopic, statement: str) -> None:
    with psycopg.connect(raw.config.postgres, autocommit=True) as conn:
        conn.execute(statement.encode())


async def test_the_api_may_read_what_a_domain_shows_and_no_more(raw: RawTopic) -> None:
    with psycopg.connect(raw.config.postgres) as conn:
        conn.execute("SET ROLE ft_api")
        conn.execute("SELECT * FROM sample.milestones")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT * FROM sample.received")
