"""A domain is one declaration: what does not fit is refused with its name, and what fits is known everywhere."""

import json
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

import pytest

from ft.config import Config
from ft.errors import ConfigError, SchemaError
from ft.schemas import domains
from ft.schemas.codec import schema_text
from ft.schemas.domains import Domain
from ft.sql.queries import load_of, named, schemas
from ft.sql.scripts import scripts
from ft.streams.kafka.topics import Topics
from ft.streams.worker.watch import consumers
from tests import sample_domain, sample_reader
from tests.sample_domain import DOMAIN, REACHED


@pytest.fixture(autouse=True)
def _declared_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares is gone after it."""
    monkeypatch.setattr(domains, "_declared", {})


def thing(**fields: str) -> dict[str, Any]:
    """An Avro schema."""
    return {"type": "record", "name": "Thing", "fields": [{"name": n, "type": of} for n, of in fields.items()]}


def declare(monkeypatch: pytest.MonkeyPatch, domain: Any) -> None:
    module = ModuleType("declared_by_a_test")
    if domain is not None:
        module.DOMAIN = domain  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "declared_by_a_test", module)
    domains.declare(["declared_by_a_test"])


def test_a_domain_of_the_environment_is_an_agent_a_schema_topics_and_consumers() -> None:
    config = Config.from_env({"FT_DOMAINS": "tests.sample_domain"})

    assert config.agents == {*domains.SPINE, "sample"}
    assert config.environ()["FT_DOMAINS"] == "tests.sample_domain"
    assert Topics("p.").records([])[f"p.{REACHED}"] == REACHED
    assert f"p.{REACHED}" in Topics("p.").partitioned
    assert '"MilestoneReached"' in schema_text(REACHED)
    assert schemas()[-1] == "sample"
    assert named("SELECT * FROM sample.received", "again") == "SELECT * FROM sample_again.received"
    assert [name for name, _ in scripts()][-3:-1] == ["sample/schema", "sample/0001"]
    assert {"sample", "sample.heads"} <= set(consumers())


def test_one_domain_alone_can_be_run() -> None:
    assert Config.from_env({"FT_DOMAINS": "tests.sample_domain", "FT_AGENTS": "sample"}).agents == {"sample"}


def test_without_it_the_environment_knows_the_spine_alone() -> None:
    with pytest.raises(ConfigError, match=r"FT_AGENTS: expected some of normalize, .*, got sample"):
        Config.from_env({"FT_AGENTS": "sample"})
    with pytest.raises(SchemaError):
        schema_text("sample.milestone_lost")


def test_a_module_that_is_not_there_is_told_with_where_to_look() -> None:
    with pytest.raises(ConfigError, match=r"FT_DOMAINS: .* got 'no\.such'.* PYTHONPATH"):
        Config.from_env({"FT_DOMAINS": "no.such"})


def test_how_lines_are_written_does_not_hang_on_domains() -> None:
    """It is read to tell of a setting that is wrong."""
    assert Config.of_logs({"FT_DOMAINS": "no.such"}).domains == ()


@pytest.mark.parametrize(
    ("domain", "error"),
    [
        (None, "expected modules that declare a DOMAIN"),
        ("sample", "expected a Domain, got str"),
        (replace(DOMAIN, name="Sample"), "expected a word of lower-case letters"),
        (replace(DOMAIN, name="ledger"), "that is none of"),
        (replace(DOMAIN, name="system"), "that is none of"),
        (replace(DOMAIN, announces={"other.thing": DOMAIN.announces[REACHED]}), "topics that begin with sample"),
        (replace(DOMAIN, announces={"sample.thing": thing()}), r"missing: \['prev_seq', 'seq'\]"),
        (replace(DOMAIN, announces={"sample.thing": thing(seq="string", prev_seq="long")}), r"missing: \['seq'\]"),
        (replace(DOMAIN, announces={"sample.thing": thing(seq="lang")}), "sample.thing: expected an Avro schema"),
        (replace(DOMAIN, announces={"sample.thing": {}}), "sample.thing: expected an Avro schema"),
        (replace(DOMAIN, subscribers=(object,)), "what docs/adding-a-domain.md says of a declaration"),
        (
            replace(DOMAIN, subscribers=cast("Any", sample_domain.Received)),
            "what docs/adding-a-domain.md says of a declaration",
        ),
        (replace(DOMAIN, subscribers=(type("S", (), {"consumer": "ledger"}),)), "consumers called sample"),
        (replace(DOMAIN, subscribers=(type("S", (), {"consumer": "sample.heads"}),)), "other than heads"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused(domain: Any, error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=error):
        declare(monkeypatch, domain)
    assert domains.declared() == ()


def test_a_name_that_another_module_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Domain(name="small"))

    with pytest.raises(ConfigError, match=r"domain 'small' .* expected a name of its own"):
        declare(monkeypatch, Domain(name="small"))


def test_two_readers_do_not_share_a_schema_in_postgres(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(consumer: str, topic: str) -> Any:
        return type("R", (sample_reader.Logs,), {"consumer": consumer, "topic": topic})

    declare(monkeypatch, Domain(name="one", readers=(reader("one.two", "one.read"),)))

    with pytest.raises(ConfigError, match=r"one_two_chain is that of one\.two"):
        declare(monkeypatch, Domain(name="one_two", readers=(reader("one_two", "one_two.read"),)))


def test_the_smallest_domain_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Domain(name="small"))

    assert [domain.name for domain in domains.declared()] == ["small"]


def test_a_chain_readers_topic_has_the_envelope_of_the_ledgers_and_its_own_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(monkeypatch, sample_reader.DOMAIN)

    fields = {field["name"]: field["type"] for field in json.loads(schema_text(sample_reader.COUNTED))["fields"]}
    ledgers = json.loads(schema_text("normalized_batch"))["fields"]
    assert {f["name"]: f["type"] for f in ledgers if isinstance(f["type"], str)}.items() <= fields.items()
    assert [field["name"] for field in fields["events"]["items"]["fields"]] == ["contract", "logs"]
    assert domains.declared()[0].reading == ("logs",)
    assert {"logs", "logs_chain"} <= set(schemas())
    assert "logs" in consumers()
    assert "logs.heads" not in consumers()
    chain = dict(scripts())["logs/chain of logs"]
    assert "CREATE TABLE logs_chain_new.heads (LIKE ingest_new.heads INCLUDING ALL)" in named(chain, "new")
    assert "SCHEMA logs_chain_new" in named(chain, "new")
    assert "FROM logs_chain.heads " in load_of("chain_reader", "logs_chain")["head"]
