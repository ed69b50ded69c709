"""docs/api.md against the application: paths, answers, error codes."""

import json
import re
from functools import reduce
from typing import Any, cast, get_args, get_type_hints

import httpx
from msgspec.structs import replace

from ft.api.assets.answers import AssetAnswer
from ft.api.http.freshness import AsOf
from ft.api.http.middleware import ApiMetrics
from ft.api.http.parameters import LIMIT_DEFAULT, LIMIT_MAX
from ft.api.integrity.answers import Integrity
from ft.api.integrity.judging import REASONS, judge
from ft.api.main import build, framework
from ft.api.status.attention import WORDS
from tests.unit.api.integrity.grounds import PROVEN
from tests.unit.api.transfers.test_routes import Ledger
from tests.unit.pages import CHECKOUT, blocks, names, page, rows, section

_CODE = re.compile(r'(?:Problem\(\s*(\d{3}),\s*|not_found\(\s*|_refused\(\s*)"([a-z_]+)"')
UNLISTED = {"internal_error"}  # nobody is meant to meet it
HELD: dict[str, dict[str, Any]] = {
    "contradiction": {"contradicted": True},
    "blocks_missing": {"gapless": False},
    "quarantine": {"quarantined": True},
    "not_listed": {"not_listed": True},
    "contract_contradicts": {"contract_contradicts": True},
    "order": {"out_of_order": True},
    "implicit": {"implicit": True},
}


def openapi() -> dict[str, Any]:
    document: dict[str, Any] = framework(object(), ApiMetrics()).openapi_schema.to_schema()
    return document


def test_every_path_is_in_the_table_and_no_other() -> None:
    listed = names(page("api.md").split("## One asset")[0])

    assert set(listed) == set(openapi()["paths"])


def test_the_document_says_what_in_force_means_and_what_a_stub_is() -> None:
    document = openapi()
    described = [
        schema["properties"]["is_stub"]["description"]
        for schema in document["components"]["schemas"].values()
        if "is_stub" in schema.get("properties", {})
    ]

    assert "An event is in force as long as its block counts" in document["info"]["description"]
    assert len(described) >= 2
    assert all("ft knows from an event that it exists" in each for each in described)


def test_every_filter_of_transfers_is_named() -> None:
    parameters = openapi()["paths"]["/api/v1/transfers"]["get"]["parameters"]
    filters = {each["name"] for each in parameters if each["in"] == "query"} - {"limit", "cursor"}

    (row,) = [row for row in rows(page("api.md")) if row[0] == "`/api/v1/transfers`"]
    assert set(re.findall(r"`(\w+)`", row[1])) == filters


_WHOLE = {"0x…00": "0x" + "b0" * 20, "0x…": "0x" + "a0" * 20, "0:00…": "0:" + "00" * 32, "EQAA…": "EQ" + "A" * 46}
"""What the page shortens."""


async def test_what_openapi_cannot_say_is_as_it_describes_and_refused_as_the_page_says() -> None:
    paths, app = openapi()["paths"], build(Ledger([]))
    told = [row for row in rows(section(page("api.md"), "## What OpenAPI cannot say")) if row[1]]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=cast(Any, app)), base_url="http://ft") as client:
        for _, request, expected in told:
            url, *headers = re.findall(
                r"`([^`]+)`", reduce(lambda text, pair: text.replace(*pair), _WHOLE.items(), request)
            )
            sent = dict(header.split(": ") for header in headers)
            answer = await client.get(url, headers=sent)

            assert f"{answer.status_code} `{answer.json()['code']}`" == expected, url
            assert _not_described(paths, httpx.URL(url), sent) == [], url


def _not_described(paths: dict[str, Any], url: httpx.URL, headers: dict[str, str]) -> list[str]:
    """Values that the document does not take, each parameter by itself."""
    [(template, found)] = [
        (template, found)
        for template in paths
        if (found := re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template), url.path))
    ]
    sent = {**found.groupdict(), **url.params, **headers}
    known = {each["name"]: each for each in paths[template]["get"]["parameters"]}
    needed = [name for name, each in known.items() if each["required"] and name not in sent]
    return needed + [
        name
        for name, value in sent.items()
        if name not in known
        or not re.search(known[name]["schema"].get("pattern", ""), value)
        or value not in known[name]["schema"].get("enum", [value])
    ]


def test_the_example_of_an_answer_has_fields_that_exist() -> None:
    (body,) = blocks(page("api.md"), "json")
    answer = json.loads(body)

    assert set(answer) <= set(get_type_hints(AssetAnswer))
    assert set(answer["as_of"]) == set(get_type_hints(AsOf))


def test_every_error_code_is_in_the_table_and_no_other() -> None:
    sources = [path.read_text() for path in sorted((CHECKOUT / "api").rglob("*.py"))]
    raised = {code for text in sources for _, code in _CODE.findall(text)}
    listed = {row[1].strip("`") for row in rows(section(page("api.md"), "## Errors"))}

    assert listed == raised - UNLISTED


def test_every_reason_of_attention_is_in_the_table() -> None:
    assert names(section(page("api.md"), "## Attention")) == list(WORDS)


def test_every_integrity_is_explained_worst_first() -> None:
    listed = [
        row[0].strip("`") for row in rows(section(page("api.md"), "## Integrity")) if row[0].strip("`") in worst_first()
    ]

    assert listed == worst_first()


def test_every_reason_is_in_the_table_and_in_the_document() -> None:
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(section(page("api.md"), "## Integrity"))}
    schemas = openapi()["components"]["schemas"]

    assert list(table) == [*worst_first(), *REASONS]
    for word in REASONS:
        grounds = replace(PROVEN, **HELD.get(word, {"reasons": word}))
        assert judge(grounds) == (table[word], [word])
    for answer in ("Asset", "AssetAnswer", "CollectionAnswer"):
        shown = schemas[answer]["properties"]["integrity_reasons"]
        assert [word for word in REASONS if f"`{word}`" not in shown["description"]] == []


def worst_first() -> list[str]:
    return list(reversed(get_args(get_args(Integrity)[0])))


def test_the_size_of_a_page_is_that_of_the_code() -> None:
    assert f"`limit` (1 to {LIMIT_MAX}, default {LIMIT_DEFAULT})" in page("api.md")
