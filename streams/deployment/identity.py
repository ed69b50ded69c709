"""Pure: whether a database, a Kafka, a topic prefix and a registry are of one deployment, and which is likely wrong.

A deployment names itself twice, by the same id: in its database (system.deployment), and on a topic beside its own
(<prefix>system.deployment). Whoever runs is pointed at both by its settings, and compares. Its registry names no
deployment: it is known by the ids that it gave out, which the database keeps with their schemas.

1. the prefix is the one that the database was filled under
2. the database names the deployment that the topic names, in the Kafka that it names
3. both are of the same epoch, and name the same schemas for an id
4. the topics that were read or written are those that are there: one made anew under the same name has another id
5. the journal has every row that was announced
6. the registry says nothing else for an id that was given out; what it lost can be given back to it
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ft.errors import ConfigError
from ft.schemas.registered import Agreement, Difference, Registered

Verdict: TypeAlias = Literal["one", "new", "unsaid", "restore"]
"""``one``: they are of one deployment. ``new``: neither database nor topic names one yet. ``unsaid``: the database
does, and its topic has not said so yet. ``restore``: of one, and the registry has lost ids that it gave out."""
Kind: TypeAlias = Literal["raw", "normalized", "announced"]
BELIEVED: Final = 3
"""Looks in a row that find something out of place, while a process runs: servers that come back may say for a moment
that they know nothing."""
_ASK: Final = "`ft status` tells when it is right. Nothing was changed."
_LISTED_MAX: Final = 3


class OtherDeployment(ConfigError):
    """Database, Kafka, prefix and registry are not of one deployment; the message says which is likely wrong."""


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

    @classmethod
    def of_row(cls, row: Sequence[Any] | None) -> "Deployment | None":
        """Of a row that begins with these columns, in this order; None of none."""
        return None if row is None else cls(id=row[0], epoch=row[1], topic_prefix=row[2], cluster_id=row[3])

    def __str__(self) -> str:
        prefix = f"prefix {self.topic_prefix!r}" if self.topic_prefix else "no prefix"
        return f"deployment {self.id} ({prefix}, Kafka cluster {self.cluster_id})"


class Ahead(NamedTuple):
    """A partition of the topic of changes whose last record announces a row that the journal does not have."""

    partition: int
    offset: int
    seq: int
    journal_end: int


class LostTopic(NamedTuple):
    """A topic that was read or written, and is not there any more."""

    topic: str
    kind: Kind
    replaced: bool
    """Whether there is another one of that name."""

    def __str__(self) -> str:
        return f"{self.topic} (there is another one of that name)" if self.replaced else self.topic


def lost_topics(prefix: str, read: Iterable[tuple[str, str]], there: Mapping[str, str]) -> tuple[LostTopic, ...]:
    """Pure. ``read``: topics and their ids that the database knows; ``there``: topic -> id, of those that exist."""
    found = set()
    for topic, topic_id in read:
        if there.get(topic) != topic_id:
            found.add(LostTopic(topic, _kind(topic.removeprefix(prefix)), topic in there))
    return tuple(sorted(found))


def _kind(name: str) -> Kind:
    if name.startswith("chain.") and name.endswith(".raw"):
        return "raw"
    return "normalized" if name == "ledger.normalized" else "announced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the settings point, and what is there."""

    prefix: str
    """FT_TOPIC_PREFIX."""
    cluster_id: str
    """Of the Kafka at FT_KAFKA."""
    stored: Deployment | None
    """As the database at FT_POSTGRES says; None: it is empty, or of an earlier version."""
    unfinished: str = ""
    """The command that goes on with a restore which has begun; empty: none has."""
    announced: bool = False
    """Whether the database knows that its topic has said so."""
    told: Deployment | None
    """As the topic says; None: there is none, or it is empty."""
    unreadable: bool = False
    """Whether the topic has records, none of which can be read."""
    overwritten: bytes = b""
    """What it said last, where a deletion or something that cannot be read follows; empty: nothing does."""
    ledger_topic: str | None = None
    """What the ledger of a database of an earlier version has read; None: nothing yet."""
    normalized: str = ""
    """What the ledger reads under the prefix."""
    unkept: tuple[Registered, ...] = ()
    """Schemas that the topic names and the database does not keep: it was restored from an older state."""
    contradicted: tuple[Difference, ...] = ()
    """Ids for which the topic says something else than the database."""
    lost: tuple[LostTopic, ...] = ()
    """Topics that the database has read or written, and that Kafka lost."""
    ahead: Ahead | None = None
    """Where more was announced than the database's journal has."""
    registry: Agreement | None = None
    """What the registry at FT_SCHEMA_REGISTRY says of the ids that the database keeps; None: it does not answer."""


