"""The topic table is what keccak says it is."""

import pytest

from ft.agents.decode.topics import EVENT_TOPICS, EventTopic
from ft.schemas.keccak import keccak


@pytest.mark.parametrize("event", EVENT_TOPICS, ids=lambda event: event.name)
def test_a_topic_is_the_keccak_of_its_signature(event: EventTopic) -> None:
    computed = keccak(event.signature.encode()).hex()

    assert event.topic0 == f"0x{computed}"


@pytest.mark.parametrize("event", EVENT_TOPICS, ids=lambda event: event.name)
def test_a_signature_begins_with_its_event_name(event: EventTopic) -> None:
    name = event.signature.partition("(")[0]

    assert event.name.startswith(name)


def test_no_topic_and_no_name_comes_twice() -> None:
    assert len({event.topic0 for event in EVENT_TOPICS}) == len(EVENT_TOPICS)
    assert len({event.name for event in EVENT_TOPICS}) == len(EVENT_TOPICS)
