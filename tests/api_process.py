"""``ft api`` as a process of its own."""

import socket
from typing import Final

import httpx

from ft import children
from ft.children import FT, Child
from ft.config import Config

STARTS_S: Final = 60.0


def free_port() -> int:
    """One that nobody listens on at 127.0.0.1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(config: Config) -> tuple[str, Child]:
    """Its address and the process, once it is ready; to be stopped. Raises ServerError."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    api = children.start(config, "api", (*FT, "api", "--host", "127.0.0.1", "--port", str(port)))
    try:
        children.wait_for(lambda: _is_ready(url), "the API to answer", timeout_s=STARTS_S, children=[api])
    except BaseException:
        api.stop()
        raise
    return url, api


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
