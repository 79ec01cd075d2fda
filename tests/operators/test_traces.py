"""A collector sees one trace from a request to its check, in whatever process it goes on, and nobody's number."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service import tracing
from service.errors import SettingsError
from tests.support.commands import environment_with
from tests.support.gateway import ADDRESS, PHONE, Gateway, Process, read_code, run_gateway, run_process
from tests.support.otlp import Collector, Exported, open_collector
from tests.support.raw_http import RawRequest, RawServer, serve_raw, write_reply
from tests.support.telnyx_calls import write_event
from tests.support.waiting import until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{CALLER}-01"
UNSAMPLED = f"00-{TRACE}-{CALLER}-00"
IMPORTS = """
import sys
import service.app, service.cli.process.dispatching, service.cli.process.serving
from service import tracing
tracing.start()
with tracing.span("anything"):
    print([name for name in sys.modules if name.partition(".")[0] == "opentelemetry"])
"""
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


@asynccontextmanager
async def traced(database_url: str, **more: str) -> AsyncIterator[tuple[Gateway, Collector]]:
    """Stand everything up around a gateway that sends its spans to a collector; its processes are the test's to run."""
    async with open_collector() as collector, run_gateway(database_url, serve=False) as gateway:
        gateway.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} | QUICK | more
        yield gateway, collector


def children(collector: Collector, parent: Exported) -> set[str]:
    return {span.name for span in collector.spans if span.parent == parent.id}


async def request(process: Process, traceparent: str | None = None, **headers: str) -> str:
    more = headers | ({"traceparent": traceparent} if traceparent else {})
    body = {"phone_number": PHONE, "ip_address": ADDRESS}
    reply = await process.calls.call("POST", "/v1/verifications", body, **more)
    assert reply.status == 202
    return str(reply.body["id"])


async def report(gateway: Gateway, process: Process) -> None:
    """Have Telnyx's webhook tell that the newest send was delivered."""
    [sent] = gateway.telnyx.verifications.list_by_phone(PHONE)
    body = write_event(sent.id)
    headers = gateway.telnyx.signer.sign(body) | {"content-type": "application/json"}
    async with gateway.session.post(f"{process.calls.url}/webhooks/verify", data=body, headers=headers) as response:
        assert response.status == 200


@asynccontextmanager
async def overheard(gateway: Gateway) -> AsyncIterator[RawServer]:
    """Stand in for Telnyx with a server that shows the headers of what it is asked, and refuses everything."""

    async def refuse(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(400, b'{"errors": [{"code": "10015"}]}'))

    async with serve_raw(refuse) as raw:
        gateway.environment["TELNYX_BASE_URL"] = f"{raw.url}/v2"
        yield raw


def headers_of(raw: RawServer) -> dict[str, str]:
    """Return the headers of the first send."""
    lines = [one.partition(": ") for one in raw.requests[0].headers]
    return {name.lower(): value for name, _, value in lines}


async def test_a_trace_goes_from_a_request_over_another_process_and_telnyx_to_the_webhook_and_the_check(
    database_url: str,
) -> None:
    async with traced(database_url) as (gateway, collector):
        gateway.environment |= {"MAX_SENDS": "0", "OTEL_SERVICE_NAME": "answers"}
        async with run_process(gateway) as answers:
            verification = await request(answers, SAMPLED)
            await until(lambda: gateway.database.pool.fetchval("select count(*) from traces"), "its place is kept")
            gateway.environment |= {"MAX_SENDS": "10", "OTEL_SERVICE_NAME": "sends"}
            async with run_process(gateway, command="dispatch"):
                code = await read_code(gateway)
                await collector.wait_for("send")
            await report(gateway, answers)
            reply = await answers.calls.verify(verification, code)
            assert reply.body["verified"] is True
            await collector.wait_for("webhook", "check", "POST /v1/verifications/{verification_id}/verify")
        [asked] = collector.named("POST /v1/verifications")
        [send], [decide] = collector.named("send"), collector.named("decide")
        [webhook], [check] = collector.named("webhook"), collector.named("check")
        assert (asked.trace, asked.parent, asked.service) == (TRACE, CALLER, "answers")
        assert {one.trace for one in (send, decide, webhook, check)} == {TRACE}
        assert (send.parent, webhook.parent, check.parent) == (asked.id, asked.id, asked.id)
        assert (send.service, webhook.service, check.service) == ("sends", "answers", "answers")
        assert children(collector, send) == {"decide", "POST 127.0.0.1"}
        assert children(collector, check) == {"POST 127.0.0.1"}
        [call] = [one for one in collector.named("POST 127.0.0.1") if one.parent == send.id]
        assert call.attributes == {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": call.attributes["server.port"],
        }
        assert (send.attributes["verify.outcome"], send.attributes["verify.channel"]) == ("sent", "sms")
        assert (decide.attributes["verify.allow"], decide.attributes["verify.rules"]) == (True, ["no_event"])
        assert (webhook.attributes["verify.delivery"], check.attributes["verify.status"]) == ("delivered", "verified")
        # Each of the other two requests has a trace of its own, tied to this one in both directions.
        [told], [entered] = (
            collector.named("POST /webhooks/verify"),
            collector.named("POST /v1/verifications/{verification_id}/verify"),
        )
        assert (webhook.links, check.links, entered.links) == ([told.id], [entered.id], [asked.id])


