"""What processes say while a server is away, and what tells of them when they end again and again."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ft import children
from ft.children import FT, WORKER, Child
from ft.demo.node import ReplayNode, replaying
from ft.demo.recording import load_recording
from tests.acceptance.conftest import pipeline_of
from tests.acceptance.pipeline import START_S, Pipeline
from tests.integration.cuts.kafka import Acknowledgements, cutting_acknowledgements
from tests.rules import firing

NETWORK = "told"
_CLIENTS = ("aiokafka", "rdkafka", "mode")
_REACHING = re.compile(r"[Cc]onnect|not ready|metadata|timed? ?out")


@pytest.fixture(scope="module")
def behind(servers: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A pipeline whose broker can be made to go away, with a follower, and the node."""
    with ExitStack() as stack:
        made = stack.enter_context(pipeline_of(servers, tmp_path_factory.mktemp("behind"), (NETWORK,)))
        config, broker = stack.enter_context(cutting_acknowledgements(made.config))
        pipeline = Pipeline(replace(config, log_format="json"))
        stack.callback(pipeline.stop)
        pipeline.start()
        node = stack.enter_context(replaying(ReplayNode(load_recording(), step=40)))
        follower = pipeline.follow(NETWORK, node.url, first=0)
        pipeline.until(lambda: pipeline.raw_end(NETWORK) > 20, "the follower to write", START_S, [follower])
        yield pipeline, broker, follower


def said(process: Child) -> list[dict[str, Any]]:
    """Every line of its log; each must be one JSON object."""
    entries = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert [entry for entry in entries if not isinstance(entry, dict)] == []
    return entries


def events(process: Child) -> list[str]:
    return [entry["event"] for entry in said(process)]


def test_a_broker_that_is_away_is_a_line_and_another_one_when_it_is_back(
    behind: tuple[Pipeline, Acknowledgements, Child],
) -> None:
    pipeline, broker, follower = behind
    (worker,) = pipeline.workers
    before = {each.name: len(said(each)) for each in (worker, follower)}

    broker.away = True
    for each in (worker, follower):
        pipeline.until(lambda: "broker is away" in events(each), f"{each.name} to notice", 60, [each])  # noqa: B023
    broker.away = False
    for each in (worker, follower):
        pipeline.until(lambda: "broker is back" in events(each), f"{each.name} to go on", 60, [each])  # noqa: B023

    for each in (worker, follower):
        lines = said(each)[before[each.name] :]
        assert [line["event"] for line in lines if line["logger"] == "ft.telemetry.outage"] == [
            "broker is away",
            "broker is back",
        ]
        clients = [line for line in lines if line["logger"].split(".")[0] in _CLIENTS]
        assert [line for line in clients if _REACHING.search(line["event"])] == []
        assert len(clients) < 10
        (back,) = (line for line in lines if line["event"] == "broker is back")
        assert back["attempts"] >= 0


def test_a_worker_that_ends_again_and_again_is_told_of_by_one_that_runs(
    behind: tuple[Pipeline, Acknowledgements, Child],
) -> None:
    pipeline = behind[0]
    wrong = {"FT_TOPIC_PREFIX": "another."}

    def end(number: int) -> int:
        child = children.start(pipeline.config, f"loops-{number}", WORKER, environ=wrong)
        return child.wait(60)

    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(end, range(3)))
    pipeline.until(lambda: bool(firing("CrashLoop", [scraped(pipeline)])), "the metric")

    (alert,) = firing("CrashLoop", [scraped(pipeline)])
    answer = {reason["reason"]: reason["detail"] for reason in pipeline.get("status")["reasons"]}
    shown = status(pipeline)
    assert codes == [1, 1, 1]
    assert alert == {"role": "worker", "what": "ledger,normalize,project,publisher"}
    assert "crash_loop" in answer
    assert "identity" not in answer  # what is served is of one deployment: that worker was set otherwise
    assert "OtherDeployment" in answer["crash_loop"]
    assert "another." not in str(answer)
    assert f"attention: crash_loop: {answer['crash_loop'].rpartition(' by ')[0]}" in shown
    assert re.search(r"attention: crash_loop: worker .*FT_TOPIC_PREFIX is likely wrong", shown)


def test_a_consumer_that_fails_again_and_again_is_no_crash_loop() -> None:
    target = {"job": "ft-worker", "instance": "one"}
    text = 'process_failures{role="consumer",what="sample"} 3.0\n'

    assert firing("CrashLoop", [(target, text)]) == []
    assert firing("ConsumerFails", [(target, text)]) == [{"what": "sample"}]
    assert firing("ConsumerFails", [(target, text.replace("3.0", "2.0"))]) == []


def test_a_target_that_began_three_times_anew_is_a_crash_loop() -> None:
    tells = "import time; from ft.telemetry.metrics import exposition; print(exposition()[0].decode())"
    target = {"job": "ft-api", "instance": "api:8080"}

    def one() -> tuple[dict[str, str], str]:
        return target, subprocess.run([sys.executable, "-c", tells], capture_output=True, text=True, check=True).stdout

    scrapes = [one(), one(), one(), one()]

    assert firing("CrashLoop", scrapes) == [target]
    assert firing("CrashLoop", [scrapes[0], *scrapes[:3]]) == []
    assert firing("CrashLoop", [({**target, "job": "other"}, text) for _, text in scrapes]) == []


def test_ctrl_c_of_what_is_at_work_is_130_and_in_order(behind: tuple[Pipeline, Acknowledgements, Child]) -> None:
    pipeline, _, follower = behind
    worker = pipeline.workers.pop()

    for each in (follower, worker):
        each.kill(signal.SIGINT)
    codes = [each.wait(20) for each in (follower, worker)]

    assert codes == [130, 130]
    assert events(follower)[-1] == f"{NETWORK}: stopped"
    assert "worker stops" in events(worker)
    assert [line for line in said(worker) if "exception" in line] == []
    assert pipeline.sql("SELECT count(*) FROM system.workers") == [(0,)]
    assert pipeline.sql("SELECT count(*) FROM system.failures WHERE kind <> 'OtherDeployment'") == [(0,)]


def scraped(pipeline: Pipeline) -> tuple[dict[str, str], str]:
    """What the worker that runs tells Prometheus."""
    ((url,),) = pipeline.sql("SELECT metrics_url FROM system.workers")
    return {"job": "ft-worker", "instance": "worker"}, httpx.get(url).text


def status(pipeline: Pipeline) -> str:
    done = subprocess.run(
        [sys.executable, *FT, "status"], env=pipeline.environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
