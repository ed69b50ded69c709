"""ownership_changed -> projections: what the API lists and counts, kept from the topic alone."""

from collections.abc import Sequence

from ft.agents.project.projection import events_of
from ft.agents.project.store import store
from ft.schemas.changes import Change
from ft.streams.worker.subscriber import Subscriber, Tx


class Project(Subscriber[Change]):
    """Reads the stored rows of the keys that the records touch, folds, and writes what changed in key order."""

    consumer = "project"

    async def apply(self, tx: Tx, records: Sequence[Change]) -> None:
        """The records of a batch, into projection.* and catalog.*."""
        await store(tx.conn, events_of(records))
