"""A query is read whole or refused with the name of what is wrong, in the words of the house."""

from functools import cache
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from ft.api.http.middleware import ApiMetrics
from ft.api.http.request import taken_by
from ft.api.main import build, framework
from tests.unit.api.transfers.test_routes import Ledger

URL = "/api/v1/transfers?network=polygon"
TAKEN = (
    "network, contract, asset, account, sender, receiver, tx_hash, kind, block_from, block_to, time_from, time_to, "
    "order, limit, cursor"
)


@cache
def an_app() -> Any:
    """One for all: making it takes longer than what is asked of it."""
    return build(Ledger([]))


async def _errors(query: str, path: str = URL) -> tuple[int, str, list[dict[str, str]]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=an_app()), base_url="http://ft") as client:
        answer = await client.get(path + query)
    body = answer.json()
    return answer.status_code, body.get("detail", ""), body.get("errors", [])


@pytest.mark.parametrize("name", ["bogus", "Limit", "limit[]", "offset", "asset_id", "X-Min-Block"])
async def test_a_parameter_that_the_path_does_not_take_is_refused_by_name(name: str) -> None:
    status, detail, errors = await _errors(f"&{name}=1")

    assert (status, [(error["field"], error["code"]) for error in errors]) == (422, [(name, "unknown_parameter")])
    assert detail == f"{name}: expected a parameter of this path ({TAKEN}), got {name!r}"


@pytest.mark.parametrize("path", ["/health", "/metrics", "/schema/openapi.json"])
async def test_a_path_that_takes_no_parameter_says_so(path: str) -> None:
    status, detail, _ = await _errors("?x=1", path)

    assert (status, detail) == (422, "x: expected no parameter, got 'x'")


@pytest.mark.parametrize(
    ("query", "field"), [("&limit=1&limit=2", "limit"), ("&limit=1&limit=1", "limit"), ("&network=base", "network")]
)
async def test_a_parameter_that_is_there_twice_is_refused(query: str, field: str) -> None:
    status, detail, errors = await _errors(query)

    assert (status, [error["code"] for error in errors]) == (422, ["repeated_parameter"])
    assert detail == f"{field}: expected one value, got 2"


@pytest.mark.parametrize("second", ["polygon:7", "polygon:8", ""])
@pytest.mark.parametrize("name", ["X-Min-Block", "x-min-block"])
async def test_a_header_that_is_there_twice_is_refused(name: str, second: str) -> None:
    """Whichever was read would not be the other."""
    sent = [("X-Min-Block", "polygon:7"), (name, second)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=an_app()), base_url="http://ft") as client:
        answer = await client.get(f"{URL}&limit=0", headers=sent)
        joined = await client.get(URL, headers={"X-Min-Block": f"polygon:7, {second}"})

    errors = [(error["field"], error["code"]) for error in answer.json()["errors"]]
    assert (answer.status_code, errors) == (
        422,
        [("X-Min-Block", "repeated_parameter"), ("limit", "invalid_value")],
    )
    assert "X-Min-Block: expected one value, got 2" in answer.json()["detail"]
    assert (joined.status_code, joined.json()["errors"][0]["code"]) == (422, "invalid_block")


@pytest.mark.parametrize("text", ["1e1", "0", "101", "ten", "", "+5", "5.0", " 5", "0x5", "1_0", "05", "-1", "٣"])
async def test_a_limit_that_is_no_whole_number_of_its_range_is_refused(text: str) -> None:
    status, detail, _ = await _errors(f"&limit={text.replace('+', '%2B')}")

    assert (status, detail) == (422, f"limit: expected a whole number from 1 to 100, got {text!r}")


@pytest.mark.parametrize("text", ["1e1", "-1", "9223372036854775808", "latest"])
async def test_a_height_that_is_none_is_refused(text: str) -> None:
    status, detail, _ = await _errors(f"&block_from={text}")

    expected = "expected a whole number from 0 to 9223372036854775807"
    assert (status, detail) == (422, f"block_from: {expected}, got {text!r}")


async def test_an_order_that_is_none_is_told_which_there_are() -> None:
    status, detail, _ = await _errors("&order=ASC")

    assert (status, detail) == (422, "order: expected desc or asc, got 'ASC'")


