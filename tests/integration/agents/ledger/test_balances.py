"""What balances stand on after retractions, however few of an account's events are looked at before the token's."""

from random import Random

import pytest

from ft.agents.ledger import balances
from ft.config import Config
from tests.integration.agents.ledger.harness import Block, Event, LedgerHarness, Log, account, multi, rows

NAMES = "abcd"
STANDS = (
    "SELECT token_id::int, account, block_number, log_index, extract(epoch FROM since)::bigint"
    " FROM market.ownership_current ORDER BY 1, 2"
)


def block(random: Random, number: int, fork: str = "") -> Block:
    """Movements of two ids among four accounts, from nobody now and then."""
    events: list[Event] = []
    for n in range(random.randint(1, 4)):
        source, target = random.choice(["", *NAMES]), random.choice(NAMES)
        events.append(multi(f"{number}{fork}-{n}", source, target, 1, random.choice([1, 2])))
    return Block(number, events, fork)


def recomputed(chain: list[Block], met: set[tuple[int, str]]) -> list[tuple[int, str, int, int, int | None]]:
    """From all that is live: token, account, newest block and log index (-1: none), time of the newest that came in."""
    stands: dict[tuple[int, str], tuple[int, int, int | None]] = dict.fromkeys(met, (-1, -1, None))
    for each in chain:
        for index, event in enumerate(each.events):
            if event.source == event.target:
                continue
            for name, came in ((event.source, False), (event.target, True)):
                if name:
                    since = each.time if came else stands[event.token, account(name)][2]
                    stands[event.token, account(name)] = (each.number, index, since)
    return sorted((token, name, *stood) for (token, name), stood in stands.items())


@pytest.mark.parametrize("near", [1, 2, 5, balances.NEAR])
@pytest.mark.parametrize("seed", range(4))
async def test_what_is_left_is_found(config: Config, monkeypatch: pytest.MonkeyPatch, near: int, seed: int) -> None:
    monkeypatch.setattr(balances, "NEAR", near)
    random, log, met = Random(seed), Log(), set[tuple[int, str]]()
    ledger = await LedgerHarness.open(config)
    for turn in range(6):
        for _ in range(random.randint(2, 5)):
            log.append(new := block(random, log.chain[-1].number + 1 if log.chain else 1, str(turn)))
            met |= {
                (event.token, account(name))
                for event in new.events
                for name in (event.source, event.target)
                if name and event.source != event.target
            }
        await ledger.read(log)
        for _ in range(random.randint(1, len(log.chain))):
            log.revert(log.chain[-1])
        await ledger.read(log)

        assert rows(config, STANDS) == recomputed(log.chain, met)
    await ledger.close()
