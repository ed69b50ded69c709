"""What is the same for every path: errors, waiting for a block, operations, and no 500 for any input."""

import asyncio
import string
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import PoolTimeout

from ft.api.http.database import Database, value_of
from ft.api.http.slots import Overloaded
from ft.api.main import Reads, build
from ft.config import Config
from ft.errors import DatabaseUnavailable
from tests.integration.api.world import NETWORK, World, address

CONTRACT, ALICE = address(0xC0), address(0xA)
ASSET = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7"
PATHS = (
    "/api/v1/assets/{}",
    "/api/v1/assets/{}/owners",
    "/api/v1/assets/{}/history",
    "/api/v1/collections/{}",
    "/api/v1/collections/{}/assets",
    "/api/v1/collections/{}/owners",
    "/api/v1/owners/{}/assets",
    "/api/v1/transfers",
    "/api/v1/transfers/{}",
    "/{}",
)
NAMES = (
    *("network", "contract", "asset", "account", "block_from", "block_to", "order", "limit", "cursor"),
    *("at_block", "at_time", "anything"),
)
IDS = (
    *(f"{NETWORK}:{CONTRACT}:7", f"{NETWORK}:{CONTRACT}", f"{NETWORK}:{ALICE}", ALICE, NETWORK, "ton:0:" + "0f" * 32),
    *("ton:EQ" + "A" * 46, "solana:x\x00y", "11111111-2222-3333-4444-555555555555", "polygon:", ":", "0:00"),
    *(
        "solana:" + "1" * 40,
        "1" * 40,
        "9" * 80,
        "-1",
        "1e3",
        "9223372036854775808",
        "eyJ2IjoxfQ",
        "2024-05-01T00:00:00Z",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\ud800", "%00", "..", "é", "asc", "50"),
)
TEXT = st.one_of(st.sampled_from(IDS), st.text(max_size=40), st.text(string.printable, max_size=80))


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The body of an error, which has all that errors have."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail", "code", "errors"} <= body.keys()
    return body


@pytest.mark.parametrize(
    ("path", "status", "code", "field"),
    [
        ("/nowhere", 404, "route_not_found", None),
        ("/schema/nowhere", 404, "route_not_found", None),
        ("/api/v1/assets/garbage", 422, "invalid_request", "asset_id"),
        (f"/api/v1/assets/{NETWORK}:0x12:7", 422, "invalid_request", "asset_id"),
        (f"/api/v1/assets/{NETWORK}:{CONTRACT}:{2**256}", 422, "invalid_request", "asset_id"),
        ("/api/v1/collections/polygon", 422, "invalid_request", "collection_id"),
        ("/api/v1/owners/nobody/assets", 422, "invalid_request", "account"),
        (f"/api/v1/owners/base:{ALICE}/assets?network=polygon", 422, "invalid_request", "network"),
        ("/api/v1/transfers", 422, "invalid_request", "network"),
        ("/api/v1/transfers?network=P!", 422, "invalid_request", "network"),
        ("/api/v1/transfers?network=polygon&limit=0", 422, "invalid_request", "limit"),
        ("/api/v1/transfers?network=polygon&limit=101", 422, "invalid_request", "limit"),
        ("/api/v1/transfers?network=polygon&limit=many", 422, "invalid_request", "limit"),
        ("/api/v1/transfers?network=polygon&order=up", 422, "invalid_request", "order"),
        ("/api/v1/transfers?network=polygon&block_from=99999999999999999999", 422, "invalid_request", "block_from"),
        (f"/api/v1/transfers?network=base&contract=polygon:{CONTRACT}", 422, "invalid_request", "contract"),
        ("/api/v1/transfers?network=polygon&cursor=garbage", 400, "invalid_cursor", "cursor"),
        ("/api/v1/transfers?network=polygon&cursor=%00", 400, "invalid_cursor", "cursor"),
    ],
)
async def test_an_error_names_what_is_wrong(
    client: httpx.AsyncClient, path: str, status: int, code: str, field: str | None
) -> None:
    body = problem(await client.get(path))

    assert (body["status"], body["code"]) == (status, code)
    assert [error["field"] for error in body["errors"]] == ([field] if field else [])


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        (f"/api/v1/assets/nosuch:{CONTRACT}:7", 404, "asset_id"),
        (f"/api/v1/assets/nosuch:{CONTRACT}:7/owners", 404, "asset_id"),
        (f"/api/v1/assets/nosuch:{CONTRACT}:7/history", 404, "asset_id"),
        (f"/api/v1/collections/nosuch:{CONTRACT}", 404, "collection_id"),
        (f"/api/v1/collections/nosuch:{CONTRACT}/assets", 404, "collection_id"),
        (f"/api/v1/collections/nosuch:{CONTRACT}/owners", 404, "collection_id"),
        (f"/api/v1/owners/nosuch:{ALICE}/assets", 404, "account"),
        (f"/api/v1/owners/{ALICE}/assets?network=nosuch", 404, "network"),
        ("/api/v1/transfers?network=nosuch", 404, "network"),
        (f"/api/v1/transfers?asset=nosuch:{CONTRACT}:7", 404, "asset"),
        (f"/api/v1/transfers?contract=nosuch:{CONTRACT}", 404, "contract"),
        (f"/api/v1/transfers?account=nosuch:{ALICE}", 404, "account"),
    ],
)
async def test_a_network_that_nobody_knows_is_told_at_once(
    client: httpx.AsyncClient, path: str, status: int, field: str
) -> None:
    answer = await client.get(path)

    body = problem(answer)
    assert (body["status"], body["code"], [each["field"] for each in body["errors"]]) == (
        status,
        "unknown_network",
        [field],
    )
    assert "X-Data-Status" not in answer.headers
    assert body["detail"].endswith(", polygon), got 'nosuch'")