@pytest.mark.parametrize("text", ["Mint", "", "mint,burn", "null", "None", " mint"])
async def test_a_kind_that_is_none_is_told_which_there_are(text: str) -> None:
    status, detail, errors = await _errors(f"&kind={text}")

    assert (status, detail) == (422, f"kind: expected mint, transfer, burn or none, got {text!r}")
    assert [(error["field"], error["code"]) for error in errors] == [("kind", "invalid_value")]


async def test_a_sort_that_is_none_is_told_which_there_are() -> None:
    status, detail, _ = await _errors("&sort=null", "/api/v1/collections?network=polygon")

    assert (status, detail) == (422, "sort: expected contract, newest, owners or transfers, got 'null'")


def _query_parameters() -> list[tuple[str, dict[str, Any]]]:
    paths = framework(Ledger([]), ApiMetrics()).openapi_schema.to_schema()["paths"]
    return [
        (path, each)
        for path, item in paths.items()
        for each in item["get"].get("parameters", [])
        if each["in"] != "path"
    ]


def test_no_parameter_of_the_document_may_be_null() -> None:
    schemas = [each["schema"] for _, each in _query_parameters()]

    assert [schema for schema in schemas if not isinstance(schema["type"], str)] == []
    assert [schema for schema in schemas if None in schema.get("enum", [])] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, each["name"]) for path, each in _query_parameters() if "{" not in path and each["in"] == "query"],
)
async def test_null_is_a_word_like_others_and_never_no_value(path: str, name: str) -> None:
    beside = "" if name == "network" or path == "/api/v1/networks" else "&network=polygon"
    status, _, errors = await _errors(f"?{name}=null{beside}", path)

    assert (status, [error["field"] for error in errors]) in [(code, [name]) for code in (400, 404, 422)]


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    status, detail, errors = await _errors("&x=1&order=up&limit=0&block_to=5")

    assert (status, [error["field"] for error in errors]) == (422, ["limit", "order", "x"])
    assert detail.startswith("limit: expected a whole number from 1 to 100, got '0'; order: expected desc or asc")


_ASSET = f"/api/v1/assets/polygon:0x{'a0' * 20}:1/history"


@pytest.mark.parametrize(
    ("path", "query", "field", "detail"),
    [
        (URL, "&block_from=9&block_to=3", "block_from",
         "expected block_from up to block_to, got block_from 9 and block_to 3"),
        (_ASSET, "?block_from=1&block_to=0", "block_from",
         "expected block_from up to block_to, got block_from 1 and block_to 0"),
        (URL, "&time_from=2026-01-02T00:00:00Z&time_to=2026-01-01T00:00:00Z", "time_from",
         "expected time_from up to time_to, got time_from '2026-01-02T00:00:00Z' and time_to '2026-01-01T00:00:00Z'"),
    ],
)  # fmt: skip
async def test_a_range_that_ends_before_it_begins_is_refused_with_both_of_its_ends(
    path: str, query: str, field: str, detail: str
) -> None:
    status, told, errors = await _errors(query, path)

    assert (status, told) == (422, detail)
    assert [(error["field"], error["code"]) for error in errors] == [(field, "contradiction")]


@pytest.mark.parametrize(
    "query",
    [
        "&block_from=3&block_to=3",
        "&time_from=2026-01-02T00:00:00Z&time_to=2026-01-02T01:00:00%2B01:00",
        "&block_from=9&time_to=2026-01-02T00:00:00Z",
    ],
)
async def test_a_range_of_one_moment_is_read_and_so_is_one_with_an_open_end(query: str) -> None:
    assert (await _errors(query))[0] == 200


@pytest.mark.parametrize("query", ["", "&limit=1", "&limit=100&order=asc&block_from=0&block_to=9223372036854775807"])
async def test_what_the_path_takes_is_read(query: str) -> None:
    assert (await _errors(query))[0] == 200


def test_every_parameter_of_the_document_is_taken_and_no_other() -> None:
    litestar = framework(Ledger([]), ApiMetrics())
    paths = litestar.openapi_schema.to_schema()["paths"]

    for route in litestar.routes:
        if isinstance(route, HTTPRoute) and route.path_format in paths:
            listed = {
                each["name"] for each in paths[route.path_format]["get"].get("parameters", []) if each["in"] == "query"
            }
            [handler] = [each for each in route.route_handlers if "GET" in each.http_methods]
            assert set(taken_by(handler)) == listed
