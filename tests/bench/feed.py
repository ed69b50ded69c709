"""The raw records of a run: made before its clock starts, written while it runs."""

from collections.abc import Sequence
from typing import Final

from ft.config import Config
from ft.schemas.codec import Codec
from ft.schemas.events import to_record
from ft.schemas.ids import partition_of
from ft.streams.kafka.producer import Producer
from tests.synthetic.chain import Chain, append

NETWORK: Final = "synthetic"
TABLE: Final = (
    f"[{NETWORK}]\nchain_id = 31337\nfinality = {{ confirmed = 1, finalized = 2 }}\n"
    "transaction_hashes_repeat = false\n"  # as most of the built-in networks
)


def make(chain: Chain, codec: Codec, events: int) -> tuple[list[bytes], int]:
    """So many events in blocks that are final on arrival; how many slices the blocks fall into."""
    records, slices = [], 0
    for number in range(events // chain.logs):
        block = chain.grow()
        slices += len({partition_of(f"{chain.network}:{move.contract}", 8) for move in block.moves})
        is_first = block.number == chain.start
        record = append(block, chain.network, finalized=chain.start + events, starts_range=is_first)
        records.append(codec.encode(to_record(record)))
        if number % 200 == 199:
            print(f"\rmaking the chain: {number + 1} blocks", end="", flush=True)
    print()
    return records, slices


async def write(config: Config, topic: str, records: Sequence[bytes]) -> None:
    """Returns once the broker has all of them."""
    producer = Producer(config)
    for record in records:
        producer.send(topic, 0, record)
    await producer.flush_acknowledged()
