"""The three servers as containers, where a Docker engine runs."""

from collections.abc import Mapping
from contextlib import ExitStack

_MESSAGE_BYTES_MAX = 64 << 20


def started(stack: ExitStack) -> Mapping[str, str]:
    """Start them for as long as ``stack`` is open; their addresses by setting."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.waiting_utils import wait_for_logs
    from testcontainers.kafka import KafkaContainer
    from testcontainers.postgres import PostgresContainer

    kafka = (
        KafkaContainer("confluentinc/cp-kafka:8.1.0")
        .with_kraft()
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_MESSAGE_MAX_BYTES", str(_MESSAGE_BYTES_MAX))
        .with_env("KAFKA_REPLICA_FETCH_MAX_BYTES", str(_MESSAGE_BYTES_MAX))
    )
    postgres = PostgresContainer("pgvector/pgvector:pg18", username="ft", password="ft", dbname="ft", driver=None)
    registry = DockerContainer("apicurio/apicurio-registry:3.3.3").with_exposed_ports(8080)
    for container in (kafka, postgres, registry):
        stack.enter_context(container)
    wait_for_logs(registry, "Listening on", timeout=60)
    return {
        "FT_KAFKA": kafka.get_bootstrap_server(),
        "FT_POSTGRES": postgres.get_connection_url(),
        "FT_POSTGRES_API_USERNAME": "ft_api",
        "FT_POSTGRES_API_PASSWORD": "ft_api",
        "FT_SCHEMA_REGISTRY": (
            f"http://{registry.get_container_host_ip()}:{registry.get_exposed_port(8080)}/apis/ccompat/v7"
        ),
    }