async def test_telnyx_is_told_the_place_in_the_trace_and_nothing_else_that_a_caller_sent_with_it(
    database_url: str,
) -> None:
    async with traced(database_url) as (gateway, collector), overheard(gateway) as telnyx:
        async with run_process(gateway) as process:
            await request(process, SAMPLED, tracestate=f"shop={PHONE[1:]}", baggage=f"number={PHONE[1:]}")
            await collector.wait_for("send", "POST 127.0.0.1")
        [asked], send = collector.named("POST /v1/verifications"), collector.named("send")[0]
        assert (asked.parent, send.parent) == (CALLER, asked.id)
        call = next(span for span in collector.named("POST 127.0.0.1") if span.parent == send.id)
        assert (call.attributes["http.response.status_code"], call.attributes["error.type"]) == (400, "400")
        heard = headers_of(telnyx)
        assert heard["traceparent"] == f"00-{TRACE}-{call.id}-01"
        assert not {"tracestate", "baggage"} & set(heard)
        assert PHONE[2:] not in collector.text


async def test_what_is_not_sampled_leaves_nothing_anywhere(database_url: str) -> None:
    async with traced(database_url) as (gateway, collector), overheard(gateway) as telnyx:
        async with run_process(gateway) as process:
            await request(process, UNSAMPLED)
            await until(lambda: bool(telnyx.requests), "Telnyx is asked")
            process.process.terminate()  # which sends what there is
            await process.process.wait()
        assert collector.spans == []
        assert await gateway.database.pool.fetchval("select count(*) from traces") == 0
        assert headers_of(telnyx)["traceparent"].endswith("-00")


def test_the_usual_variables_turn_traces_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tracing.is_wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    assert tracing.is_wanted()
    for name, value in (("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert not tracing.is_wanted()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", " ")
    assert not tracing.is_wanted()


async def test_a_collector_that_hangs_slows_no_reply_and_holds_up_a_stop_for_seconds_only(database_url: str) -> None:
    async with traced(database_url) as (gateway, collector):
        collector.hangs.set()
        async with run_process(gateway) as process:
            took = []
            for n in range(20):
                begun = time.monotonic()
                await process.calls.begin(f"+13125550{200 + n}")
                took.append(time.monotonic() - begun)
            # An export takes 10 s until it fails, and is tried again: none of that may be seen here.
            assert sorted(took)[10] < 2
            begun = time.monotonic()
            process.process.terminate()
            assert await process.process.wait() == 0
            assert time.monotonic() - begun < 15
            assert '"part":"tracing"' not in process.log.read_text()


async def test_where_no_collector_is_named_nothing_of_opentelemetry_is_imported() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IMPORTS, stdout=asyncio.subprocess.PIPE, env=environment_with({})
    )
    said, _ = await process.communicate()
    assert said.decode().strip() == "[]"


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_a_protocol_that_is_not_spoken_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "grpc")
    tracing.check()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    with pytest.raises(SettingsError, match="only http/protobuf is spoken here"):
        tracing.check()
