"""The webhook's door: Telnyx's addresses, HTTPS, a signature, a shape; and an answer that waits for nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy.engine import make_url

from tests.support.gateway import Gateway, read_code, run_gateway
from tests.support.telnyx_calls import PATH, deliver, write_event
from tests.support.waiting import PATIENCE
from tests.support.wire import assert_problem, clone_database, speak, write_request

TELNYX = "192.76.120.193"
FROM_TELNYX = (f"X-Forwarded-For: {TELNYX}", "X-Forwarded-Proto: https")


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway that takes webhooks from this machine."""
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


@pytest.fixture(scope="module")
async def guarded(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway with the settings of production, behind a proxy that it trusts."""
    async with (
        clone_database(postgres, template) as url,
        run_gateway(
            url,
            TRUSTED_PROXIES="127.0.0.0/8",
            WEBHOOK_ALLOWED_CIDRS="192.76.120.192/27",
            WEBHOOK_REQUIRE_HTTPS="true",
        ) as served,
    ):
        yield served


async def count(gateway: Gateway) -> int:
    return int(await gateway.database.pool.fetchval("select count(*) from webhook_events"))


async def test_telnyx_through_our_proxy_over_https_is_taken(guarded: Gateway) -> None:
    for source in (
        TELNYX, f"203.0.113.9, {TELNYX}", f"::ffff:{TELNYX}", f"{TELNYX}, 127.0.0.2",
        f"{TELNYX}:62000", f"203.0.113.9:443, {TELNYX}:443", f"{TELNYX}:443, 127.0.0.2:80", f"[::ffff:{TELNYX}]:443",
    ):  # fmt: skip
        lines = (f"X-Forwarded-For: {source}", "X-Forwarded-Proto: https")
        answer = await deliver(guarded, write_event(), *lines)
        assert (answer.status, answer.json()) == (200, {"received": True}), source


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}, 203.0.113.9", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}, garbage", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}, ", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}:443, 203.0.113.9:443", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}:443", "X-Forwarded-For: [2001:db8::9]:443", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}, {TELNYX}:https", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: [{TELNYX}]:443", "X-Forwarded-Proto: https"),
        ("X-Forwarded-For: 192.76.120.191", "X-Forwarded-Proto: https"),
        ("X-Forwarded-For: 192.76.120.224", "X-Forwarded-Proto: https"),
        (f"Forwarded: for={TELNYX};proto=https",),
        (f"X-Real-IP: {TELNYX}", "X-Forwarded-Proto: https"),
        (f"X-Forwarded-For: {TELNYX}",),
        (f"X-Forwarded-For: {TELNYX}", "X-Forwarded-Proto: http"),
        (f"X-Forwarded-For: {TELNYX}", "X-Forwarded-Proto: https, http"),
        (f"X-Forwarded-For: {TELNYX}", "X-Forwarded-Ssl: on"),
    ],
)
async def test_anybody_else_is_turned_away_whatever_they_signed(guarded: Gateway, lines: tuple[str, ...]) -> None:
    before = await count(guarded)
    assert_problem(await deliver(guarded, write_event(), *lines), 403, "forbidden")
    assert_problem(await deliver(guarded, b"{", *lines, signed=False), 403, "forbidden")
    assert await count(guarded) == before


async def test_without_a_trusted_proxy_its_headers_are_a_strangers(gateway: Gateway) -> None:
    """The peer is allowed here; what it says of others changes nothing."""
    assert (await deliver(gateway, write_event(), "X-Forwarded-For: 203.0.113.9")).status == 200


async def test_a_signature_that_does_not_fit_is_told_before_the_shape_is_looked_at(guarded: Gateway) -> None:
    body = write_event()
    now = int(time.time())
    for attempt in (
        deliver(guarded, body, *FROM_TELNYX, signed=False),
        deliver(guarded, b"{", *FROM_TELNYX, signed=False),
        deliver(guarded, body, *FROM_TELNYX, timestamp=now - 310),
        deliver(guarded, body, *FROM_TELNYX, timestamp=now + 310),
        deliver(
            guarded, body, *FROM_TELNYX, "telnyx-signature-ed25519: \xff", f"telnyx-timestamp: {now}", signed=False
        ),
    ):
        assert_problem(await attempt, 401, "unsigned")
    signature = [f"{name}: {value}" for name, value in guarded.telnyx.signer.sign(body).items()]
    changed = body.replace(b"delivered", b"Delivered")
    request = write_request("POST", PATH, *signature, *FROM_TELNYX, body=changed)
    assert_problem(await speak(guarded.url, request), 401, "unsigned")


MALFORMED = [
    b"", b"{", b"null", b"[]", b"{}", b'{"data":null}', b'{"data":[]}', b'{"data":{}}', b"\xff", b"[" * 30_000,
    b'{"data":{"id":"a","event_type":"verify.sent"}}',
    b'{"data":{"id":"a","event_type":"verify.sent","payload":null}}',
    b'{"data":{"id":"a","event_type":"verify.sent","payload":{}}}',
    b'{"data":{"id":"a","event_type":"verify.sent","payload":{"id":1}}}',
    b'{"data":{"id":"a","event_type":"verify.sent","payload":{"id":""}}}',
    b'{"data":{"id":"a","event_type":"verify.sent","payload":{"id":"a","delivery_status":1}}}',
    b'{"data":{"id":"a b","event_type":"verify.sent","payload":{"id":"a"}}}',
    b'{"data":{"id":"a\\u0000","event_type":"verify.sent","payload":{"id":"a"}}}',
    b'{"data":{"id":"\\ud800","event_type":"verify.sent","payload":{"id":"a"}}}',
    b'{"data":{"id":1,"event_type":"verify.sent","payload":{"id":"a"}}}',
    write_event("a" * 129), write_event("a\n"), write_event("é"),
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
async def test_what_is_no_event_is_malformed(gateway: Gateway, body: bytes) -> None:
    before = await count(gateway)
    assert_problem(await deliver(gateway, body), 400, "malformed")
    assert await count(gateway) == before


async def test_more_than_64_kib_is_too_large(gateway: Gateway) -> None:
    assert (await deliver(gateway, write_event(padding="a" * 60_000))).status == 200
    assert_problem(await deliver(gateway, write_event(padding="a" * 66_000)), 413, "too-large")


UNKNOWN = [
    {"event_type": "verify.new_thing"},
    {"event_type": "message.sent"},
    {"event_type": "message.sent", "payload": None},
    {"event_type": "message.sent", "payload": [1, "two", {"three": 3}]},
    {"event_type": "call.initiated", "payload": {"id": {"nested": True}}},
]


@pytest.mark.parametrize("more", UNKNOWN)
async def test_a_type_that_is_not_known_is_taken_without_effect(gateway: Gateway, more: dict[str, Any]) -> None:
    before = await count(gateway)
    assert (await deliver(gateway, write_event(**more))).status == 200
    bare = msgspec.json.encode({"data": {"id": "event", "event_type": more["event_type"]}})
    assert (await deliver(gateway, bare)).status == 200
    assert await count(gateway) == before


async def test_a_copy_is_taken_without_effect(gateway: Gateway) -> None:
    body = write_event()
    before = await count(gateway)
    assert [(await deliver(gateway, body)).status for _ in range(3)] == [200, 200, 200]
    assert await count(gateway) == before + 1


async def test_the_answer_does_not_wait_for_the_applying(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        await gateway.begin()
        await read_code(gateway)
        (sent,) = gateway.telnyx.verifications.list_by_phone("+13125550142")
        _, places = make_url(database_url).get_dialect()().create_connect_args(make_url(database_url))
        blocker = await asyncpg.connect(**places)
        try:
            async with blocker.transaction():
                await blocker.execute("lock table sends in access exclusive mode")
                for _ in range(20):
                    assert (await deliver(gateway, write_event(sent.id))).status == 200
                applied = "select count(*) from webhook_events where applied_at is not null"
                assert await gateway.database.pool.fetchval(applied) == 0
        finally:
            await blocker.close()
        async with asyncio.timeout(PATIENCE):
            while await gateway.database.pool.fetchval(applied) < 20:
                await asyncio.sleep(0.05)


async def test_nothing_of_an_event_is_kept_but_what_is_needed(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await deliver(gateway, write_event("a-provider-id"))).status == 200
    rows = await gateway.database.pool.fetch("select * from webhook_events where provider_id = 'a-provider-id'")
    kept = " ".join(str(dict(row)) for row in rows)
    out, err = capsys.readouterr()
    assert "a-provider-id" in kept
    for secret in ("9182736455", "442079460123"):
        assert secret not in kept + out + err
