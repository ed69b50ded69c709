"""The OpenAPI document names things as people do, and shows an example of whatever is asked and answered."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import httpx
from msgspec import json

from ft.api.http.middleware import ApiMetrics
from ft.api.main import build, framework
from tests.integration.api.test_document import mismatches
from tests.unit.api.transfers.test_routes import Ledger


def _document() -> dict[str, Any]:
    """As it is served."""
    document: dict[str, Any] = json.decode(json.encode(framework(Ledger([]), ApiMetrics()).openapi_schema.to_schema()))
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((path, item["get"]) for path, item in document["paths"].items())


def _contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every answer that has a body, with its place."""
    for path, operation in _operations(document):
        for status, answer in operation["responses"].items():
            yield from ((f"{path} {status}", content) for content in answer.get("content", {}).values())


def test_no_shape_is_named_by_a_module() -> None:
    names = list(_document()["components"]["schemas"])

    assert [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert {"AssetPage", "CollectionPage", "CollectionOwnerPage", "HolderPage", "NetworkPage", "TransferPage"} <= {
        name for name in names if name.endswith("Page")
    }


def test_every_reference_of_an_answer_leads_to_a_shape() -> None:
    document = _document()

    refs = [
        content["schema"]["$ref"].rsplit("/", 1)[-1]
        for _, content in _contents(document)
        if "$ref" in content["schema"]
    ]
    assert refs
    assert set(refs) <= set(document["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own_that_says_what_it_does() -> None:
    names = [operation["operationId"] for _, operation in _operations(_document())]

    assert [name for name in names if not re.fullmatch(r"(get|list)[A-Z][A-Za-z]+", name)] == []
    assert len(set(names)) == len(names)
    assert {"getAsset", "listAssetOwners", "listTransfers"} <= set(names)


def test_every_path_says_that_it_refuses_what_it_does_not_take() -> None:
    assert [path for path, operation in _operations(_document()) if "422" not in operation["responses"]] == []


def test_every_parameter_is_described_but_those_of_http_itself() -> None:
    for path, operation in _operations(_document()):
        said = {each["name"]: each.get("description") for each in operation.get("parameters", [])}
        assert [name for name, text in said.items() if not text and name != "If-None-Match"] == [], path


def test_every_parameter_of_a_path_has_an_example_that_its_pattern_takes() -> None:
    for path, operation in _operations(_document()):
        for each in operation.get("parameters", []):
            if each["in"] == "path" or "example" in each:
                assert re.search(each["schema"].get("pattern", ""), str(each["example"])), (path, each["name"])
                assert each["example"] in each["schema"].get("enum", [each["example"]]), (path, each["name"])


def test_every_answer_has_an_example_that_is_one() -> None:
    document = _document()

    for place, content in _contents(document):
        assert "example" in content, place
        assert mismatches(content["schema"], content["example"], document) == [], place


def test_an_example_of_an_error_is_that_error() -> None:
    for place, content in _contents(_document()):
        if content["schema"].get("$ref", "").endswith("/ProblemDetails"):
            assert place.endswith(f" {content['example']['status']}")


async def test_the_page_for_people_shows_every_example() -> None:
    document = _document()
    app: Any = build(Ledger([]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
        page = (await client.get("/schema", headers={"Accept": "text/html"})).text

    assert page.count("<summary>Example</summary>") == len(list(_contents(document)))
    shown = [
        each["example"]
        for _, operation in _operations(document)
        for each in operation.get("parameters", [])
        if "example" in each
    ]
    assert [text for text in shown if f"<code>{escape(str(text))}</code>" not in page] == []
    assert "&quot;holder&quot;: &quot;0x" in page
