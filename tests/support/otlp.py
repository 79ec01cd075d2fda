"""A collector that is really served: it takes spans by OTLP over HTTP, and remembers them.

Used by the tests of traces, and by the search for planted secrets.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.raw_http import RawRequest, serve_raw, write_reply
from tests.support.waiting import until


class Exported(NamedTuple):
    """One span as it came. Ids in hex; `links`: the spans to which it has one."""

    name: str
    trace: str
    id: str
    parent: str
    links: list[str]
    attributes: dict[str, Any]
    service: str


class Collector:
    """What came. With `hangs` set it takes connections, and answers nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.hangs = asyncio.Event()

    @property
    def spans(self) -> list[Exported]:
        return [span for body in self.bodies for span in _read(body)]

    @property
    def text(self) -> str:
        """Everything that came, as text."""
        return "\n".join(str(ExportTraceServiceRequest.FromString(body)) for body in self.bodies)

    def named(self, name: str) -> list[Exported]:
        return [span for span in self.spans if span.name == name]

    async def wait_for(self, *names: str) -> None:
        """Wait until spans of all these names came."""
        await until(lambda: set(names) <= {span.name for span in self.spans}, f"spans {names} came")


@asynccontextmanager
async def open_collector() -> AsyncIterator[Collector]:
    collector = Collector()

    async def respond(request: RawRequest, writer: asyncio.StreamWriter) -> None:
        if collector.hangs.is_set():
            await asyncio.sleep(600)
        collector.bodies.append(gzip.decompress(request.body) if request.body[:2] == b"\x1f\x8b" else request.body)
        writer.write(write_reply(200, b""))

    async with serve_raw(respond) as raw:
        collector.url = raw.url
        yield collector


def _read(body: bytes) -> Iterator[Exported]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Exported(
                name=span.name,
                trace=span.trace_id.hex(),
                id=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                links=[link.span_id.hex() for link in span.links],
                attributes={one.key: _value(one.value) for one in span.attributes},
                service=service,
            )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)
