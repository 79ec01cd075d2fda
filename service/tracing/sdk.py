"""OpenTelemetry's SDK, set up by its own variables; the only module that imports it.

Imported only where a collector is named, by the package that it is in. What instrumentations note of a request (paths,
queries, headers, texts of errors) is a stranger's: nothing leaves but the names below.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.http import sanitize_method

from service.tracing import STOP_LIMIT, Place

NAME = "verify-gateway"
# The words for HTTP that are stable by now; the instrumentations still begin with the old ones.
CONVENTIONS = "OTEL_SEMCONV_STABILITY_OPT_IN"
# Everything that may leave. Of a URL only the host: in Telnyx's paths there are numbers, in strangers' anything.
ALLOWED = frozenset({
    "http.request.method", "http.response.status_code", "http.route", "error.type", "server.address", "server.port",
    "network.protocol.version",
})  # fmt: skip
OURS = "verify."
UNWATCHED = r"/(healthz|readyz|metrics)(\?|$)"
TRACE_BYTES, SPAN_BYTES = 16, 8
# The lowest status of an answer that is a caller's failure.
FAILURE = 400


class Filter(SpanExporter):
    """Passes spans on without what may hold a stranger's text."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what is left of them."""
        return self._exporter.export([_clean(span) for span in spans])

    def shutdown(self) -> None:
        """Stop; a try that is waiting for the next one is given up."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class TraceParent(TraceContextTextMapPropagator):
    """W3C's traceparent alone: a tracestate is a text of whoever calls, and would go on to Telnyx."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Read the caller's place in their trace."""
        found = trace.get_current_span(super().extract(carrier, context, getter)).get_span_context()
        return _context_of(found.trace_id, found.span_id, found.trace_flags) if found.is_valid else context or Context()


class SdkCall:
    """The current span, of a call; see `Called`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.headers: dict[str, str] = {}
        propagate.inject(self.headers)

    def note(self, end: int | str) -> None:
        if isinstance(end, int):
            self._span.set_attribute("http.response.status_code", end)
        if isinstance(end, str) or end >= FAILURE:
            self._span.set_attribute("error.type", str(end))
            self._span.set_status(trace.StatusCode.ERROR)


class SdkTracer:
    """Makes spans; see `Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAME)

    def span(self, name: str, parent: Place | None, noted: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Make one. Under another request's span than the current one, each has a link to the other."""
        return self._make(name, parent, {f"{OURS}{key}": value for key, value in noted.items()})

    @contextmanager
    def _make(self, name: str, parent: Place | None, attributes: Mapping[str, Any]) -> Iterator[None]:
        here = trace.get_current_span()
        context: Context | None = None
        links: list[trace.Link] = []
        if parent is None and not here.get_span_context().is_valid:
            # Only requests begin traces: what goes on with one that is not sampled or not known begins none.
            made = RandomIdGenerator()
            context = _context_of(made.generate_trace_id(), made.generate_span_id(), trace.TraceFlags())
        elif parent is not None:
            ids = int.from_bytes(parent[:TRACE_BYTES]), int.from_bytes(parent[TRACE_BYTES:])
            context = _context_of(*ids, trace.TraceFlags(trace.TraceFlags.SAMPLED))
            if here.get_span_context().is_valid and here.get_span_context().span_id != ids[1]:
                links = [trace.Link(here.get_span_context())]
                here.add_link(trace.get_current_span(context).get_span_context())
        with self._tracer.start_as_current_span(name, context, attributes=attributes, links=links):
            yield

    def note(self, noted: Mapping[str, Any]) -> None:
        trace.get_current_span().set_attributes({f"{OURS}{key}": value for key, value in noted.items()})

    def name(self, method: str, route: str) -> None:
        here = trace.get_current_span()
        here.update_name(f"{sanitize_method(method)} {route}")
        here.set_attribute("http.route", route)

    def place(self) -> Place | None:
        here = trace.get_current_span().get_span_context()
        if not here.is_valid or not here.trace_flags.sampled:
            return None
        return here.trace_id.to_bytes(TRACE_BYTES) + here.span_id.to_bytes(SPAN_BYTES)

    def wrap(self, app: Any) -> Any:
        # A span for each message of a request would say nothing more.
        return OpenTelemetryMiddleware(
            app, excluded_urls=UNWATCHED, default_span_details=lambda _: ("HTTP", {}),
            tracer_provider=self._provider, exclude_spans=["receive", "send"],
        )  # fmt: skip

    @contextmanager
    def call(self, method: str, url: str) -> Iterator[SdkCall]:
        """Make one of a call. Of its URL only the host may leave."""
        where = urlsplit(url)
        host = str(where.hostname)
        attributes: dict[str, str | int] = {"http.request.method": method, "server.address": host}
        if where.port is not None:
            attributes["server.port"] = where.port
        kind = trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(f"{method} {host}", kind=kind, attributes=attributes) as span:
            yield SdkCall(span)

    async def stop(self) -> None:
        """Send the last spans, for STOP_LIMIT at most, whatever the collector does."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._provider.shutdown()
            loop.call_soon_threadsafe(done.set)

        # Nobody waits for a daemon: a thread of asyncio's would keep the process until the collector answers.
        threading.Thread(target=flush, daemon=True).start()
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await done.wait()
        except TimeoutError:
            return


def make_tracer() -> SdkTracer:
    """Set the SDK up by its variables: sampler, batches, headers and time limits are read there."""
    os.environ.setdefault(CONVENTIONS, "http")
    propagate.set_global_textmap(TraceParent())
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": NAME}
    resource = Resource.create({"service.version": version(NAME)}).merge(Resource(named))
    # At the exit it would wait for the collector: `stop` has done so, and no longer than is good.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Filter(OTLPSpanExporter())))
    return SdkTracer(provider)


def _context_of(trace_id: int, span_id: int, flags: trace.TraceFlags) -> Context:
    place = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(place), Context())


def _clean(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if _may_leave(name)},
        links=[trace.Link(link.context) for link in span.links],
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _may_leave(name: str) -> bool:
    return name in ALLOWED or name.startswith(OURS)
