"""What the API of `ft demo` answers -> api/http/examples.json: the examples of the OpenAPI document, shortened.

`ft demo`, then `python -m tests.devnet.examples URL` with the URL that it names last.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import httpx
from msgspec import json

from ft.api.http.middleware import ApiMetrics
from ft.api.main import build, framework
from ft.errors import DatabaseUnavailable

FILE: Final = Path(__file__).resolve().parents[2] / "api" / "http" / "examples.json"
_REQUEST_ID: Final = "4c7f0d2e9a6b4b1c8e3d5a7f90b2c4d6"
_LAG_MS: Final = 2310
"""Of a chain that is read; the recorded one was made once."""
_NOWHERE: Final = "0x000000000000000000000000000000000000dead"
_ENTRIES: Final = 2
_LINES: Final = 6


class _Away:
    """A database that does not answer."""

    def __getattr__(self, name: str) -> Any:
        raise DatabaseUnavailable(name)


def main(url: str) -> None:
    """Ask everything of the API at ``url`` and write the file."""
    with httpx.Client(base_url=url, headers={"X-Request-ID": _REQUEST_ID}, timeout=30) as client:
        parameters = _parameters(client)
        answers = {
            item["get"]["operationId"]: _answers(client, path, item["get"], parameters)
            for path, item in framework(object(), ApiMetrics()).openapi_schema.to_schema()["paths"].items()
        }
    FILE.write_bytes(json.format(json.encode({"parameters": parameters, "answers": answers}), indent=1) + b"\n")


def _parameters(client: httpx.Client) -> dict[str, Any]:
    """A token of the demo's first collection that moved in a block that is final, and who got it."""
    url = "/api/v1/transfers?network=demo&limit=1"
    [first] = client.get(f"{url}&order=asc").raise_for_status().json()["data"]
    [move] = (
        client.get(f"{url}&kind=transfer&contract={first['contract']}&block_to=70").raise_for_status().json()["data"]
    )
    return {
        "asset_id": move["asset_id"],
        "collection_id": f"demo:{move['contract']}",
        "account": f"demo:{move['to']}",
        "network": "demo",
        "contract": move["contract"],
        "asset": move["asset_id"],
        "sender": move["from"],
        "receiver": move["to"],
        "tx_hash": move["tx_hash"],
        "kind": "transfer",
        "block_from": 1,
        "block_to": move["block_number"],
        "at_block": move["block_number"],
        "time_from": "2026-01-01T00:00:00Z",
        "time_to": move["block_time"],
    }


def _answers(client: httpx.Client, path: str, operation: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """An example of every answer that has a body, by status."""
    query = ["network=demo"] if path.endswith(("transfers", "/collections")) else []
    if "400" in operation["responses"]:
        query.append(f"limit={100 if path.endswith('/networks') else _ENTRIES}")
    asked = f"{path.format(**named)}?{'&'.join(query)}"
    missing = path.format(
        asset_id=f"{named['collection_id']}:999999", collection_id=f"demo:{_NOWHERE}", account=f"nosuch:{_NOWHERE}"
    )
    made: dict[str, tuple[str, dict[str, str]]] = {
        "200": (asked, {}),
        "400": (f"{asked}&cursor=eyJ2IjoxfQ", {}),
        "404": (missing if "{" in path else f"{path}?network=nosuch", {}),
        "409": (asked, {"X-Min-Block": "demo:1000000"}),
        "422": (f"{asked}&offset=100", {}),
    }
    found: dict[str, Any] = {}
    for status, answer in operation["responses"].items():
        if status == "503":
            found[status] = asyncio.run(_away(asked))
        elif answer.get("content"):
            url, headers = made[status]
            found[status] = _asked(client.get(url, headers=headers), status)
    return found


async def _away(url: str) -> Any:
    app: Any = build(_Away())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
        return _asked(await client.get(url, headers={"X-Request-ID": _REQUEST_ID}), "503")


def _asked(answer: httpx.Response, status: str) -> Any:
    assert str(answer.status_code) == status, (answer.url, answer.text)
    if "json" not in answer.headers["content-type"]:
        return "\n".join(answer.text.splitlines()[:_LINES])
    return _shortened(answer.json())


def _shortened(value: Any) -> Any:
    """A few entries of long lists, the demo's network of many, and the lag of a chain that goes on."""
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if not isinstance(value, dict):
        return value
    short = {name: _shortened(each) for name, each in value.items()}
    if short.get("lag_ms") is not None:
        short["lag_ms"] = _LAG_MS
    for name in ("data", "networks", "partitions"):
        if name in short:
            of_demo = [each for each in short[name] if each.get("network", "demo") == "demo"]
            short[name] = of_demo[:_ENTRIES]
    return short


if __name__ == "__main__":
    main(sys.argv[1])
