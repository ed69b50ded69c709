"""What moved on a network, page by page."""

import re
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from ft.api.http.month_range import indexed_span
from ft.api.transfers.page_query import page_of, parameters_of
from ft.api.transfers.rows import TransfersAsk
from ft.config import Config
from tests.integration.api.world import NETWORK, START, TOPIC0, ZERO, World, address, block_hash, block_time

CONTRACT, OTHER, ALICE, BOB, CAROL = address(0xC0), address(0xC1), address(0xA), address(0xB), address(0xD)
URL = f"/api/v1/transfers?network={NETWORK}"


def tx_hash(block: int) -> str:
    """Of the block's first log."""
    return f"0x{block:x}".ljust(60, "0") + "000000"


def shown(block: int, **later: int) -> str:
    """A block's time as a parameter."""
    return (block_time(block) + timedelta(**later)).isoformat().replace("+00:00", "Z")


async def walk(client: httpx.AsyncClient, url: str, between: Any = lambda: None) -> list[dict[str, Any]]:
    """All entries of all pages."""
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(url + (cursor and f"&cursor={cursor}"))
        body = answer.raise_for_status().json()
        seen += body["data"]
        cursor = body["page"]["next_cursor"]
        assert (cursor is not None) == body["page"]["has_more"]
        between()
    return seen


