"""A worker of a rebuild ends with the command that started it, whatever became of that."""

import os
from typing import Any, Final

import structlog
from mode import Service

from ft.streams import process

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""How often the parent is looked for."""


class Orphan(Service):
    """Ends this process once its parent has: another process is then its parent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parent = os.getppid()

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_S)
            if os.getppid() != self._parent:
                log.critical("worker exits", error="the command that started it is gone", kind="Orphan")
                process.end(1)
