"""What a domain knows of an asset is shown in its field, wherever assets are shown, and moves the validator."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ft.api.assets.sections import Section, SectionRow
from ft.api.http.database import Database
from ft.api.main import Reads, build
from ft.config import Config
from tests.integration.api.world import NETWORK, World, address

APES, CATS, ALICE = address(0xC0), address(0xC1), address(0xA)
SCORES = """
    SELECT k.place, s.version::text AS version, s.score
    FROM unnest(%(networks)s::text[], %(contracts)s::text[], %(token_ids)s::numeric[])
         WITH ORDINALITY AS k (network, contract, token_id, place)
    JOIN judged.scores s USING (network, contract, token_id)
"""
TABLES = """
    CREATE SCHEMA judged; GRANT USAGE ON SCHEMA judged TO ft_api;
    CREATE TABLE judged.scores (network text, contract text, token_id numeric, score int, version int);
    GRANT SELECT ON judged.scores TO ft_api;
"""


class Score(SectionRow, frozen=True, kw_only=True):
    score: int


JUDGED = Section(field="trust", query=SCORES, row=Score, show=lambda row: {"score": row.score})
ASSET = f"/api/v1/assets/{NETWORK}:{APES}:7"


@pytest.fixture
async def client(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """An API that a domain has given a section."""
    database = Database(config.postgres_as("ft_api"), pool_max=3)
    app: Any = build(Reads(database, config.topic_prefix, sections=[JUDGED]))
    await database.open()
    try:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ft") as client:
            yield client
    finally:
        await database.close()


def judged(world: World, contract: str, token: int, score: int, version: int = 1) -> None:
    world.conn.execute("DELETE FROM judged.scores WHERE (contract, token_id) = (%s, %s)", (contract, token))
    world.conn.execute(
        "INSERT INTO judged.scores VALUES (%s, %s, %s, %s, %s)", (NETWORK, contract, token, score, version)
    )


@pytest.fixture
def assets(world: World) -> None:
    """Three of Alice's, of two collections; the first and the last have a score."""
    world.conn.execute(TABLES.encode())
    for contract, token in ((APES, 7), (APES, 8), (CATS, 1)):
        world.mint(contract, token, ALICE, 10)
    world.heads(20)
    judged(world, APES, 7, 70)
    judged(world, CATS, 1, 10)


@pytest.mark.usefixtures("assets")
async def test_an_asset_has_what_the_domain_knows_of_it_and_null_in_the_fields_of_others(
    client: httpx.AsyncClient,
) -> None:
    known, unknown = [(await client.get(url)).json() for url in (ASSET, ASSET.replace(":7", ":8"))]

    assert known["trust"] == {"score": 70}
    assert (known["market"], unknown["trust"]) == (None, None)


@pytest.mark.usefixtures("assets")
@pytest.mark.parametrize(
    ("url", "scores"),
    [(f"/api/v1/collections/{NETWORK}:{APES}/assets", [70, None]), (f"/api/v1/owners/{ALICE}/assets", [70, None, 10])],
)
async def test_each_asset_of_a_list_has_its_own(client: httpx.AsyncClient, url: str, scores: list[int | None]) -> None:
    shown = (await client.get(url)).json()["data"]

    assert [asset["trust"] and asset["trust"]["score"] for asset in shown] == scores


@pytest.mark.usefixtures("assets")
async def test_a_client_is_told_that_nothing_changed_until_the_domain_knows_something_else(
    client: httpx.AsyncClient, world: World
) -> None:
    first = await client.get(ASSET)
    same = await client.get(ASSET, headers={"If-None-Match": first.headers["ETag"]})
    judged(world, APES, 7, 75, version=2)

    changed = await client.get(ASSET, headers={"If-None-Match": first.headers["ETag"]})

    assert (same.status_code, changed.status_code) == (304, 200)
    assert changed.json()["trust"] == {"score": 75}
    assert changed.headers["ETag"] != first.headers["ETag"]
