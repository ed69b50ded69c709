"""A domain dies at each of its awaits and its publisher's, and tables and topics end as if it had not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ft.config import Config
from ft.schemas import domains
from ft.streams.kafka import outbox
from ft.streams.worker import announcing
from tests import sample_domain
from tests.integration.agents.normalize.rawtopic import RawTopic, open_raw
from tests.integration.crash.campaigns import besiege, unexplained
from tests.integration.crash.sites import sites_of
from tests.integration.crash.subscriber_world import SubscriberWorld, announced

SEED = 17
RECEIVED = {"received": "SELECT * FROM sample.received WHERE n <> 0 ORDER BY 1, 2"}
"""An account that was given nothing in the end stays at 0, unless it came and went in one batch."""


@pytest.fixture
def raw(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RawTopic]:
    monkeypatch.setattr(sample_domain, "EVERY", 2)  # the story is short
    monkeypatch.setitem(domains._declared, sample_domain.DOMAIN.name, sample_domain.DOMAIN)
    with open_raw(replace(config, domains=(sample_domain.__name__,)), tmp_path, partitions=2) as opened:
        yield opened


@pytest.mark.timeout(900)
async def test_a_domain_dies_at_each_await_and_nothing_differs(raw: RawTopic, tmp_path: Path) -> None:
    await announced(raw, tmp_path, SEED)
    domain, subscriber = sample_domain.DOMAIN, sample_domain.Received
    plain = SubscriberWorld(raw, subscriber, RECEIVED, domain=domain)
    troubled = SubscriberWorld(raw, subscriber, RECEIVED, domain=domain, is_troubled=True)
    await plain.write()
    troubled.records, troubled.heads = plain.records, plain.heads
    sites = sites_of([sample_domain, announcing, outbox])

    unreached = await besiege([plain, troubled], sites, tmp_path, SEED)

    assert plain.state()["received"]
    assert plain.state()["announced"]
    assert unexplained(unreached, {}) == []
