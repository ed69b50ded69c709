"""Whether a worker has its place in the consumer group, and what keeps it from one.

The driver's task for the group keeps an error for the next caller of the driver's own ``getmany`` and waits until
somebody takes it. Nobody does, because Faust reads the fetcher's buffers: the task would wait for ever, and a worker
without partitions looks like one that has nothing to do. So the watch asks.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A worker's place in its group at one moment."""

    joined: bool
    """It is a member of the group's present generation, and no rebalance is under way."""
    error: BaseException | None = None
    """What the driver's task for the group ended with, or waits to tell."""


def membership(coordinator: Any, *, rebalancing: bool) -> Membership:
    """As aiokafka's ``GroupCoordinator`` has it; ``rebalancing``: whether Faust is still at the last change."""
    return Membership(joined=coordinator.generation > 0 and not rebalancing, error=group_error(coordinator))


def group_error(coordinator: Any) -> BaseException | None:
    """What the driver's task for the group ended with, or keeps for a caller that never comes."""
    task = coordinator._coordination_task
    ended: BaseException | None = task.exception() if task.done() and not task.cancelled() else None
    return ended or coordinator._pending_exception
