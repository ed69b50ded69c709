"""What the API and the topics say, beside what the contracts said when the chain was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from confluent_kafka import Consumer

from ft.config import Config
from ft.demo.recording import Recording
from ft.schemas.events import ReorgDetected, from_record
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.admin import CLIENTS
from ft.streams.kafka.topics import Topics

_PAGE = 100
_SILENCE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the demo's table."""

    name: str
    standard: str
    supply: str
    assets: int
    owners: int
    transfers: int
    differences: list[str] = field(default_factory=list)


class Reader:
    """The API as any client reads it: pages until there are no more."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def one(self, path: str, **query: str) -> dict[str, Any]:
        """One answer. Raises httpx.HTTPStatusError for any but 2xx."""
        answer: dict[str, Any] = self._client.get(path, params=query).raise_for_status().json()
        return answer

    def all(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of a paged list."""
        cursor: str | None = None
        while True:
            page = self.one(path, limit=str(_PAGE), **query, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page["page"]["next_cursor"]
            if not page["page"]["has_more"] or not cursor:
                return


def collection_row(reader: Reader, network: str, name: str, contract: str) -> Row:
    """A collection's counters as the API gives them."""
    found = reader.one(f"/api/v1/collections/{network}:{contract}")
    stats = found["stats"]
    transfers = sum(stats[kind] or 0 for kind in ("transfers", "mints", "burns"))
    return Row(
        name=name,
        standard=found["standard"] or "?",
        supply=stats["supply"],
        assets=stats["assets"],
        owners=stats["owners"],
        transfers=transfers,
    )


def differences(reader: Reader, network: str, recording: Recording) -> dict[str, list[str]]:
    """Collection -> what the API says otherwise than the contracts did; empty lists where all is equal."""
    expected = recording.expected
    found: dict[str, list[str]] = {}
    for name, supply in expected.supply.items():
        contract = recording.contracts[name].address
        said = reader.one(f"/api/v1/collections/{network}:{contract}")["stats"]["supply"]
        found[name] = [] if said == supply else [f"supply: expected {supply}, got {said}"]
        want = _holdings(recording, name)
        have = _held(reader, network, contract, want)
        found[name] += [
            f"token {key[0]} of {key[1]}: expected {want.get(key, '0')}, got {have.get(key, '0')}"
            for key in sorted(want.keys() | have.keys())
            if want.get(key) != have.get(key)
        ]
    return found


def _holdings(recording: Recording, name: str) -> dict[tuple[str, str], str]:
    owners = dict.fromkeys(recording.expected.owners.get(name, {}).items(), "1")
    balances = recording.expected.balances.get(name, {})
    return owners | {(t, account): quantity for t, held in balances.items() for account, quantity in held.items()}


def _held(reader: Reader, network: str, contract: str, want: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Every holding in the collection, by way of its owners' portfolios."""
    owners = {entry["owner"] for entry in reader.all(f"/api/v1/collections/{network}:{contract}/owners")}
    held: dict[tuple[str, str], str] = {}
    for owner in sorted(owners | {account for _, account in want}):
        for asset in reader.all(f"/api/v1/owners/{network}:{owner}/assets"):
            if asset["contract"] == contract:
                held[(asset["token_id"], owner)] = asset["ownership"]["quantity"]
    return held


def announced_reorgs(config: Config) -> list[ReorgDetected]:
    """What ``ledger.reorg_detected`` holds, read as a subscriber reads it."""
    topic = Topics(config.topic_prefix).reorg_detected
    consumer = Consumer(
        {
            **config.kafka_client,
            "group.id": f"{config.topic_prefix}demo",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 2,
            "logger": CLIENTS,
        }
    )
    reorgs: list[ReorgDetected] = []
    try:
        consumer.subscribe([topic])
        with Schemas(config) as schemas:
            codec = schemas.reader("reorg_detected")
            while message := consumer.poll(_SILENCE_S):
                if message.error() is None:
                    reorgs.append(from_record(ReorgDetected, codec.decode(message.value())))
    finally:
        consumer.close()
    return sorted(reorgs, key=lambda reorg: (reorg.from_block, reorg.to_block))
