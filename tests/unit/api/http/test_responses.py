"""What a client has already: the list of its tags, in however many lines, and an answer that says no more than that."""

from typing import Any

import httpx
import pytest

from ft.api.http.responses import etag_of
from ft.api.main import build
from ft.schemas.ids import AssetKey
from tests.unit.api.transfers.test_routes import A, Ledger

SEVEN = AssetKey(network="polygon", contract=A, token_id="7")
ETAG = etag_of("v", "asset", SEVEN)


class Versioned(Ledger):
    """An asset that nobody may read, in one version."""

    async def asset_version(self, key: AssetKey) -> str:
        return "v"


async def _asked(*lines: str, name: str = "If-None-Match") -> httpx.Response:
    app: Any = build(Versioned([]))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ft") as client:
        return await client.get(f"/api/v1/assets/{SEVEN}", headers=[(name, line) for line in lines])


@pytest.mark.parametrize(
    "lines", [(ETAG, 'W/"other"'), ('W/"other"', ETAG), ('W/"a", W/"b"', f'W/"c", {ETAG}'), (ETAG, ETAG), ("", ETAG)]
)
async def test_tags_in_two_lines_are_one_list(lines: tuple[str, ...]) -> None:
    for name in ("If-None-Match", "if-none-match"):
        answer = await _asked(*lines, name=name)

        assert (answer.status_code, answer.headers["ETag"], answer.content) == (304, ETAG, b"")


async def test_an_unchanged_answer_varies_with_what_a_whole_one_does() -> None:
    """RFC 9110, 15.4.5: whoever keeps the answer keeps it by the same headers."""
    answer = await _asked(ETAG)

    assert (answer.status_code, answer.headers.get_list("Vary")) == (304, ["Accept-Encoding"])
    assert "Content-Encoding" not in answer.headers
