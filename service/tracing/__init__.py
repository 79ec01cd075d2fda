"""Traces: spans of what this process does, sent to a collector where OTEL_EXPORTER_OTLP_ENDPOINT names one.

Used by whatever makes a span; started by app. Where no collector is named nothing is imported, and a span is one shared
object that does nothing. No number, code, key or text of a stranger ever goes in: `sdk` exports only names that it
knows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar, cast

from service.errors import SettingsError

A = TypeVar("A")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"
PACKAGES = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.instrumentation.asgi")
# Seconds that a stop waits for the last spans to be taken.
STOP_LIMIT = 5.0

# A span's place: its trace and its own id, 24 bytes. Only of traces that are sampled.
Place = bytes
NOTHING: AbstractContextManager[None] = nullcontext()


class Called(Protocol):
    """A call to the outside that is in a trace. `headers` tell the other side its place there."""

    headers: Mapping[str, str]

    def note(self, end: int | str) -> None:
        """Note how it ended: with a status, or with our word for having got none."""


class Tracer(Protocol):
    """What makes spans, once it is started."""

    def span(self, name: str, parent: Place | None, noted: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Make one under `parent`, or else under the current one."""

    def note(self, noted: Mapping[str, Any]) -> None:
        """Add to what is known of the current span."""

    def name(self, method: str, route: str) -> None:
        """Name the current span after a route."""

    def place(self) -> Place | None:
        """Return the current span's place, if its trace is sampled."""

    def wrap(self, app: Any) -> Any:
        """Make a span of each request to an ASGI app."""

    def call(self, method: str, url: str) -> AbstractContextManager[Called]:
        """Make a span of a call to the outside."""

    async def stop(self) -> None:
        """Send the last spans."""


_tracer: Tracer | None = None


def is_wanted() -> bool:
    """Return whether the environment names a collector for traces."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() or "otlp"
    return exporter != "none" and any(os.environ.get(name, "").strip() for name in ENDPOINTS)


def check() -> None:
    """Raise SettingsError if a collector is named and cannot be spoken to: before anything listens."""
    if not is_wanted():
        return
    said = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), SPOKEN)
    if said != SPOKEN:
        raise SettingsError(f"{PROTOCOLS[1]}: only {SPOKEN} is spoken here (a collector's port 4318).")
    if not all(find_spec(name) for name in PACKAGES):
        raise SettingsError(f"{ENDPOINTS[1]} is set, which needs verify-gateway[otel] to be installed.")


def start() -> None:
    """Start, where a collector is named; once a process. Raises as `check`."""
    global _tracer  # noqa: PLW0603 (a process has one collector)
    if _tracer is None and is_wanted():
        check()
        _tracer = cast("Tracer", import_module("service.tracing.sdk").make_tracer())


async def stop() -> None:
    """Send the last spans, and make no more."""
    global _tracer
    if _tracer is not None:
        tracer, _tracer = _tracer, None
        await tracer.stop()


def is_on() -> bool:
    return _tracer is not None


def span(name: str, parent: Place | None = None, **noted: Any) -> AbstractContextManager[None]:
    """Make a span of what is done inside. Only names that `sdk` knows may be noted."""
    return NOTHING if _tracer is None else _tracer.span(name, parent, noted)


def note(**noted: Any) -> None:
    """Note more of the current span."""
    if _tracer is not None:
        _tracer.note(noted)


def name_request(method: str, route: str) -> None:
    """Name the current request's span, once its route is known."""
    if _tracer is not None:
        _tracer.name(method, route)


def find_place() -> Place | None:
    """Return where this is in a trace that is sampled; None in no trace, or where nobody wants to see it."""
    return None if _tracer is None else _tracer.place()


def wrap(app: A) -> A:
    """Make a span of each request to an app."""
    return app if _tracer is None else cast("A", _tracer.wrap(app))


def call(method: str, url: str) -> AbstractContextManager[Called] | None:
    """Make a span of a call to the outside; None where nobody wants to see it."""
    return None if _tracer is None else _tracer.call(method, url)
