"""A domain that makes nothing of what it reads: what its worker uses is what the kit costs."""

from collections.abc import Sequence

from ft.schemas.changes import Change
from ft.schemas.domains import Domain
from ft.streams.worker.subscriber import Subscriber, Tx


class Nothing(Subscriber[Change]):
    """ownership_changed -> nothing."""

    consumer = "nothing"

    async def apply(self, tx: Tx, records: Sequence[Change]) -> None:
        """Keep nothing of them."""


DOMAIN = Domain(name=Nothing.consumer, subscribers=(Nothing,))
