"""Behind a proxy each client is itself: only a proxy that is named is believed."""

from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from ft.api.http import middleware
from ft.api.main import build
from ft.config import Config
from ft.errors import ConfigError
from tests.unit.api.transfers.test_routes import Ledger

URL = "/api/v1/transfers?network=polygon"


class Asked(Ledger):
    """Notes who asks."""

    clients: ClassVar[list[str]] = []

    async def transfers(self, ask: Any) -> Any:
        self.clients.append(middleware.current_client())
        return await super().transfers(ask)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ((), "192.0.2.7", "127.0.0.1"),
        (("10.0.0.0/8",), "192.0.2.7", "127.0.0.1"),
        (("127.0.0.1",), None, "127.0.0.1"),
        (("127.0.0.1",), "192.0.2.7", "192.0.2.7"),
        (("127.0.0.0/8",), "192.0.2.9, 192.0.2.7", "192.0.2.7"),
        (("127.0.0.1", "10.0.0.0/8"), "192.0.2.7, 10.1.2.3", "192.0.2.7"),
    ],
)
async def test_a_request_is_that_of_the_client_whom_a_named_proxy_tells(
    proxies: tuple[str, ...], forwarded: str | None, client: str
) -> None:
    reads = Asked([])
    reads.clients.clear()
    app: Any = build(reads, proxies=proxies)
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as http:
        assert (await http.get(URL, headers=headers)).status_code == 200

    assert reads.clients == [client]


def test_proxies_are_read_from_the_environment_and_handed_on() -> None:
    config = Config.from_env({"FT_HOME": "h", "FT_API_PROXIES": "10.0.0.5, fd00::/8"})

    assert config.api_proxies == ("10.0.0.5", "fd00::/8")
    assert Config.from_env(config.environ()).api_proxies == config.api_proxies


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.5/8", "10.0.0.5:80"])
def test_what_is_no_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="FT_API_PROXIES: expected addresses or networks such as"):
        Config.from_env({"FT_HOME": str(tmp_path), "FT_API_PROXIES": text})
