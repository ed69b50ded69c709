"""What /health/ready says, asked where it is made up."""

from ft.api.http.database import Database
from ft.api.main import Reads
from ft.api.status.attention import out_of_place
from ft.api.status.identity import Identity
from ft.config import Config


async def is_ready(config: Config) -> bool:
    """What /health/ready says, though no process has said anything before."""
    served = Database(config.postgres_as("ft_api"))
    identity = Identity(config, served)
    await served.open()
    try:
        await identity.look()
        found = await Reads(served, config.topic_prefix, identity).status()
        return out_of_place(found.backlog, found.failures, other=found.other, is_one=found.is_one) is None
    finally:
        await served.close()
