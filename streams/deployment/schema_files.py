"""What an operator does with the schema ids of a deployment: a file of them, giving them back, comparing them."""

from dataclasses import dataclass
from pathlib import Path

from ft.config import Config
from ft.errors import ConfigError, SchemaError
from ft.schemas.registered import Agreement, Registered, contradictions, file_of, of_file, unkept
from ft.streams.deployment.comparing import stored_id, whose_topics
from ft.streams.deployment.identity import OtherDeployment, other_ids
from ft.streams.deployment.schema_ids import Schemas
from ft.streams.kafka.registry_ids import Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """``ids``: how many there are; ``lost``: those that the registry had not; ``kept``: rows new to the database."""

    ids: int
    lost: list[int]
    kept: int = 0


def exported(config: Config) -> tuple[str, int]:
    """The file's text, and how many ids are in it. Raises ConfigError where none is kept, DatabaseUnavailable."""
    with whose_topics(config), Schemas(config) as schemas:
        kept = _some(schemas)
    return file_of(stored_id(config) or "", kept), len({row.id for row in kept})


def checked(config: Config) -> Agreement:
    """What the registry says of all that is kept.

    Raises ConfigError where nothing is, DatabaseUnavailable, RegistryUnavailable.
    """
    with (
        whose_topics(config),
        Schemas(config) as schemas,
        Ids(config.schema_registry, config.registry_security) as ids,
    ):
        return ids.agreement(_some(schemas))


def put_back(config: Config, path: Path | None, *, dry_run: bool) -> PutBack:
    """Give the registry back what the database keeps, and what the file has.

    1. the file is of this deployment, and says nothing else than the database
    2. the registry says nothing else, and gets what it lost
    3. the database keeps what only the file had, if it is migrated

    Raises SchemaError for a file that is none, OtherDeployment, RegistryUnavailable, ServerError, DatabaseUnavailable.
    """
    rows = _of(config, path) if path is not None else []
    with Schemas(config) as schemas:
        if found := contradictions([*schemas.kept, *rows]):  # 1
            raise OtherDeployment(
                f"{path}: expected the ids that the database keeps, got another meaning: {found[0]}. The file is "
                "likely of another deployment. Nothing was changed."
            )
        both = sorted({*schemas.kept, *rows})
        with Ids(config.schema_registry, config.registry_security) as ids:  # 2
            agreement = ids.agreement(both)
        if agreement.different:
            raise OtherDeployment(other_ids(agreement.url, agreement.ids, agreement.different))
        if dry_run:
            return PutBack(ids=agreement.ids, lost=agreement.lost_ids)
        lost = schemas.restore(rows)
        new = unkept(schemas.kept, rows)
        if new and schemas.keeps:  # 3
            schemas.keep(new)
        return PutBack(ids=agreement.ids, lost=lost, kept=len(new) if schemas.keeps else 0)


def _some(schemas: Schemas) -> list[Registered]:
    if not schemas.kept:
        raise ConfigError("the database keeps no schema: expected those of a deployment. Run `ft migrate`.")
    return list(schemas.kept)


def _of(config: Config, path: Path) -> list[Registered]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise SchemaError(f"{path}: expected a file that `ft schemas export` has written, got: {exc}") from exc
    deployment, rows = of_file(text, str(path))
    stored = stored_id(config)
    if deployment and stored and deployment != stored:
        raise OtherDeployment(
            f"{path}: expected schemas of deployment {stored}, which the database is of, got those of {deployment}. "
            "FT_POSTGRES is likely wrong, or the file is another deployment's. Nothing was changed."
        )
    return rows
