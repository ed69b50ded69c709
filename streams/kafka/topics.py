"""Topic names, their settings, and the record that each carries. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ft.schemas import domains
from ft.schemas.domains import Domain

RECORD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest record of any topic: the receipts of one block pass 1 MiB. Bytes, before compression."""
_DAY_MS: Final = 86_400_000
_KEEP: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": str(RECORD_BYTES_MAX)}
_COMPACT: Final = {"cleanup.policy": "compact"}
_MONTH: Final = {**_KEEP, "retention.ms": str(30 * _DAY_MS)}
_DAY: Final = {**_KEEP, "retention.ms": str(_DAY_MS), "segment.ms": str(_DAY_MS // 4)}


Layout: TypeAlias = dict[str, tuple[int, dict[str, str]]]
"""Topic -> how many partitions it has, and the settings it is created with."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of all topics under one prefix.

    A generation reads the raw topics that all read, and has the others for itself.
    """

    prefix: str = ""
    generation: str = ""

    @property
    def own(self) -> str:
        """What stands before the name of every topic but the raw ones."""
        return f"{self.prefix}{self.generation.replace('_', '.')}." if self.generation else self.prefix

    def raw(self, network: str) -> str:
        """One network's chain, one partition: a chain is a sequence."""
        return f"{self.prefix}chain.{network}.raw"

    @property
    def normalized(self) -> str:
        return f"{self.own}ledger.normalized"

    @property
    def ownership_changed(self) -> str:
        return f"{self.own}ledger.ownership_changed"

    @property
    def finality(self) -> str:
        return f"{self.own}ledger.finality"

    @property
    def reorg_detected(self) -> str:
        return f"{self.own}ledger.reorg_detected"

    @property
    def asset_created(self) -> str:
        return f"{self.own}catalog.asset_created"

    @property
    def dead_letter(self) -> str:
        return f"{self.own}system.dead_letter"

    @property
    def quarantine(self) -> str:
        return f"{self.own}ingest.quarantine"

    @property
    def deployment(self) -> str:
        """Whose topics those under the prefix are: one for all generations."""
        return f"{self.prefix}system.deployment"

    @property
    def partitioned(self) -> tuple[str, ...]:
        """The topics whose partition is ``crc32(route key) % N``."""
        own = (self.normalized, self.ownership_changed, self.finality, self.reorg_detected, self.asset_created)
        return (*own, *self.announced)

    @property
    def announced(self) -> dict[str, str]:
        """Topic of a domain -> its name without prefix, which is the name of its record, too."""
        return {f"{self.own}{topic}": topic for topic in domains.announced()}

    @property
    def unread(self) -> frozenset[str]:
        """Those that subscribers and operators alone read: no claim keeps their ids, the deployment's record does."""
        own = (self.reorg_detected, self.asset_created, self.dead_letter, self.quarantine)
        return frozenset((*own, *self.announced))

    def announced_by(self, domain: Domain) -> dict[str, str]:
        """The topics of a domain, without prefix -> whole."""
        return {topic: f"{self.own}{topic}" for topic in domain.announces}

    def records(self, networks: Iterable[str]) -> dict[str, str]:
        """Topic -> the name of the record it carries (schemas/<name>.avsc)."""
        carried = {
            self.normalized: "normalized_batch",
            self.ownership_changed: "ownership_changed",
            self.finality: "finality",
            self.reorg_detected: "reorg_detected",
            self.asset_created: "asset_created",
            self.dead_letter: "dead_letter",
            self.quarantine: "dead_letter",
        }
        return {self.raw(network): "raw_block" for network in networks} | carried | self.announced


def wanted_settings(topics: Topics, networks: Iterable[str]) -> dict[str, dict[str, str]]:
    """Topic -> the settings it is created with, of every topic from which something is rebuilt or read again."""
    aside = (topics.dead_letter, topics.quarantine, topics.deployment)
    return {name: settings for name, (_, settings) in layout(topics, networks).items() if name not in aside}


def layout(topics: Topics, networks: Iterable[str], partitions: int = 1) -> Layout:
    """Every topic that ft has."""
    wanted: Layout = {topics.raw(network): (1, _KEEP) for network in networks}
    kept = {topics.normalized: _MONTH, topics.finality: _DAY}
    wanted |= {name: (partitions, kept.get(name, _KEEP)) for name in topics.partitioned}
    if not topics.generation:
        wanted[topics.deployment] = (1, _COMPACT)
    return wanted | dict.fromkeys((topics.dead_letter, topics.quarantine), (1, _KEEP))
