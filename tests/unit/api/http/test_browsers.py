"""What pages of other origins may read: nothing unless it is configured."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from ft.api.main import build
from ft.config import Config
from ft.errors import ConfigError
from tests.unit.api.transfers.test_routes import Ledger

URL = "/api/v1/transfers?network=polygon"
ORIGIN = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "GET"}


async def _asked(origins: tuple[str, ...], method: str = "GET", url: str = URL, **headers: str) -> httpx.Headers:
    app: Any = build(Ledger([]), origins=origins)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
        return (await client.request(method, url, headers=headers)).headers


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_without_a_setting_no_page_may_read(method: str) -> None:
    headers = await _asked((), method, Origin=ORIGIN, **PREFLIGHT)

    assert [name for name in headers if name.startswith("access-control")] == []


async def test_a_configured_origin_may_read_answers_and_errors() -> None:
    for url in (URL, f"{URL}&bogus=1", "/nowhere"):
        headers = await _asked((ORIGIN,), url=url, Origin=ORIGIN)

        assert headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "ETag" in headers["Access-Control-Expose-Headers"]
        assert "Origin" in headers["Vary"]


async def test_a_preflight_is_told_methods_and_headers() -> None:
    headers = await _asked((ORIGIN,), "OPTIONS", Origin=ORIGIN, **PREFLIGHT)

    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "X-Min-Block" in headers["Access-Control-Allow-Headers"]


async def test_another_origin_may_not_and_caches_are_told() -> None:
    headers = await _asked((ORIGIN,), Origin="https://other.example")

    assert "Access-Control-Allow-Origin" not in headers
    assert "Origin" in headers["Vary"]


async def test_all_origins_may_where_all_are_configured() -> None:
    assert (await _asked(("*",), Origin="https://other.example"))["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_whatever_takes_get_says_that_it_takes_head(method: str) -> None:
    assert (await _asked((), method))["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://a.example, http://localhost:3000", ("https://a.example", "http://localhost:3000")),
    ],
)
def test_origins_are_read_from_the_environment_and_handed_on(text: str, origins: tuple[str, ...]) -> None:
    config = Config.from_env({"FT_HOME": "h", "FT_API_CORS_ORIGINS": text})

    assert config.api_cors_origins == origins
    assert Config.from_env(config.environ()).api_cors_origins == origins


@pytest.mark.parametrize("text", ["app.example", "https://app.example/", "https://a b", "ftp://a", "null"])
def test_what_is_no_origin_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FT_API_CORS_ORIGINS: expected origins such as"):
        Config.from_env({"FT_HOME": str(tmp_path), "FT_API_CORS_ORIGINS": text})
