"""Logs and metrics: JSON lines on standard error, Prometheus counters in the process.

Set up by cli and app, called by everyone. No number, code or key ever goes in; labels come from closed lists.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

log = structlog.get_logger()
# The id of the request that is being answered, or that began what is being done.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# The variable in which prometheus_client expects the folder for several workers' metrics.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

# When each counter began: as many lines again, and nothing reads them.
disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client's own

# docs/metrics.md lists them all, for operators.
REQUESTS = Counter("verify_http_requests", "Replies by route and status.", ["route", "status"])
SECONDS = Histogram(
    "verify_http_request_duration_seconds",
    "Time to reply, by route.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CONNECTIONS = Gauge("verify_http_connections", "Open connections.", multiprocess_mode="livesum")
CONNECTIONS_CLOSED = Counter(
    "verify_http_connections_closed",
    "Connections that the gateway closed: crowded, refused, slow or unread.",
    ["why"],
)
SENDS = Counter("verify_sends", "Sends by channel and how they ended.", ["channel", "provider", "outcome"])
SEND_SECONDS = Histogram(
    "verify_send_duration_seconds",
    "Time from a request or fallback to the end of its send.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
GUESSES = Counter("verify_guesses", "Guesses by how they ended.", ["outcome"])
FINDINGS = Counter("verify_findings", "Findings of rules, by rule and mode.", ["rule", "mode"])
DECISIONS = Counter("verify_decisions", "Decisions of requests, by client and country.", ["client", "country"])
OBJECTIONS = Counter(
    "verify_objections",
    "Findings in decisions of requests, by client, country, rule and mode.",
    ["client", "country", "rule", "mode"],
)
CAPTCHAS = Counter("verify_captchas", "Captchas that were verified, by result.", ["outcome"])
CHALLENGES = Counter(
    "verify_challenges",
    "Requests that needed a captcha because of an alarm, by client: required or passed.",
    ["client", "outcome"],
)
COUNTRY_ALARM_OPEN = Gauge(
    "verify_country_alarm_open",
    "1 while a country's incident is open, by kind.",
    ["kind", "country"],
    multiprocess_mode="livemax",
)
LOOKUPS = Counter("verify_lookups", "Number look-ups at Telnyx, by line type, or missed.", ["kind"])
WEBHOOKS = Counter("verify_webhooks", "Webhooks by outcome.", ["outcome"])
CALLBACKS = Counter("verify_callbacks", "Attempts to bring a callback to its receiver, by how they ended.", ["outcome"])
ALERTS = Counter("verify_alerts", "Incidents that this process reported, by kind: began and ended.", ["kind", "event"])
ALERT_OPEN = Gauge("verify_alert_open", "1 while an incident is open, by kind.", ["kind"], multiprocess_mode="livemax")
BACKLOG = Gauge(
    "verify_backlog_seconds", "How long the oldest due verification has waited.", multiprocess_mode="livemax"
)
BREAKER = Gauge(
    "verify_provider_open", "1 while requests are refused because Telnyx is down.", multiprocess_mode="livemax"
)
PROFILE_OPEN = Gauge(
    "verify_profile_open",
    "1 while a client's requests are refused because Telnyx accepts nothing for its Verify profile.",
    ["client"],
    multiprocess_mode="livemax",
)
SLOTS = Gauge("verify_dispatch_slots_free", "Dispatch slots that are free.", multiprocess_mode="livesum")

# Finding a metric by its labels costs more than counting. Of these there are few, and each is counted often.
requests_of, seconds_of = cache(REQUESTS.labels), cache(SECONDS.labels)
sends_of, guesses_of, decisions_of = cache(SENDS.labels), cache(GUESSES.labels), cache(DECISIONS.labels)


class Workers(Collector):
    """Sums the metrics of all workers, without the gauges of those that have died."""

    def collect(self) -> Iterable[Metric]:
        """Read what the workers have written."""
        for path in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                mark_process_dead(pid)
        collected: Iterable[Metric] = MultiProcessCollector(None).collect()
        return collected


def registry() -> CollectorRegistry:
    """Return what to expose: this process's metrics, or those of all workers if there are several."""
    if FOLDER not in os.environ:
        return REGISTRY
    collected = CollectorRegistry()
    collected.register(Workers())
    return collected


def render_metrics() -> bytes:
    """Return the metrics in Prometheus' text format."""
    return generate_latest(registry())


def configure_logs(level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        _name_request,
        structlog.processors.add_log_level,
        _note_time,
        _name_exception,
    ]
    structlog.configure(
        processors=[*shared, _render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    foreign = [_keep_first_line, *shared]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=_render_text, foreign_pre_chain=foreign))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _keep_first_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep only the first line of a library's message; asyncio's goes on with the exception's text."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _name_request(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (request := request_id.get()) is not None:
        event.setdefault("request", request)
    return event


def _note_time(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = datetime.now(UTC)  # written with the rest, in RFC 3339
    return event


def _name_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep an exception's type and place, not its text, which can repeat its input."""
    found = event.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        event["where"] = _place(error)
    return event


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if "service" in code.co_filename:
            place = f"{code.co_filename.rsplit('service', 1)[-1]}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return place


def _render(_: object, __: str, event: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _render_text(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return msgspec.json.encode(event, enc_hook=str).decode()
