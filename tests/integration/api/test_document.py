"""The OpenAPI document: 3.1, whole, and true."""

import re
from typing import Any

import httpx
import pytest

from tests.integration.api.world import NETWORK, World, address

CONTRACT, ALICE = address(0xC0), address(0xA)
UUID = "11111111-2222-3333-4444-555555555555"
PATHS = {
    "/api/v1/assets/{asset_id}",
    "/api/v1/assets/{asset_id}/owners",
    "/api/v1/assets/{asset_id}/history",
    "/api/v1/collections",
    "/api/v1/networks",
    "/api/v1/collections/{collection_id}",
    "/api/v1/collections/{collection_id}/assets",
    "/api/v1/collections/{collection_id}/owners",
    "/api/v1/owners/{account}/assets",
    "/api/v1/transfers",
    "/api/v1/status",
    "/health",
    "/health/ready",
    "/metrics",
}


def mismatches(schema: dict[str, Any], value: Any, root: dict[str, Any], at: str = "$") -> list[str]:
    """Where ``value`` is not what ``schema`` says: types, required and unknown fields, enums."""
    if "$ref" in schema:
        schema = root["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if alternatives := schema.get("oneOf") or schema.get("anyOf"):
        found = [mismatches(each, value, root, at) for each in alternatives]
        return [] if any(not each for each in found) else [f"{at}: none of {len(found)} fits {value!r}"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{at}: {value!r} is none of {schema['enum']}"]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    expected = schema.get("type")
    if expected and not isinstance(value, kinds[expected]):
        return [f"{at}: expected {expected}, got {value!r}"]
    if expected == "array":
        return [text for n, each in enumerate(value) for text in mismatches(schema["items"], each, root, f"{at}[{n}]")]
    if expected == "object" and "properties" in schema:
        wrong = [f"{at}.{name}: missing" for name in schema.get("required", []) if name not in value]
        wrong += [f"{at}.{name}: not documented" for name in value if name not in schema["properties"]]
        for name, each in schema["properties"].items():
            if name in value:
                wrong += mismatches(each, value[name], root, f"{at}.{name}")
        return wrong
    return []


async def test_every_path_is_documented_with_its_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).raise_for_status().json()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == set(PATHS)
    for path, item in document["paths"].items():
        assert item["get"]["summary"]
        named = {each["name"] for each in item["get"].get("parameters", []) if each["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        if path.startswith("/api/v1/"):
            assert {"409", "422", "503"} <= item["get"]["responses"].keys()
        assert ("404" in item["get"]["responses"]) == (
            path.startswith("/api/v1/") and path not in ("/api/v1/networks", "/api/v1/status")
        ), path


async def test_every_answer_that_is_of_a_block_waits_for_one(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).raise_for_status().json()

    for path, item in document["paths"].items():
        [content] = item["get"]["responses"]["200"]["content"].values()
        shape = document["components"]["schemas"].get(content["schema"].get("$ref", "").rsplit("/", 1)[-1], {})
        waits = "X-Min-Block" in [each["name"] for each in item["get"].get("parameters", [])]
        assert ("as_of" in shape.get("properties", {}), "409" in item["get"]["responses"]) == (waits, waits), path


async def test_every_error_is_a_problem(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()

    for path, item in document["paths"].items():
        for status, answer in item["get"]["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)
    assert "400" not in document["paths"]["/api/v1/assets/{asset_id}"]["get"]["responses"]


@pytest.mark.parametrize(
    ("path", "name", "taken", "refused"),
    [
        (
            "/assets/{asset_id}",
            "asset_id",
            [f"{NETWORK}:{CONTRACT.upper()}:7", UUID, UUID.replace("-", "")],
            ["0", "x:y"],
        ),
        ("/collections/{collection_id}", "collection_id", [f"{NETWORK}:{CONTRACT}"], ["", NETWORK, f"P:{CONTRACT}"]),
        ("/owners/{account}/assets", "account", [ALICE, f"{NETWORK}:{ALICE}", "0:" + "0f" * 32], ["nobody", "0x12"]),
        ("/assets/{asset_id}/owners", "X-Min-Block", [f"{NETWORK}:1"], ["", "1", f"{NETWORK}:1e1"]),
        ("/assets/{asset_id}/owners", "cursor", ["eyJ2IjoxfQ"], ["", "É"]),
        ("/assets/{asset_id}/owners", "at_time", ["2024-05-01T00:00:00Z"], ["", "2024-05-01", "2024-05-01T00:00:00"]),
        ("/transfers", "network", [NETWORK], ["", "P!"]),
        ("/transfers", "contract", [CONTRACT, f"{NETWORK}:{CONTRACT}"], ["", "0x1"]),
        ("/transfers", "asset", [f"{NETWORK}:{CONTRACT}:7", UUID], ["", "7"]),
        ("/transfers", "account", [ALICE, f"{NETWORK}:{ALICE}"], ["", "nobody"]),
    ],
)
async def test_the_document_takes_and_refuses_what_the_api_does(
    client: httpx.AsyncClient, path: str, name: str, taken: list[str], refused: list[str]
) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    [schema] = [
        each["schema"] for each in document["paths"][f"/api/v1{path}"]["get"]["parameters"] if each["name"] == name
    ]

    assert schema["type"] == "string"
    assert [text for text in taken if not re.search(schema["pattern"], text)] == []
    assert [text for text in refused if re.search(schema["pattern"], text)] == []


async def test_numbers_have_both_bounds_in_the_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    schemas = {each["name"]: each["schema"] for each in document["paths"]["/api/v1/transfers"]["get"]["parameters"]}

    assert [(schemas[name]["minimum"], schemas[name]["maximum"]) for name in ("limit", "block_from")] == [
        (1, 100),
        (0, 2**63 - 1),
    ]


async def test_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    references: list[str] = []

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            references.extend([node["$ref"]] if "$ref" in node else [])
            for each in node.values():
                collect(each)
        elif isinstance(node, list):
            for each in node:
                collect(each)

    collect(document)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references) <= known
    assert references


async def test_answers_are_what_the_document_says(world: World, client: httpx.AsyncClient) -> None:
    world.mint(CONTRACT, 7, ALICE, 10)
    world.counted(CONTRACT, owners=1, assets=1, supply=1, mints=1)
    world.heads(20, safe=15, finalized=12)
    document = (await client.get("/schema/openapi.json")).json()
    values = {"asset_id": f"{NETWORK}:{CONTRACT}:7", "collection_id": f"{NETWORK}:{CONTRACT}", "account": ALICE}

    for path, item in document["paths"].items():
        if path == "/metrics":
            continue
        answer = await client.get(
            path.format(**values) + ("?network=polygon" if path.endswith(("transfers", "collections")) else "")
        )
        [content] = item["get"]["responses"]["200"]["content"].values()
        assert mismatches(content["schema"], answer.raise_for_status().json(), document) == [], path


async def test_the_page_for_people_shows_every_field_of_every_answer(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    page = (await client.get("/schema", headers={"Accept": "text/html"})).text

    for name, shape in document["components"]["schemas"].items():
        assert f"<h2 id='{name}'>" in page
        for field in shape.get("properties", {}):
            assert f"<tr><td><code>{field}</code><td>" in page
    assert "<a href='#AssetAnswer'>AssetAnswer</a>" in page


async def test_the_page_for_people_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = await client.get("/schema", headers={"Accept": "text/html"})

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "name=viewport" in page.text
    assert "/api/v1/transfers" in page.text
    assert "http://" not in page.text.replace("http://127.0.0.1", "")
    assert "https://" not in page.text
    assert "<script" not in page.text
