"""Kafka's own word on who reads: the members of a deployment's consumer groups.

A database knows its own workers. Those of the same deployment on another database are known to Kafka alone.
"""

from typing import Any, Final

from confluent_kafka import KafkaException

from ft.config import Config
from ft.errors import BrokerUnavailable
from ft.streams.kafka.admin import Admin

_TIMEOUT_S: Final = 15.0


def readers(config: Config) -> list[str]:
    """Workers that are members of a group under the prefix, in words; one that was killed, until its session is over.

    Raises BrokerUnavailable. Blocking.
    """
    admin, own = Admin(config), f"{config.topic_prefix}ft"
    try:
        listed = admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S)
        if listed.errors:  # a broker that does not say which it knows
            raise listed.errors[0]
        names = sorted(each.group_id for each in listed.valid if _is_own(each.group_id, own))
        if not names:
            return []
        asked = admin.describe_consumer_groups(names, request_timeout=_TIMEOUT_S)
        return [said for name in names for said in _members(asked[name].result(_TIMEOUT_S))]
    except KafkaException as exc:
        raise BrokerUnavailable(f"Kafka at {config.kafka}: its groups: {exc.args[0].str()}{admin.why()}") from exc
    except TimeoutError as exc:
        raise BrokerUnavailable(f"Kafka at {config.kafka}: its groups: no answer{admin.why()}") from exc


def _is_own(group: str, own: str) -> bool:
    """Of all agents, or of a selection of them (``app.group_of``)."""
    return group == own or group.startswith(f"{own}-")


def _members(group: Any) -> list[str]:
    return sorted(f"{each.client_id} at {each.host} (group {group.group_id})" for each in group.members)
