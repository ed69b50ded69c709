"""Traces: an event is followed from its block to the projections by the ``traceparent`` header of every record.

The trace is derived from the block's hash, so every stage, also after a restart, names the same one without storing it
(W3C Trace Context, https://www.w3.org/TR/trace-context/). Spans are exported only where ``OTEL_EXPORTER_OTLP_ENDPOINT``
names a collector; without it nothing is recorded.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ft.config import Config

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

HEADER: Final = "traceparent"
_TRACE_DIGITS: Final = 48
_HEX: Final = re.compile(rf"[0-9a-f]{{{_TRACE_DIGITS}}}", re.ASCII)
_PROPAGATOR: Final = TraceContextTextMapPropagator()

_provider: "TracerProvider | None" = None


def traceparent(block_hash: str) -> bytes | None:
    """The trace that all records of a block belong to; None for a hash that is too short, or no hex."""
    found = _HEX.match(block_hash.removeprefix("0x").lower())
    if found is None:
        return None
    digits = found.group()
    return f"00-{digits[:32]}-{digits[32:]}-01".encode()


def start(config: Config, service: str, exporter: "SpanExporter | None" = None) -> None:
    """Record spans from here on, if the configuration names a collector, or to ``exporter`` (for tests).

    Only then is the SDK imported: it takes as long as a tenth of a worker's start.
    """
    global _provider
    if exporter is None and not config.otlp_endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    chosen = exporter or OTLPSpanExporter(endpoint=f"{config.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(chosen))
    _provider = provider


def stop() -> None:
    """Export what is waiting, and record no more."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def record(name: str, parents: Iterable[bytes], began_ns: int, ended_ns: int, **attributes: str | int) -> None:
    """One span a distinct trace among ``parents`` (``traceparent`` values); times are unix nanoseconds."""
    if _provider is None:
        return
    tracer = _provider.get_tracer("ft")
    for parent in set(parents):
        carrier: Mapping[str, str] = {HEADER: parent.decode("ascii", "replace")}
        context = _PROPAGATOR.extract(carrier)
        if not trace.get_current_span(context).get_span_context().is_valid:
            continue
        tracer.start_span(name, context, start_time=began_ns, attributes=attributes).end(ended_ns)