EARLIEST = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "0001-01-01T00:00:00.000001Z")
LATEST = ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999999-23:59")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        *((f"{URL}&time_from={at}", 1) for at in EARLIEST),
        *((f"{URL}&time_from={at}", 0) for at in LATEST),
        *((f"{URL}&time_to={at}", 0) for at in EARLIEST),
        *((f"{URL}&time_to={at}", 1) for at in LATEST),
        *((f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners?at_time={at}", 0) for at in EARLIEST),
        *((f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners?at_time={at}", None) for at in LATEST),
    ],
)
async def test_the_first_and_the_last_time_that_can_be_written_are_times_like_others(
    world: World, client: httpx.AsyncClient, url: str, found: int | None
) -> None:
    """Of owners at a time that is still to come there is nothing to say yet."""
    world.mint(CONTRACT, 7, ALICE, 10)
    world.blocks(10, 20)
    world.heads(20)

    answer = await client.get(url)

    assert answer.status_code == (409 if found is None else 200), answer.text
    assert found is None or len(answer.json()["data"]) == found


async def test_a_transfer_has_everything_the_chain_said(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ALICE, BOB, 10, log_index=3)
    world.heads(100, safe=10)

    body = (await client.get(URL)).json()

    tx_hash = "0xa".ljust(60, "0") + "000003"
    assert body["data"] == [
        {
            "transfer_id": f"{NETWORK}:{tx_hash}:{CONTRACT}:{TOPIC0}:0/0",
            "revision": 1,
            "asset_id": f"{NETWORK}:{CONTRACT}:7",
            "network": NETWORK,
            "contract": CONTRACT,
            "token_id": "7",
            "standard": "erc721",
            "kind": "transfer",
            "from": ALICE,
            "to": BOB,
            "quantity": "1",
            "echo": False,
            "operator": None,
            "tx_hash": tx_hash,
            "log_n": 0,
            "sub_index": 0,
            "log_index": 3,
            "block_number": 10,
            "block_hash": block_hash(10),
            "block_time": block_time(10).isoformat().replace("+00:00", "Z"),
            "finality_status": "confirmed",
            "status": "live",
        }
    ]
    assert body["page"] == {"next_cursor": None, "has_more": False, "limit": 50}


@pytest.mark.parametrize(
    ("query", "blocks"),
    [
        ("", [14, 13, 12, 11, 10]),
        ("&order=asc", [10, 11, 12, 13, 14]),
        ("&block_from=11&block_to=13", [13, 12, 11]),
        (f"&contract={CONTRACT}", [12, 11, 10]),
        (f"&contract={CONTRACT.upper()}", [12, 11, 10]),
        (f"&contract={NETWORK}:{CONTRACT.upper()}", [12, 11, 10]),
        (f"&asset={NETWORK}:{CONTRACT.upper()}:7", [11, 10]),
        (f"&account={CAROL.upper()}", [14, 12]),
        (f"&contract={CONTRACT}&order=asc", [10, 11, 12]),
        (f"&asset={NETWORK}:{CONTRACT}:7", [11, 10]),
        (f"&account={CAROL}", [14, 12]),
        (f"&account={NETWORK}:{CAROL}&contract={CONTRACT}&order=asc", [12]),
        (f"&account={ALICE}&asset={NETWORK}:{CONTRACT}:7&contract={CONTRACT}", [11, 10]),
        (f"&account={BOB}&order=asc", [11, 13]),
        ("&block_from=15", []),
        (f"&sender={ALICE}", [11]),
        (f"&receiver={NETWORK}:{BOB.upper()}&order=asc", [11, 13]),
        (f"&sender={CAROL}&receiver={CAROL}", [14]),
        (f"&account={CAROL}&receiver={CAROL}&contract={CONTRACT}", [12]),
        (f"&account={BOB}&sender={ALICE}", [11]),
        ("&kind=mint", [13, 12, 10]),
        ("&kind=transfer&order=asc", [11, 14]),
        (f"&kind=mint&receiver={BOB}", [13]),
        ("&kind=burn", []),
        (f"&tx_hash={tx_hash(11).upper()}", [11]),
        (f"&tx_hash={tx_hash(11)}&kind=mint", []),
        (f"&time_from={shown(11)}&time_to={shown(13)}", [13, 12, 11]),
        (f"&time_from={shown(11, milliseconds=1)}&block_to=13", [13, 12]),
        (f"&time_to={shown(12, milliseconds=1999)}&order=asc", [10, 11, 12]),
        (f"&time_to={shown(9)}", []),
        (f"&time_from={shown(15)}", []),
    ],
)
async def test_filters_narrow_and_order_turns(
    world: World, client: httpx.AsyncClient, query: str, blocks: list[int]
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, BOB, 11)
    world.event(CONTRACT, 8, ZERO, CAROL, 12)
    world.event(OTHER, 7, ZERO, BOB, 13)
    world.event(OTHER, 8, CAROL, CAROL, 14)
    world.event(CONTRACT, 9, ZERO, CAROL, 14, network="base")
    world.blocks(10, 14)

    data = (await client.get(URL + query)).raise_for_status().json()["data"]

    assert [event["block_number"] for event in data] == blocks


@pytest.mark.parametrize(
    "filters",
    [
        "",
        f"&contract={CONTRACT}",
        f"&account={ALICE}",
        f"&asset={NETWORK}:{CONTRACT}:1",
        f"&sender={ALICE}&kind=transfer",
    ],
)
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_a_walk_meets_every_row_exactly_once_while_rows_arrive(
    world: World, client: httpx.AsyncClient, order: str, filters: str
) -> None:
    # Several events a log, logs a block, and two branches of one height that not every partition has undone.
    for block in range(10, 14):
        for log_index in range(3):
            for sub_index in range(2):
                world.event(CONTRACT, 1, ALICE, BOB, block, log_index=log_index, sub_index=sub_index)
        world.event(CONTRACT, 1, ALICE, BOB, block, partition=(world.partition(CONTRACT) + 1) % 8, fork="f")
    there = world.run("SELECT partition, seq FROM ledger.events")

    def arrive() -> None:
        world.event(CONTRACT, 1, ALICE, BOB, 50 if order == "desc" else 1)

    seen = await walk(client, f"{URL}&limit=5&order={order}{filters}", arrive)

    ids = [event["transfer_id"] for event in seen]
    assert len(ids) == len(set(ids)) == len(there)
    keys = [(event["block_number"], event["log_index"], event["sub_index"]) for event in seen]
    assert keys == sorted(keys, reverse=order == "desc")


async def test_an_echo_is_listed_as_one_and_what_moves_nothing_is_of_no_kind(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10, log_index=0)
    world.event(CONTRACT, 7, ZERO, ALICE, 10, log_index=1, standard="erc1155", echo=True)
    world.event(CONTRACT, 7, ZERO, ZERO, 11)
    world.event(CONTRACT, 7, ALICE, BOB, 12, standard="erc1155", quantity=0)

    for path in (f"{URL}&order=asc", f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/history?order=asc"):
        data = (await client.get(path)).raise_for_status().json()["data"]

        assert [(event["kind"], event["echo"]) for event in data] == [
            ("mint", False),
            ("mint", True),
            ("none", False),
            ("none", False),
        ]


async def test_a_retraction_takes_the_row_away_and_a_return_brings_the_next_revision(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ZERO, ALICE, 10, op="revert", revision=2)
    taken = (await client.get(URL)).json()["data"]
    world.event(CONTRACT, 7, ZERO, ALICE, 10, revision=3)

    back = (await client.get(URL)).json()["data"]

    assert (taken, [event["revision"] for event in back]) == ([], [3])


async def test_what_one_transaction_did_in_two_blocks_is_of_that_transaction(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, BOB, 12)
    world.run("UPDATE ledger.events SET tx_hash = %s WHERE block_number = 12", f"{tx_hash(10)}~2")

    data = (await client.get(f"{URL}&tx_hash={tx_hash(10)}")).raise_for_status().json()["data"]

    assert [(event["block_number"], event["tx_hash"]) for event in data] == [(12, tx_hash(10)), (10, tx_hash(10))]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("&tx_hash=0x12", "tx_hash", "invalid_hash"),
        ("&kind=sale", "kind", "invalid_value"),
        (f"&sender=base:{ALICE}", "sender", "contradiction"),
        ("&receiver=alice", "receiver", "invalid_address"),
        ("&time_from=2024-05-01", "time_from", "invalid_time"),
        ("&block_from=9&block_to=3", "block_from", "contradiction"),
        (f"&time_from={shown(3)}&time_to={shown(2)}", "time_from", "contradiction"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_named(
    world: World, client: httpx.AsyncClient, query: str, field: str, code: str
) -> None:
    answer = await client.get(URL + query)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


async def test_an_asset_may_be_named_by_its_uuid(world: World, client: httpx.AsyncClient) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 8, ZERO, ALICE, 10, log_index=1)
    uuid = world.catalogued(CONTRACT, 7)

    data = (await client.get(f"/api/v1/transfers?asset={uuid}")).raise_for_status().json()["data"]

    assert [event["token_id"] for event in data] == ["7"]


async def test_a_cursor_is_refused_with_other_filters(world: World, client: httpx.AsyncClient) -> None:
    for block in range(3):
        world.event(CONTRACT, block, ALICE, BOB, block)
    cursor = (await client.get(f"{URL}&limit=1")).json()["page"]["next_cursor"]

    same = await client.get(f"{URL}&limit=2&cursor={cursor}")
    for more in (
        f"&contract={CONTRACT}", "&order=asc", "&block_from=0", f"&sender={ALICE}", f"&receiver={ALICE}",
        "&kind=transfer", f"&tx_hash={tx_hash(1)}", f"&time_from={shown(1)}", f"&time_to={shown(1)}",
    ):  # fmt: skip
        other = await client.get(f"{URL}{more}&cursor={cursor}")
        assert (other.status_code, other.json()["code"]) == (400, "cursor_filter_mismatch")
    elsewhere = await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:1/history?cursor={cursor}")

    assert same.status_code == 200
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (400, "cursor_filter_mismatch")


async def test_months_without_indexes_are_refused_where_they_are_asked_for(
    world: World, client: httpx.AsyncClient
) -> None:
    month = 30 * 24 * 1800  # blocks of 2 s
    world.run("SELECT ledger.ensure_month(%s, false)", START.replace(month=3))
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.blocks(10, 20)
    world.blocks(-2 * month, -2 * month + 1)
    world.heads(20)

    open_end = await client.get(URL)
    inside = await client.get(f"{URL}&block_from=10&block_to=20")
    upwards = await client.get(f"{URL}&block_from=10")
    history = await client.get(f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/history")

    assert [answer.status_code for answer in (open_end, inside, upwards, history)] == [503, 200, 200, 503]
    assert open_end.json()["code"] == "range_not_indexed"
    assert "2024-03" in open_end.json()["detail"]
    assert int(open_end.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("bare", "bounds", "read"),
    [
        ((3,), "block_from=10&block_to=20", ["events_202405", "events_202407"]),
        ((3, 7), "block_from=10&block_to=20", ["events_202405"]),
        ((7,), "block_to=20", ["events_202403", "events_202405"]),
        ((), "block_from=10&block_to=20", ["events_202403", "events_202405", "events_202407"]),
    ],
)
async def test_months_without_indexes_beside_the_range_are_not_read(
    world: World, config: Config, client: httpx.AsyncClient, bare: tuple[int, ...], bounds: str, read: list[str]
) -> None:
    for month in (3, 7):
        world.run("SELECT ledger.ensure_month(%s, %s)", START.replace(month=month), month not in bare)
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.event(CONTRACT, 7, ALICE, BOB, 20)
    world.blocks(10, 20)
    world.heads(20)
    asked = dict(bound.split("=") for bound in bounds.split("&"))

    answer = await client.get(f"{URL}&contract={CONTRACT}&{bounds}")
    async with await psycopg.AsyncConnection.connect(config.postgres_as("ft_api")) as conn:
        span = await indexed_span(conn, NETWORK, int(asked["block_from"]) if "block_from" in asked else None, 20)
        ask = TransfersAsk(network=NETWORK, contract=CONTRACT, block_to=20, newest_first=False, rows=9)
        query, parameters = span.of(page_of(ask)), span.with_times(parameters_of(ask))
        plan = await conn.execute(("EXPLAIN " + query).encode(), parameters)
        text = " ".join([row[0] for row in await plan.fetchall()])

    assert [entry["to"] for entry in answer.raise_for_status().json()["data"]] == [BOB, ALICE]
    assert sorted(set(re.findall(r"events_20\d{4}(?= |$)", text))) == read


async def test_past_owners_in_months_without_indexes_are_refused_and_earlier_ones_told(
    world: World, client: httpx.AsyncClient
) -> None:
    world.run("SELECT ledger.ensure_month(%s, false)", START.replace(month=7))
    world.mint(CONTRACT, 7, ALICE, 10)
    july = 61 * 24 * 1800  # blocks of 2 s
    world.blocks(10, 20)
    world.blocks(july, july + 1)
    world.heads(july + 1)
    url = f"/api/v1/assets/{NETWORK}:{CONTRACT}:7/owners"

    before, after = await client.get(f"{url}?at_block=15"), await client.get(f"{url}?at_block={july}")

    assert [row["owner"] for row in before.raise_for_status().json()["data"]] == [ALICE]
    assert (after.status_code, after.json()["code"]) == (503, "range_not_indexed")


async def test_a_network_of_which_a_partition_read_nothing_has_no_as_of(
    world: World, client: httpx.AsyncClient
) -> None:
    world.event(CONTRACT, 7, ZERO, ALICE, 10)
    world.head("ledger", world.partition(CONTRACT), 100, finalized=100)

    whole = (await client.get(URL)).json()
    one = (await client.get(f"{URL}&contract={CONTRACT}")).json()

    assert (whole["as_of"]["block_number"], whole["data"][0]["finality_status"]) == (None, "pending")
    assert (one["as_of"]["block_number"], one["data"][0]["finality_status"]) == (100, "finalized")
