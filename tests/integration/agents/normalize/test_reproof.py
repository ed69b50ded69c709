"""Creations that an older version noted are proven again from the raw log."""

import psycopg
import pytest

from ft.agents.normalize import reproof
from ft.agents.normalize.reproof import prove_again
from tests.integration.agents.normalize.conftest import Normalizer
from tests.integration.agents.normalize.rawtopic import NETWORK, RawTopic, appends, claim
from tests.synthetic.chain import Chain
from tests.synthetic.creation import creation

NEVER = "0x" + "cc" * 20
FIRST, SECOND = (creation(number)[1]["contractAddress"] for number in (20, 40))
OLD = "UPDATE ingest.created SET checked = false, reasons = 'transactions_root'"
CREATED = "SELECT contract, number, reasons, checked FROM ingest.created ORDER BY number, contract"


@pytest.fixture
async def noted(raw: RawTopic, normalizer: Normalizer) -> RawTopic:
    """Two creations as an older version left them, and one that a receipt named for a plain call."""
    await raw.write(claim(), *appends(Chain(seed=1, network=NETWORK, logs=2, start=19), 22, lease=0, first=True))
    await normalizer.run()
    execute(
        raw,
        "INSERT INTO ingest.created (network, contract, number, hash, tx_hash)"
        f" SELECT network, '{NEVER}', number, hash, '0x' FROM ingest.blocks WHERE number = 30",
        OLD,
    )
    return raw


def execute(raw: RawTopic, *queries: str) -> None:
    with psycopg.connect(raw.config.postgres) as conn:
        for query in queries:
            conn.execute(query.encode())


async def test_what_proves_itself_is_proven_and_what_does_not_goes(noted: RawTopic) -> None:
    said: list[str] = []

    assert prove_again(noted.config, said.append) == 3

    assert noted.rows(CREATED) == [(FIRST, 20, "", True), (SECOND, 40, "", True)]
    assert said == [f"{NETWORK}: 3 of 3 creations proven again, 1 of the last were none"]


async def test_a_second_run_has_nothing_to_do(noted: RawTopic) -> None:
    prove_again(noted.config, print)
    said: list[str] = []

    assert prove_again(noted.config, said.append) == 0
    assert said == []


async def test_a_run_that_was_stopped_goes_on_there(noted: RawTopic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproof, "BLOCKS_MAX", 1)

    def stop(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prove_again(noted.config, stop)

    after_one = noted.rows("SELECT contract FROM ingest.created WHERE checked")
    assert (after_one, prove_again(noted.config, print)) == ([(FIRST,)], 2)
    assert noted.rows(CREATED) == [(FIRST, 20, "", True), (SECOND, 40, "", True)]


async def test_what_the_raw_log_does_not_hold_stays_unproven(noted: RawTopic) -> None:
    execute(noted, "UPDATE ingest.blocks SET raw_offset = 1000000 WHERE number = 40")
    said: list[str] = []

    assert prove_again(noted.config, said.append) == 2

    assert noted.rows(CREATED)[-1] == (SECOND, 40, "transactions_root", False)
    assert said[-1] == f"{NETWORK}: 1 creations stay unproven: the raw log does not hold their blocks"


async def test_the_migration_doubts_every_creation_that_was_noted_before(raw: RawTopic) -> None:
    rows = raw.rows("SELECT column_default FROM information_schema.columns WHERE column_name = 'checked'")

    assert rows == [("true",)]
