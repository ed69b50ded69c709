"""The one error root, and the errors that more than one room raises.

A message says what was expected, what came, and what to do about it. Driver errors (Kafka, Postgres,
HTTP) are translated at the edge with ``raise ... from exc``.
"""

from typing import ClassVar, Final

INTERRUPTED: Final = 130
"""Exit code of whatever Ctrl-C (SIGINT) ends."""


class FtError(Exception):
    """The root of every error that ft raises on purpose.

    ``retryable`` says whether the same call may succeed later with nothing changed by the caller.
    """

    retryable: ClassVar[bool] = False


class ConfigError(FtError):
    """A setting, an environment variable or a configuration file is wrong; the message names the remedy."""


class ServerError(FtError):
    """An embedded or external server cannot be started or reached; the message names its log."""


class SchemaError(FtError):
    """A record or a schema is not what the registry and the code expect."""


class MalformedRecord(SchemaError):
    """The bytes of one Kafka record cannot be read; the record belongs in the dead letter topic."""


class DatabaseError(FtError):
    """Postgres refused; not worth a retry."""


class DatabaseUnavailable(DatabaseError):
    """Postgres is away, or gave up a transaction for reasons that pass."""

    retryable: ClassVar[bool] = True


class BrokerError(FtError):
    """Kafka refused; not worth a retry."""


class BrokerUnavailable(BrokerError):
    """Kafka is away for reasons that pass."""

    retryable: ClassVar[bool] = True


class Fenced(FtError):
    """Another process owns the partition now; this one must stop writing it."""


class OffsetMismatch(FtError):
    """The stored offsets do not belong to this Kafka log; the message names the remedy."""