def judge(found: Found) -> Verdict:
    """What they come to. Raises OtherDeployment."""
    stored, told = found.stored, found.told
    _check_prefix(found)  # 1
    if found.unfinished:
        whose = "empty" if stored is None else f"that of {stored}"
        raise OtherDeployment(
            f"the database is {whose}: expected it whole, got one amid a restore that was ended before it was "
            f"done. `{found.unfinished}` goes on with it. {_ASK}"
        )
    if told is None and found.unreadable:
        raise OtherDeployment(
            f"the topic {found.prefix}system.deployment has records: expected one that says whose topics those under "
            f"FT_TOPIC_PREFIX {found.prefix!r} are, got none that can be read. FT_SCHEMA_REGISTRY is likely wrong, or "
            "that registry lost its data, and this database does not keep its schemas: point it at the registry that "
            "the records were written with (`export FT_SCHEMA_REGISTRY=…`), start that one with the data it had, or "
            f"`ft schemas import` what `ft schemas export` has written. {_ASK}"
        )
    if stored is None:
        if told is not None:
            raise OtherDeployment(
                f"the topics under FT_TOPIC_PREFIX {found.prefix!r} are those of {told}: expected its database, got "
                "one that names no deployment. FT_POSTGRES is likely wrong: point it at that deployment's database "
                "(`export FT_POSTGRES=…`). If that is lost, `ft restore --from DIR` brings it back from a backup; "
                "without one, `ft reset --keep raw` reads the raw topics again. For a deployment of its own, choose "
                f"another FT_TOPIC_PREFIX and `ft migrate`. {_ASK}"
            )
        _check_announced(found)
        return "new"
    if stored.cluster_id != found.cluster_id:  # 2
        raise OtherDeployment(
            f"the database is that of {stored}: expected that Kafka, got cluster {found.cluster_id}. FT_KAFKA is "
            "likely wrong: point it at the cluster that the database was filled from (`export FT_KAFKA=…`). Where that "
            f"one lost its data and was set up anew, start it with the data it had, or `ft reannounce`. {_ASK}"
        )
    if told is None:
        if not found.announced:
            return _with_registry(found, "unsaid")
        raise OtherDeployment(
            f"the database is that of {stored}: expected its topic {found.prefix}system.deployment to say so, got "
            "nothing. Kafka has likely lost its data, or that topic was deleted. Start Kafka with the data it had, or "
            "`ft reannounce` makes the topics anew from the journal. "
            f"{_ASK}"
        )
    if stored.id != told.id:
        raise OtherDeployment(
            f"the database is that of {stored}, the topics under FT_TOPIC_PREFIX {found.prefix!r} are those of {told}: "
            "expected the same. FT_POSTGRES is likely wrong, or FT_TOPIC_PREFIX: point both at the same deployment "
            f"(`export FT_POSTGRES=…`). {_ASK}"
        )
    _check_epoch(stored, told)  # 3
    if found.contradicted:
        raise OtherDeployment(
            f"the database is that of {stored}: expected its topic to name the schemas that it keeps, got another "
            f"meaning: {found.contradicted[0]}. The database is likely an older state: restore the newer one, or point "
            f"at it (`export FT_POSTGRES=…`). {_ASK}"
        )
    _check_topics(found)  # 4
    _check_announced(found)  # 5
    return _with_registry(found, "one")


def require_same(began: Deployment | None, now: Deployment | None) -> None:
    """Whether the deployment that a process began in is in force still. ``began``, ``now``: as the database named it
    then and names it; None: not yet, and it begins with the first epoch. Raises OtherDeployment."""
    if (began is None and (now is None or now.epoch == 0)) or (
        began is not None and now is not None and (began.id, began.epoch) == (now.id, now.epoch)
    ):
        return
    since = f"epoch {began.epoch} of {began}" if began is not None else "one that had no name yet, in epoch 0"
    got = f"epoch {now.epoch} of {now}" if now is not None else "none"
    raise OtherDeployment(
        f"this process began in {since}: expected that to be in force, got {got}. The database was restored, reset or "
        "replaced meanwhile, and what this process knows is of the time before: start it again. `ft status` tells "
        "whether what is in force is right."
    )


