"""What a worker does beside its partitions, round after round: indexes of bulk months, recounts of contracts."""

from abc import abstractmethod
from typing import Final

import structlog
from mode import Service

from ft.errors import FtError
from ft.telemetry.outage import DATABASE

log = structlog.get_logger(__name__)

RETRY_S: Final = 15.0
"""How long a round waits after an error that does not pass by itself."""


class Rounds(Service):
    """Works while the worker runs; nothing that goes wrong here stops the worker."""

    waits: str
    """What is logged of an error, once as long as it is the same."""

    @abstractmethod
    async def once(self) -> float:
        """Do what can be done now; returns the seconds until the next round. Raises FtError."""

    @abstractmethod
    async def after(self, error: FtError) -> float:
        """The seconds until the next round after an error."""

    @abstractmethod
    async def close(self) -> None:
        """No round follows."""

    @Service.task
    async def _run(self) -> None:
        said = ""
        try:
            while not self.should_stop:
                try:
                    said, pause_s = "", await self.once()
                except FtError as exc:
                    if str(exc) != said:
                        said = str(exc)
                        DATABASE.aside(log)(self.waits, error=said)
                    pause_s = await self.after(exc)
                await self.sleep(pause_s)
        finally:
            await self.close()