async def test_a_network_that_is_added_is_known_a_moment_later(world: World, client: httpx.AsyncClient) -> None:
    url = "/api/v1/transfers?network=amoy"
    before = await client.get(url)
    world.run(
        "INSERT INTO ref.networks (network, family, start_block, confirmed, finalized, settings)"
        " VALUES ('amoy', 'evm', 0, 'safe', 'finalized', '{}')"
    )
    await asyncio.sleep(1.1)

    assert (before.status_code, (await client.get(url)).status_code) == (404, 200)


async def test_a_method_that_a_path_does_not_take_is_told_which_it_does(client: httpx.AsyncClient) -> None:
    answer = await client.post(ASSET)

    assert problem(answer)["code"] == "method_not_allowed"
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


async def test_a_head_request_has_the_headers_and_no_body(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)

    answer = await client.head(ASSET)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"]


async def test_a_request_id_comes_back_if_it_is_one(client: httpx.AsyncClient) -> None:
    ours = await client.get("/health", headers={"X-Request-ID": "abc-123"})
    strange = await client.get("/health", headers={"X-Request-ID": "a b\t{}"})

    assert ours.headers["X-Request-ID"] == "abc-123"
    assert strange.headers["X-Request-ID"] not in ("", "a b\t{}")


async def test_an_answer_waits_for_the_block_it_must_not_be_older_than(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(99)

    async def advance() -> None:
        await asyncio.sleep(0.2)
        world.head("ledger", world.partition(CONTRACT), 100)

    answer, _ = await asyncio.gather(client.get(ASSET, headers={"X-Min-Block": f"{NETWORK}:100"}), advance())

    assert (answer.status_code, answer.json()["as_of"]["block_number"]) == (200, 100)


@pytest.mark.parametrize(
    "path",
    [
        ASSET,
        f"/api/v1/transfers?network={NETWORK}",
        f"/api/v1/owners/{ALICE}/assets",
        "/api/v1/networks",
        "/api/v1/status",
    ],
)
async def test_a_block_that_does_not_come_is_a_conflict_with_the_head(
    world: World, client: httpx.AsyncClient, path: str
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(99)

    answer = await client.get(path, headers={"X-Min-Block": f"{NETWORK}:100"})

    body = problem(answer)
    assert (body["status"], body["code"], body["as_of"]["block_number"]) == (409, "block_not_reached", 99)


@pytest.mark.parametrize("header", ["100", "polygon:", "polygon:-1", "polygon:99999999999999999999", "P:1"])
async def test_a_minimum_that_cannot_be_read_is_refused(client: httpx.AsyncClient, header: str) -> None:
    for path in (ASSET, "/api/v1/networks", "/api/v1/status"):
        assert problem(await client.get(path, headers={"X-Min-Block": header}))["status"] == 422


async def test_a_minimum_that_is_reached_changes_nothing(world: World, client: httpx.AsyncClient) -> None:
    world.heads(100)

    for path in ("/api/v1/networks", "/api/v1/status"):
        assert (await client.get(path, headers={"X-Min-Block": f"{NETWORK}:100"})).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        ASSET,
        f"/api/v1/collections/{NETWORK}:{CONTRACT}",
        f"/api/v1/collections?network={NETWORK}",
        f"/api/v1/transfers?network={NETWORK}",
        f"/api/v1/owners/{NETWORK}:{ALICE}/assets",
        f"/api/v1/owners/{ALICE}/assets",
        "/api/v1/networks",
        "/api/v1/status",
    ],
)
async def test_a_minimum_of_a_network_that_nobody_knows_is_told_as_such(client: httpx.AsyncClient, path: str) -> None:
    body = problem(await client.get(path, headers={"X-Min-Block": "nosuch:1"}))

    assert (body["status"], body["code"]) == (422, "unknown_network")
    assert [(each["field"], each["code"]) for each in body["errors"]] == [("X-Min-Block", "unknown_network")]
    assert body["detail"].endswith(", polygon), got 'nosuch'")


