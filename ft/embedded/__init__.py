"""The servers of ``ft up``: a real Kafka, a real Postgres and a real schema registry, with no Docker.

``start(config)`` starts what does not run and answers the config with every address filled in; ``stop(config)``
stops exactly what it started; ``describe(config)`` tells how they are. A server whose address the environment
names (FT_KAFKA, FT_POSTGRES, FT_SCHEMA_REGISTRY) is somebody else's and left alone.
"""

from ft.embedded.lifecycle import remove, start, start_missing, stop
from ft.embedded.status import ServerStatus, describe

__all__ = ["ServerStatus", "describe", "remove", "start", "start_missing", "stop"]
