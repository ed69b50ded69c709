"""How long topics are kept: what somebody shortened is told, and heads of earlier versions go after a day."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from ft.config import Config
from ft.streams.deployment.provision import prepare
from ft.streams.kafka.retention import tell_changed_settings
from ft.streams.kafka.topics import Topics
from tests.topic_settings import change, setting


@pytest.fixture
def deployed(config: Config) -> Config:
    made = replace(config, partitions=2)
    prepare(made)
    return made


def keep(config: Config, topic: str, milliseconds: str) -> None:
    change(config, topic, "retention.ms", milliseconds)


def kept(config: Config, topic: str) -> str:
    return setting(config, topic, "retention.ms")


def test_topics_that_would_forget_are_told_with_the_remedy(deployed: Config) -> None:
    topics = Topics(deployed.topic_prefix)
    keep(deployed, topics.raw("polygon"), "86400000")

    with capture_logs() as lines:
        tell_changed_settings(deployed, topics, ["polygon", "ethereum"])

    [line] = lines
    assert (line["event"], line["topic"], line["got"]) == ("topic setting differs", topics.raw("polygon"), "86400000")
    assert "--add-config retention.ms=-1" in line["remedy"]


@pytest.mark.parametrize(("before", "after"), [("-1", "86400000"), ("3600000", "3600000")])
def test_heads_that_earlier_versions_kept_for_ever_go_after_a_day_unless_somebody_chose_a_time(
    deployed: Config, before: str, after: str
) -> None:
    topic = Topics(deployed.topic_prefix).finality
    keep(deployed, topic, before)

    prepare(deployed)

    assert kept(deployed, topic) == after