@pytest.mark.parametrize(
    "path", [ASSET, f"/api/v1/transfers?network={NETWORK}", f"/api/v1/owners/{NETWORK}:{ALICE}/assets"]
)
async def test_a_minimum_of_another_network_is_refused_with_both(
    world: World, client: httpx.AsyncClient, path: str
) -> None:
    world.heads(100)

    body = problem(await client.get(path, headers={"X-Min-Block": "base:100"}))

    assert (body["status"], body["code"], body["errors"][0]["field"]) == (422, "invalid_request", "X-Min-Block")
    assert body["detail"] == f"expected a block of {NETWORK}, which the request is about, got base:100"


async def test_a_database_that_is_away_is_503_and_the_process_is_alive(config: Config) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing", pool_max=1)
    app: Any = build(Reads(database))
    await database.open()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
            answers = [await client.get(path) for path in (ASSET, "/health/ready")]
            alive = await client.get("/health")
    finally:
        await database.close()

    assert {(answer.status_code, problem(answer)["code"]) for answer in answers} == {(503, "database_unavailable")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert alive.status_code == 200


async def test_more_than_can_be_answered_is_an_overload_and_no_failure_of_the_database(
    world: World, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.api.http.database._PATIENCE_S", 0.5)
    database = Database(config.postgres_as("ft_api"), pool_max=3)
    app: Any = build(Reads(database))
    await database.open()

    def of(address: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url="http://ft")

    try:
        async with of("192.0.2.1") as greedy, of("192.0.2.2") as other:
            await greedy.get(ASSET)
            with world.conn.transaction():
                world.run("LOCK TABLE market.ownership_current IN ACCESS EXCLUSIVE MODE")
                asked = [asyncio.create_task(greedy.get(ASSET)) for _ in range(20)]
                await asyncio.sleep(0.2)
                beside = await other.get("/health/ready")
                await asyncio.sleep(0.8)
            answers = await asyncio.gather(*asked)
    finally:
        await database.close()

    refused = [answer for answer in answers if answer.status_code == 503]
    assert {problem(answer)["code"] for answer in refused} == {"overloaded"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert len(refused) == 18
    assert beside.status_code == 200


@pytest.mark.parametrize(("answered", "kind"), [(True, Overloaded), (False, DatabaseUnavailable)])
async def test_a_pool_that_gives_no_connection_is_an_overload_if_postgres_answered_lately(
    config: Config, monkeypatch: pytest.MonkeyPatch, answered: bool, kind: type[DatabaseUnavailable]
) -> None:
    database = Database(config.postgres_as("ft_api"), pool_max=1)
    await database.open()
    try:
        if answered:
            await database.read(lambda conn: value_of(conn, "SELECT 1", {}))

        def none_free() -> None:
            raise PoolTimeout("none came")

        monkeypatch.setattr(database._pool, "connection", none_free)
        with pytest.raises(DatabaseUnavailable) as refused:
            await database.read(lambda conn: value_of(conn, "SELECT 1", {}))
    finally:
        await database.close()

    assert type(refused.value) is kind


async def test_a_connection_that_died_is_replaced(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    await client.get(ASSET)
    world.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    assert (await client.get(ASSET)).status_code == 200


async def test_a_database_without_our_tables_is_503(world: World, client: httpx.AsyncClient) -> None:
    world.run("DROP VIEW projection.settings")

    body = problem(await client.get(ASSET))

    assert (body["status"], body["code"]) == (503, "not_migrated")


async def test_a_database_of_another_deployment_is_not_ready(
    world: World, client: httpx.AsyncClient, config: Config
) -> None:
    name = "INSERT INTO system.deployment (id, topic_prefix, cluster_id) VALUES (gen_random_uuid(), %s, 'c')"
    world.run(name, config.topic_prefix)
    assert (await client.get("/health/ready")).status_code == 200
    world.run("UPDATE system.deployment SET topic_prefix = 'other.'")

    body = problem(await client.get("/health/ready"))

    assert (body["status"], body["code"]) == (503, "other_deployment")
    assert body["detail"].endswith("(FT_TOPIC_PREFIX), got one with 'other.'")
    reasons = (await client.get("/api/v1/status")).raise_for_status().json()["reasons"]
    assert "identity" in [each["reason"] for each in reasons]


async def test_a_database_amid_a_restore_is_not_ready(world: World, client: httpx.AsyncClient, config: Config) -> None:
    name = "INSERT INTO system.deployment (id, topic_prefix, cluster_id) VALUES (gen_random_uuid(), %s, 'c')"
    world.run(name, config.topic_prefix)
    world.run("""INSERT INTO system.settings VALUES ('recovery', '{"command": "ft reannounce"}')""")

    body = problem(await client.get("/health/ready"))

    assert (body["status"], body["code"]) == (503, "other_deployment")
    assert "`ft reannounce` goes on with it" in body["detail"]


async def test_what_nobody_foresaw_is_500_without_a_traceback(client: httpx.AsyncClient) -> None:
    class Broken:
        async def partitions(self) -> int:
            raise ZeroDivisionError("secret")

        async def status(self) -> None:
            raise ZeroDivisionError("secret")

    app: Any = build(Broken())
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ft") as broken:
        answer = await broken.get("/api/v1/status")

    assert (problem(answer)["code"], answer.status_code) == ("internal_error", 500)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_status_shows_heads_lag_and_backlogs(world: World, client: httpx.AsyncClient) -> None:
    world.heads(100, safe=90, finalized=80)
    world.covered(5, 100)
    world.quarantined(20)
    world.run(
        "INSERT INTO system.sync_cursors (job, network, next_height, node_head)"
        " VALUES ('follow:polygon', %s, 101, 103)",
        NETWORK,
    )
    world.run(
        'INSERT INTO system.dlq (consumer, topic, partition, "offset", reason, error, payload)'
        " VALUES ('ledger', 't', 0, 0, 'r', 'e', '')"
    )

    body = (await client.get("/api/v1/status")).raise_for_status().json()

    polygon = next(row for row in body["networks"] if row["network"] == NETWORK)
    assert (polygon["head_number"], polygon["finalized"], polygon["lag_blocks"]) == (100, 80, 3)
    assert (polygon["covered_from"], polygon["coverage_stretches"], polygon["quarantined"]) == (5, 1, 1)
    assert (body["dlq_depth"], body["status"]) == (1, "attention")
    assert len([row for row in body["partitions"] if row["consumer"] == "ledger"]) == 8
    assert body["as_of"]["block_number"] == 100


@pytest.fixture
def well(world: World) -> World:
    """A network that is followed, read to its head, and worked on."""
    world.run(
        "INSERT INTO system.workers (worker, agents) VALUES ('v', 'ledger,publisher'), ('w', 'normalize,project')"
    )
    world.run(
        "INSERT INTO system.sync_cursors (job, network, next_height, node_head)"
        " VALUES ('follow:polygon', %s, 101, 100)",
        NETWORK,
    )
    world.run("INSERT INTO ingest.leases (network, claim_offset, topic_id, owner) VALUES (%s, 1, 't', 'f')", NETWORK)
    world.heads(100)
    world.run("UPDATE ingest.heads SET head_time = now()")
    return world


async def test_a_system_that_is_well_needs_nobody(well: World, client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/v1/status")).raise_for_status().json()

    assert (body["status"], body["reasons"]) == ("ok", [])


@pytest.mark.parametrize(
    ("change", "reason", "network"),
    [
        ("UPDATE system.workers SET seen_at = now() - interval '2 minutes'", "no_worker", None),
        ("UPDATE system.workers SET seen_at = now() - interval '2 minutes' WHERE worker = 'v'", "no_worker", None),
        ("DELETE FROM ingest.leases", "no_follower", NETWORK),
        ("UPDATE ingest.leases SET seen_at = 'epoch'", "no_follower", NETWORK),
        ("UPDATE ingest.leases SET seen_at = now() - interval '2 minutes'", "no_follower", NETWORK),
        ("UPDATE ingest.heads SET head_time = now() - interval '6 minutes'", "head_old", NETWORK),
        ("UPDATE ingest.heads SET broken = true", "stopped", NETWORK),
        ("UPDATE system.sync_cursors SET waits_for = 101, waits_since = now()", "waiting", NETWORK),
        (
            "INSERT INTO system.findings (network, contract, token_id, kind, detail) VALUES ('base', '', 1, 'x', '1')",
            "findings",
            None,
        ),
        (
            """INSERT INTO system.dlq (consumer, topic, partition, "offset", reason, error, payload)
               VALUES ('ledger', 't', 0, 0, 'r', 'e', '')""",
            "dead_letters",
            None,
        ),
    ],
)
async def test_status_says_why_an_operator_is_needed(
    well: World, client: httpx.AsyncClient, change: str, reason: str, network: str | None
) -> None:
    well.run(change)

    body = (await client.get("/api/v1/status")).raise_for_status().json()

    assert (body["status"], [(each["reason"], each["network"]) for each in body["reasons"]]) == (
        "attention",
        [(reason, network)],
    )
    assert body["reasons"][0]["detail"]


async def test_metrics_count_requests_by_route(client: httpx.AsyncClient) -> None:
    await client.get("/health")
    await client.get("/nowhere/at/all")

    text = (await client.get("/metrics")).text

    assert 'ft_api_requests_total{method="GET",route="/health",status="200"} 1.0' in text
    assert 'ft_api_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert "ft_api_request_seconds_bucket" in text


async def test_no_strange_value_in_any_place_is_an_internal_error(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(20)
    values = [quote(value, safe=":", errors="surrogatepass") for value in IDS]
    urls = [path.format(value) for path in PATHS for value in values]
    urls += [f"{ASSET}/owners?{name}={value}" for name in NAMES for value in values]
    urls += [f"/api/v1/transfers?network=solana&{name}={value}" for name in NAMES for value in values]

    for url in urls:
        answer = await client.get(url)
        assert answer.status_code in (200, 400, 404, 409, 422), (url, answer.text)


async def test_no_input_is_an_internal_error(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(20)
    loop = asyncio.get_running_loop()

    def ask(path: str, query: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        pairs = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query.items())
        call = client.get(f"{path}?{pairs}", headers=headers)
        return asyncio.run_coroutine_threadsafe(call, loop).result(30)

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.sampled_from(PATHS),
        TEXT,
        st.dictionaries(st.sampled_from(NAMES), TEXT, max_size=4),
        st.one_of(st.none(), st.text(string.ascii_letters + string.digits + ':",W/*-', max_size=30)),
    )
    def search(path: str, text: str, query: dict[str, str], header: str | None) -> None:
        headers = {} if header is None else {"If-None-Match": header}
        answer = ask(path.format(quote(text, safe=":", errors="surrogatepass")), query, headers)
        assert answer.status_code in (200, 304, 400, 404, 405, 409, 422, 503), (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert problem(answer)["code"] not in ("internal_error", "database_unavailable", "not_migrated")

    await asyncio.to_thread(search)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (f"/api/v1/assets/{NETWORK}:{address(0xC9)}:1", 404, True),
        (f"/api/v1/collections/{NETWORK}:{address(0xC9)}", 404, True),
        (f"{ASSET}/owners?at_block=1000000", 409, True),
        ("/api/v1/collections?network=nosuch", 404, False),
        ("/api/v1/nosuch", 404, False),
        ("/api/v1/transfers?nosuch=1", 422, False),
        (f"/api/v1/transfers?network={NETWORK}&cursor=x", 400, False),
    ],
)
async def test_an_error_says_as_of_which_block_where_one_was_read(
    world: World, client: httpx.AsyncClient, path: str, status: int, says: bool
) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.heads(100)

    answer = await client.get(path)

    assert answer.status_code == status
    assert (answer.json().get("as_of") or {}).get("block_number") == (100 if says else None)
