"""Connections to Postgres that end in the middle: of a COMMIT, a COPY, a claim, of moving a cursor."""

from pathlib import Path
from unittest.mock import patch

import pytest

from tests.integration.agents.normalize.rawtopic import RawTopic
from tests.integration.crash.ledger_world import LedgerWorld
from tests.integration.crash.normalize_world import NormalizeWorld
from tests.integration.crash.subscriber_world import SubscriberWorld
from tests.integration.cuts.cases import cut_at_each, told
from tests.integration.cuts.postgres import COPY, Cut, cutting


def claims() -> list[Cut]:
    """Of the claim of a partition: its row locked, its row taken, its commit."""
    return [
        Cut("ft claims", "FOR UPDATE", "unsent"),
        Cut("ft claims", "SET epoch = epoch +", "unanswered"),
        Cut("ft claims", "COMMIT", "unsent"),
        Cut("ft claims", "COMMIT", "unanswered"),
    ]


def commits(application: str, *numbers: int) -> list[Cut]:
    """Of these commits: one that Postgres never sees, one whose reply is never heard."""
    return [
        *(Cut(application, "COMMIT", "unsent", nth=number) for number in numbers),
        *(Cut(application, "COMMIT", "unanswered", nth=number) for number in numbers),
    ]


async def test_what_normalize_commits_is_there_once(raw: RawTopic, tmp_path: Path) -> None:
    world = NormalizeWorld(raw)
    await world.write()
    with cutting(raw.config) as (config, wire), patch.object(raw, "config", config):
        await cut_at_each(world, wire, [*claims(), *commits("ft normalize", 1, 3)], tmp_path)


@pytest.mark.timeout(900)
async def test_what_ledger_and_publisher_commit_is_there_once(raw: RawTopic, tmp_path: Path) -> None:
    before, world = NormalizeWorld(raw), LedgerWorld(raw)
    await before.write()
    await told(before, tmp_path / "before")
    await world.write(before.sent.read())
    cuts = [
        *commits("ft ledger", 3),
        Cut("ft ledger", COPY, "halfway", nth=2),
        Cut("ft ledger", "COPY ledger.events", "unsent", nth=2),
        Cut("ft ledger", "FOR UPDATE", "unanswered"),
        *commits("ft publisher", 4),
        Cut("ft publisher", "UPDATE system.publish_cursor", "unanswered"),
    ]
    with cutting(raw.config) as (config, wire), patch.object(raw, "config", config):
        await cut_at_each(world, wire, cuts, tmp_path)


async def test_what_project_commits_is_there_once(raw: RawTopic, tmp_path: Path) -> None:
    first, second, world = NormalizeWorld(raw), LedgerWorld(raw), SubscriberWorld(raw)
    await first.write()
    await told(first, tmp_path / "first")
    await second.write(first.sent.read())
    await told(second, tmp_path / "second")
    await world.write()
    with cutting(raw.config) as (config, wire), patch.object(raw, "config", config):
        await cut_at_each(world, wire, commits("ft project", 1, 2), tmp_path)
