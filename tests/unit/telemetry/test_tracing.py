"""Traces come from block hashes, and are recorded only where somebody listens."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ft.config import Config
from ft.telemetry import tracing

BLOCK = "0x" + "0123456789abcdef" * 4
TRACE = b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


@pytest.fixture
def spans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InMemorySpanExporter]:
    home = tmp_path_factory.mktemp("home")
    exporter = InMemorySpanExporter()
    tracing.start(Config(home=home, cache=home, addresses={}), "test", exporter)
    yield exporter
    tracing.stop()


def test_every_stage_makes_the_same_trace_of_a_block() -> None:
    assert tracing.traceparent(BLOCK) == TRACE


@pytest.mark.parametrize("block_hash", ["", "0x12", "g" * 64])
def test_a_hash_that_makes_no_trace_makes_none(block_hash: str) -> None:
    assert tracing.traceparent(block_hash) is None


def test_a_batch_is_one_span_in_each_of_its_blocks_traces(spans: InMemorySpanExporter) -> None:
    other = TRACE.replace(b"00-0", b"00-f")
    tracing.record("ledger", [TRACE, TRACE, other], 5, 9, records=3)
    tracing.stop()

    found = spans.get_finished_spans()
    assert [(s.name, s.start_time, s.end_time, dict(s.attributes or {})) for s in found] == [
        ("ledger", 5, 9, {"records": 3})
    ] * 2
    assert {f"{s.context.trace_id:032x}"[:2] for s in found if s.context} == {"01", "f1"}
    assert {s.parent.span_id for s in found if s.parent} == {0x0123456789ABCDEF}


def test_a_header_that_is_no_trace_is_passed_over(spans: InMemorySpanExporter) -> None:
    tracing.record("ledger", [b"\xff", b"00-zz-zz-01"], 5, 9)
    tracing.stop()

    assert spans.get_finished_spans() == ()


def test_without_a_collector_nothing_is_recorded(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    tracing.start(Config(home=home, cache=home, addresses={}), "test")

    tracing.record("ledger", [TRACE], 5, 9)
