"""deploy/: names and settings are those of the code. No engine runs here, so nothing more is proven."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from click import Command, Context, Group
from prometheus_client import Gauge

from ft.api.http.middleware import ApiMetrics
from ft.cli import commands
from ft.config import SERVERS, Config
from ft.embedded import kafka, registry
from ft.networks import load_networks
from ft.providers import variable
from ft.telemetry import metrics
from tests.unit.pages import CHECKOUT
from tests.unit.test_docs import known_options

DEPLOY = CHECKOUT / "deploy"
# They depend on the machine: where it listens, where its data are.
OF_THE_PLACE = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs", "node.id"}
_FUNCTIONS = {
    "absent", "by", "changes", "delta", "deriv", "histogram_quantile", "max", "max_over_time", "min_over_time", "on",
    "rate", "sum", "and", "le", "or", "unless",
}  # fmt: skip


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def services() -> dict[str, Any]:
    found: dict[str, Any] = load("compose.yaml")["services"]
    return found


def metric_names() -> set[str]:
    worker = {gauge._name for gauge in vars(metrics).values() if isinstance(gauge, Gauge)}
    api = ApiMetrics()
    api.begin()
    api.end("GET", "/health", 500, 0.1)
    worker.add("process_start_time_seconds")  # of every process, by Prometheus' own client
    return worker | {line.split("{")[0].split(" ")[0] for line in api.text().decode().splitlines() if line[0] != "#"}


def labels() -> set[str]:
    worker = {label for gauge in vars(metrics).values() if isinstance(gauge, Gauge) for label in gauge._labelnames}
    return worker | {"route", "status", "method", "instance", "job"}


def unknown_words(expression: str) -> set[str]:
    """What an expression names that is no function, label or metric."""
    words = set(re.findall(r"[a-z_]{2,}", re.sub(r'"[^"]*"|\[\w+\]', "", expression)))
    return words - _FUNCTIONS - labels() - metric_names()


def test_every_alert_asks_for_metrics_that_exist() -> None:
    rules = [rule for group in load("alerts.yml")["groups"] for rule in group["rules"]]

    assert {rule["alert"]: words for rule in rules if (words := unknown_words(rule["expr"]))} == {}
    assert {"DeadLetters", "OutboxStuck", "IngestBehind", "CrashLoop", "FinalityContradicted"} <= {
        rule["alert"] for rule in rules
    }


def test_every_panel_asks_for_metrics_that_exist() -> None:
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    asked = [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]

    assert {title: words for title, expression in asked if (words := unknown_words(expression))} == {}


def test_every_metric_of_a_worker_but_the_stubs_is_on_the_dashboard() -> None:
    text = (DEPLOY / "dashboard.json").read_text()
    worker = {gauge._name for gauge in vars(metrics).values() if isinstance(gauge, Gauge)}

    assert {name for name in worker if name not in text} == {"stub_assets_total"}


def test_every_setting_of_a_container_is_one_of_the_code() -> None:
    known = {*Config.from_env({"FT_HOME": "x"}).environ(), *SERVERS, *map(variable, load_networks())}
    ours = {name: body for name, body in services().items() if body.get("image") == "ft"}

    assert set(ours) == {"migrate", "worker", "ingest", "api"}
    assert {name: odd for name, body in ours.items() if (odd := set(body["environment"]) - known)} == {}
    image = re.findall(r"\b(FT_\w+)=", (DEPLOY / "Dockerfile").read_text())
    assert set(image) <= known


def test_a_containers_settings_can_be_read() -> None:
    environment = services()["worker"]["environment"]

    config = Config.from_env({"FT_HOME": "x", **environment})

    assert (config.metrics_port, config.web_bind) == (9300, "0.0.0.0")
    assert config.schema_registry.endswith(registry.API)


@pytest.mark.parametrize("service", ["migrate", "ingest", "api"])
def test_a_containers_command_is_one_of_ours(service: str) -> None:
    program, name, *words = services()[service]["command"]

    assert isinstance(commands, Group)
    command = commands.get_command(Context(commands), name)
    assert program == "ft"
    assert isinstance(command, Command)
    assert {word for word in words if word.startswith("--")} <= known_options(command)


def test_kafka_has_the_settings_of_the_embedded_one() -> None:
    filled = kafka._PROPERTIES.format(
        listeners="", controller_port=0, data="", message_bytes_max=kafka.MESSAGE_BYTES_MAX,
        fetch_bytes_max=kafka._REQUEST_BYTES_MAX,
    )  # fmt: skip
    embedded = dict(line.split("=", 1) for line in filled.splitlines() if line)
    given = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in services()["kafka"]["environment"].items()
    }

    assert set(embedded) <= set(given)
    assert {name: given[name] for name in embedded if name not in OF_THE_PLACE} == {
        name: value for name, value in embedded.items() if name not in OF_THE_PLACE
    }


def test_the_servers_are_of_the_versions_of_the_embedded_ones() -> None:
    image = {name: str(services()[name]["image"]) for name in ("kafka", "postgres", "registry")}
    locked = {name: (CHECKOUT / "ft" / "embedded" / f"{name}.lock.toml").read_text() for name in ("kafka", "registry")}

    assert f'version = "{image["kafka"].rpartition(":")[2]}"' in locked["kafka"]
    assert f'version = "{image["registry"].rpartition(":")[2]}"' in locked["registry"]
    assert image["postgres"].endswith(":pg18")


def test_every_file_that_a_container_mounts_is_here() -> None:
    mounts = [volume for body in services().values() for volume in body.get("volumes", ())]

    assert [mount for mount in mounts if mount[0] == "." and not (DEPLOY / mount.split(":")[0]).is_file()] == []
    assert [name for name in load("prometheus.yml")["rule_files"] if not (DEPLOY / name).is_file()] == []
    scraped = {name for job in load("prometheus.yml")["scrape_configs"] for name in job["dns_sd_configs"][0]["names"]}
    assert scraped <= set(services())


def test_the_image_copies_what_there_is() -> None:
    kept = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]

    assert [name for name in kept if not (CHECKOUT / name).exists()] == []
    assert {path.resolve().name for path in (CHECKOUT / "ft").iterdir() if path.is_symlink()} <= set(kept)


_ALONE = """
import re, sys
from importlib.metadata import packages_distributions
locked = {re.sub("[-_.]+", "-", name).lower() for name in sys.argv[1].split()} | {"ft-supply"}
owners = {top: {re.sub("[-_.]+", "-", each).lower() for each in of} for top, of in packages_distributions().items()}
class OnlyLocked:
    def find_spec(self, name, path=None, target=None):
        if not owners.get(name.split(".")[0], locked) & locked:
            raise ModuleNotFoundError(f"{name} is not in requirements-run.lock", name=name)
sys.meta_path.insert(0, OnlyLocked())
import ft.agents.pipeline, ft.api.server, ft.streams.ingest.jobs, ft.streams.deployment.provision
import ft.streams.sources.evm.source
import ft.ops.verify.run, ft.cli.status, ft.cli.status_pipeline
from ft.streams.kafka.registry import Registry
Registry("http://127.0.0.1:9").close()
"""


def test_the_locked_dependencies_are_all_that_a_deployed_process_imports(tmp_path: Path) -> None:
    lock = (CHECKOUT / "requirements-run.lock").read_text()
    locked = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)

    done = subprocess.run(
        [sys.executable, "-c", _ALONE, " ".join(locked)],
        cwd=CHECKOUT,
        env={"FT_KAFKA": "127.0.0.1:9", "FT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
