"""The lanes of one process, by topic, and how an agent's stream becomes one."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from ft.streams.worker.fence import Claim
from ft.streams.worker.lane import Event, Lane, start_of

TopicPartition = tuple[str, int]

DECODED_BYTES: Final = 8 << 20
"""What one hop has decoded is kept for another one that has so much before it, at most: decoded, records take ten times
the memory."""


class Lanes:
    """Which lanes take what is read of a topic."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[Lane]] = {}

    def add(self, lane: Lane) -> None:
        """What is read of its topic is for this one, too."""
        self._lanes.setdefault(lane.topic, []).append(lane)

    def begin(self, assignment: int, claims: Iterable[Claim]) -> dict[TopicPartition, int]:
        """These are claimed, under this assignment of the group: where the shared reading of each partition begins."""
        claimed: dict[TopicPartition, dict[str, int]] = {}
        for claim in claims:
            claimed.setdefault((claim.topic, claim.partition), {})[claim.consumer] = claim.next_offset
        starts = {place: start_of(list(offsets.values())) for place, offsets in claimed.items()}
        for lane in self:
            places = {
                partition: (offsets[lane.consumer], starts[topic, partition])
                for (topic, partition), offsets in claimed.items()
                if topic == lane.topic and lane.consumer in offsets
            }
            lane.begin(assignment, places)
        return starts

    def forget(self) -> None:
        """The group takes everything away."""
        for lane in self:
            lane.forget()

    def offer(self, lane: Lane, event: Event) -> bool:
        """A record batch of the shared reading has come to this lane; whether it waits there now."""
        partition = event.message.partition
        return lane.offer(event, is_last=not any(other.shares(partition) for other in self._beside(lane)))

    def room(self, topic: str, partition: int) -> int:
        """Record batches that the one has room for that has most, of those that read the partition together."""
        return max(0, max((lane.free for lane in self._of(topic) if lane.shares(partition)), default=0))

    def is_hungry(self, topic: str) -> bool:
        """Whether a hop of the topic has nothing to do."""
        return any(lane.is_hungry for lane in self._of(topic))

    def are_near(self, lane: Lane) -> bool:
        """Whether what this lane's hop has decoded is of use to another one."""
        return any(len(other) and other.bytes_waiting <= DECODED_BYTES for other in self._beside(lane))

    def __iter__(self) -> Iterator[Lane]:
        return chain.from_iterable(self._lanes.values())

    def _of(self, topic: str) -> Sequence[Lane]:
        return self._lanes.get(topic, ())

    def _beside(self, lane: Lane) -> Iterable[Lane]:
        return (other for other in self._of(lane.topic) if other is not lane)


class Reading:
    """An agent's stream, by way of its lane: what ``run_hop`` takes batches from, and acknowledges to."""

    def __init__(self, stream: Any, lane: Lane, lanes: Lanes) -> None:
        self._stream = stream
        self._lane = lane
        self._lanes = lanes

    async def feed(self) -> None:
        """Put what the stream has into the lane, until it ends. What passes by counts as acknowledged."""
        self._stream.enable_acks = False
        try:
            async for event in self._stream.events():
                if not self._lanes.offer(self._lane, event):
                    await self._stream.ack(event)
        finally:
            self._lane.close()

    async def noack_take(self, max_: int, within: float) -> AsyncIterator[Sequence[Event]]:
        """Batches, as Faust's stream has them."""
        while taken := await self._lane.take(max_, within):
            yield taken

    async def ack(self, event: Event) -> None:
        """Its effects are in Postgres. Faust only reports how far the shared reading is done with."""
        if not self._lanes.are_near(self._lane):
            event.message.forget_decoded()
        if not isinstance(event, Apart):
            await self._stream.ack(event)


class Apart:
    """A record batch of a lane's own reading, as an event."""

    __slots__ = ("message",)

    def __init__(self, message: Any) -> None:
        self.message = message