def other_ids(url: str, ids: int, differences: Sequence[Difference]) -> str:
    """What is said of a registry that says something else than the ``ids`` that a deployment keeps."""
    listed = "; ".join(map(str, differences[:_LISTED_MAX]))
    more = f"; and {len(differences) - _LISTED_MAX} more" if len(differences) > _LISTED_MAX else ""
    return (
        f"the registry {url} says something else for some of {ids} schema ids that this deployment's records are "
        f"written under: {listed}{more}. FT_SCHEMA_REGISTRY is likely wrong, or that registry lost its data and gave "
        "the ids out anew: point it at the deployment's registry (`export FT_SCHEMA_REGISTRY=…`), or at an empty one, "
        f"which `ft migrate` fills with the same ids. `ft schemas check` lists them all. {_ASK}"
    )


def _with_registry(found: Found, verdict: Verdict) -> Verdict:
    registry = found.registry
    if registry is None:
        return verdict
    if registry.different:  # 6
        raise OtherDeployment(other_ids(registry.url, registry.ids, registry.different))
    return "restore" if registry.lost else verdict


def _check_prefix(found: Found) -> None:
    stored = found.stored
    if stored is not None and stored.topic_prefix != found.prefix:
        raise OtherDeployment(
            f"the database is that of {stored}: expected its prefix, got FT_TOPIC_PREFIX {found.prefix!r}. "
            f"FT_TOPIC_PREFIX is likely wrong: set it to {stored.topic_prefix!r} "
            f"(`export FT_TOPIC_PREFIX={stored.topic_prefix}`). A second deployment needs a database of its own. {_ASK}"
        )
    if stored is None and found.ledger_topic not in (None, found.normalized):
        raise OtherDeployment(
            f"the database's ledger has read {found.ledger_topic}: expected {found.normalized}, by FT_TOPIC_PREFIX "
            f"{found.prefix!r}. FT_TOPIC_PREFIX is likely wrong: set it to what stands before 'ledger.normalized' "
            f"there (`export FT_TOPIC_PREFIX=…`). A second deployment needs a database of its own. {_ASK}"
        )


def _check_topics(found: Found) -> None:
    """Database and topic name the same deployment here: whose topics are left is proven."""
    if not (lost := found.lost):
        return
    kinds = {each.kind for each in lost}
    empty = (
        "point FT_KAFKA at an empty cluster (`export FT_KAFKA=…`), where `ft reannounce` makes all topics anew and "
        "what was lost is read again from the chain"
    )
    if "raw" in kinds:
        remedy = empty
    elif "normalized" in kinds:
        remedy = f"`ft reset --keep raw` reads the raw topics again, where they are whole; or {empty}"
    else:
        remedy = "`ft reannounce` makes the ledger's topics anew from the journal"
    listed = ", ".join(map(str, lost[:_LISTED_MAX]))
    more = f" and {len(lost) - _LISTED_MAX} more" if len(lost) > _LISTED_MAX else ""
    raise OtherDeployment(
        f"the database is that of {found.stored}: expected Kafka to have the topics that it has read and written, got "
        f"all but {listed}{more}. Kafka has likely lost its data in part, or somebody has deleted them. Start Kafka "
        f"with the data it had; else {remedy}. {_ASK}"
    )


def _check_announced(found: Found) -> None:
    if (at := found.ahead) is None:
        return
    raise OtherDeployment(
        f"{found.prefix}ledger.ownership_changed-{at.partition}: expected its last record to announce a row of this "
        f"database's journal, which ends at {at.journal_end}, got row {at.seq} at offset {at.offset}. The database is "
        "not the one that the topics were announced from, or an older state of it. Point FT_POSTGRES at that one "
        f"(`export FT_POSTGRES=…`); if it is lost, `ft restore --as-it-stands` goes on from this state. {_ASK}"
    )


def _check_epoch(stored: Deployment, told: Deployment) -> None:
    if stored.epoch < told.epoch:
        raise OtherDeployment(
            f"the database is that of {stored}, of epoch {stored.epoch}: expected epoch {told.epoch}, which its topic "
            "says. The database is likely an older state: point at the newer one (`export FT_POSTGRES=…`). Where this "
            "is the one to go on with, and a restore into another one has taken its topics: stop whatever runs on "
            f"that one, and `ft restore --as-it-stands` goes on from this state. {_ASK}"
        )
    if stored.epoch > told.epoch:
        raise OtherDeployment(
            f"the database is that of {stored}, of epoch {stored.epoch}: expected its topic to say so, got epoch "
            f"{told.epoch}. Kafka likely holds an older state: start it with the data it had. {_ASK}"
        )
