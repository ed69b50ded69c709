"""A domain that reads raw blocks: how many logs each contract emits, whatever they are."""

from collections import Counter
from collections.abc import Iterable

from ft.agents.decode import parts
from ft.schemas.domains import Domain
from ft.schemas.events import RawBlock
from ft.streams.worker.chain_reader.domain import ChainReader, Event
from ft.streams.worker.chain_reader.reader import QuarantinedLog

COUNTED = "logs.counted"
UNLUCKY = 10
"""Of so many logs of one contract the sample says that it cannot read them."""


class Logs(ChainReader):
    """chain.<network>.raw -> logs.counted."""

    consumer = "logs"
    topic = COUNTED
    fields = ({"name": "contract", "type": "string"}, {"name": "logs", "type": "long"})

    def decode(self, record: RawBlock, family: str) -> Iterable[Event | QuarantinedLog]:
        told = {part.name: part.bytes for part in record.parts}
        read = parts.read(
            told.get("block", b""),
            receipts=told.get("receipts"),
            logs=told.get("logs"),
            state_sync=told.get("state_sync"),
        )
        for contract, count in Counter(log.address.lower() for log in read.logs).items():
            if count == UNLUCKY:
                yield QuarantinedLog(reason=f"expected fewer or more than {UNLUCKY} logs", log=b"", contract=contract)
            else:
                yield {"contract": contract, "logs": count}

    def route(self, network: str, event: Event) -> str:
        return f"{network}:{event['contract']}"


DOMAIN = Domain(name="logs", readers=(Logs,))
