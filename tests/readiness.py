"""What /health/ready says, asked where it is made up."""

from typing import Any

import httpx

from ft.api.http.database import Database
from ft.api.main import Reads, build
from ft.api.status.identity import Identity
from ft.config import Config


async def is_ready(config: Config) -> bool:
    """What /health/ready says, though no process has said anything before."""
    return await answer(config, "/health/ready") == (200, None)


async def answer(config: Config, path: str) -> tuple[int, str | None]:
    """The status of what the API answers after its first look, and the code where that is an error."""
    served = Database(config.postgres_as("ft_api"))
    identity = Identity(config, served)
    app: Any = build(Reads(served, config.topic_prefix, identity))
    await served.open()
    try:
        await identity.look()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://ft") as client:
            answered = await client.get(path)
        return answered.status_code, answered.json().get("code")
    finally:
        await served.close()
