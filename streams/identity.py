"""Pure: whether a database, a Kafka and a topic prefix are of one deployment, and which of them is likely wrong.

A deployment names itself twice, by the same id: in its database (system.deployment), and on a topic beside its own
(<prefix>system.deployment). Whoever runs is pointed at both by its settings, and compares.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ft.errors import ConfigError

Verdict: TypeAlias = Literal["one", "new", "unsaid"]
"""``one``: they are of one deployment. ``new``: neither names one yet. ``unsaid``: the database does, and its topic has
not said so yet."""
_ASK: Final = "Nothing was changed."


class OtherDeployment(ConfigError):
    """Database, Kafka and prefix are not of one deployment; the message says which is likely wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment says of itself."""

    id: str
    """A uuid, chosen by the first migration."""
    epoch: int = 0
    """Rises with every restore."""
    topic_prefix: str
    cluster_id: str
    """Of the Kafka that its topics are in."""

    def __str__(self) -> str:
        prefix = f"prefix {self.topic_prefix!r}" if self.topic_prefix else "no prefix"
        return f"deployment {self.id} ({prefix}, Kafka cluster {self.cluster_id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the settings point, and what is there."""

    prefix: str
    """FT_TOPIC_PREFIX."""
    cluster_id: str
    """Of the Kafka at FT_KAFKA."""
    stored: Deployment | None
    """As the database at FT_POSTGRES says; None: it is empty, or of an earlier version."""
    announced: bool = False
    """Whether the database knows that its topic has said so."""
    told: Deployment | None
    """As the topic says; None: there is none, or it is empty."""
    ledger_topic: str | None = None
    """What the ledger of a database of an earlier version has read; None: nothing yet."""
    normalized: str = ""
    """What the ledger reads under the prefix."""


def judge(found: Found) -> Verdict:
    """What the three come to. Raises OtherDeployment."""
    stored, told = found.stored, found.told
    _check_prefix(found)
    if stored is None:
        if told is not None:
            raise OtherDeployment(
                f"the topics under FT_TOPIC_PREFIX {found.prefix!r} are those of {told}: expected its database, got "
                "one that names no deployment. FT_POSTGRES is likely wrong: point it at that deployment's database, or "
                f"restore it there. For a deployment of its own, choose another FT_TOPIC_PREFIX. {_ASK}"
            )
        return "new"
    if stored.cluster_id != found.cluster_id:
        raise OtherDeployment(
            f"the database is that of {stored}: expected that Kafka, got cluster {found.cluster_id}. FT_KAFKA is "
            "likely wrong: point it at the cluster that the database was filled from. Where that one lost its data and "
            f"was set up anew, start it with the data it had. {_ASK}"
        )
    if told is None:
        if not found.announced:
            return "unsaid"
        raise OtherDeployment(
            f"the database is that of {stored}: expected its topic {found.prefix}system.deployment to say so, got "
            "nothing. Kafka has likely lost its data, or that topic was deleted. Start Kafka with the data it had. "
            f"{_ASK}"
        )
    if stored.id != told.id:
        raise OtherDeployment(
            f"the database is that of {stored}, the topics under FT_TOPIC_PREFIX {found.prefix!r} are those of {told}: "
            "expected the same. FT_POSTGRES is likely wrong, or FT_TOPIC_PREFIX: point both at the same deployment. "
            f"{_ASK}"
        )
    _check_epoch(stored, told)
    return "one"


def _check_prefix(found: Found) -> None:
    stored = found.stored
    if stored is not None and stored.topic_prefix != found.prefix:
        raise OtherDeployment(
            f"the database is that of {stored}: expected its prefix, got FT_TOPIC_PREFIX {found.prefix!r}. "
            f"FT_TOPIC_PREFIX is likely wrong: set it to {stored.topic_prefix!r}. A second deployment needs a database "
            f"of its own. {_ASK}"
        )
    if stored is None and found.ledger_topic not in (None, found.normalized):
        raise OtherDeployment(
            f"the database's ledger has read {found.ledger_topic}: expected {found.normalized}, by FT_TOPIC_PREFIX "
            f"{found.prefix!r}. FT_TOPIC_PREFIX is likely wrong: set it to what stands before 'ledger.normalized' "
            f"there. A second deployment needs a database of its own. {_ASK}"
        )


def _check_epoch(stored: Deployment, told: Deployment) -> None:
    if stored.epoch < told.epoch:
        raise OtherDeployment(
            f"the database is that of {stored}, of epoch {stored.epoch}: expected epoch {told.epoch}, which its topic "
            f"says. The database is likely an older state: restore the newer one. {_ASK}"
        )
    if stored.epoch > told.epoch:
        raise OtherDeployment(
            f"the database is that of {stored}, of epoch {stored.epoch}: expected its topic to say so, got epoch "
            f"{told.epoch}. Kafka likely holds an older state: start it with the data it had. {_ASK}"
        )
