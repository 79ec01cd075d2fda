"""Webhooks that are refused in a row ring: which check refuses them, why, and no address in it."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from service.api.webhook_refusals import IN_A_ROW
from tests.support.alarms import open_channel
from tests.support.gateway import Gateway, run_gateway
from tests.support.telnyx_calls import deliver, write_event
from tests.support.waiting import until
from tests.support.wire import clone_database

TELNYX = "192.76.120.193"
STRANGER = "203.0.113.9"
HTTPS = "X-Forwarded-Proto: https"
TAKEN = (f"X-Forwarded-For: {TELNYX}", HTTPS)
EARNEST: dict[str, Any] = {"WEBHOOK_ALLOWED_CIDRS": "192.76.120.192/27", "WEBHOOK_REQUIRE_HTTPS": "true"}
BEHIND_PROXY = EARNEST | {"TRUSTED_PROXIES": "127.0.0.0/8"}
OTHER_KEY = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()


@pytest.fixture(scope="module")
async def guarded(postgres: str, template: str) -> AsyncIterator[Gateway]:
    """One gateway behind a proxy that it trusts."""
    async with clone_database(postgres, template) as url, run_gateway(url, **BEHIND_PROXY) as served:
        yield served


async def refuse(gateway: Gateway, *lines: str, times: int = IN_A_ROW, late: int = 0, **how: Any) -> None:
    """Deliver what is refused."""
    for _ in range(times):
        timestamp = int(time.time()) - late
        assert (await deliver(gateway, write_event(), *lines, timestamp=timestamp, **how)).status in (401, 403)


def whys(logs: list[Any]) -> list[str]:
    """List what was logged of webhooks that were refused, and hold it to name no more than a reason and a source."""
    found = [log for log in logs if log["event"] == "webhooks_refused"]
    assert all(set(log) == {"event", "log_level", "why", "source"} for log in found)
    return [log["why"] for log in found]


@pytest.mark.parametrize(
    ("lines", "how", "why"),
    [
        ((f"X-Forwarded-For: {TELNYX}:https", HTTPS), {}, "unreadable"),
        ((f"X-Forwarded-For: {TELNYX}, {STRANGER}:443", HTTPS), {}, "unlisted"),
        ((HTTPS,), {}, "unlisted"),
        (TAKEN[:1], {}, "no_https"),
        ((*TAKEN[:1], "X-Forwarded-Proto: http"), {}, "no_https"),
        (TAKEN, {"signed": False}, "no_signature"),
        (TAKEN, {"late": 900}, "stale"),
        ((*TAKEN, "telnyx-signature-ed25519: AAAA", "telnyx-timestamp: {now}"), {"signed": False}, "other_key"),
    ],
)
async def test_each_reason_is_logged_once_a_row_and_one_that_is_taken_ends_the_row(
    guarded: Gateway, lines: tuple[str, ...], how: dict[str, Any], why: str
) -> None:
    lines = tuple(line.format(now=int(time.time())) for line in lines)
    with capture_logs() as logs:
        for _ in range(2):
            assert (await deliver(guarded, write_event(), *TAKEN)).status == 200
            await refuse(guarded, *lines, times=IN_A_ROW - 1, **how)
        assert whys(logs) == []
        await refuse(guarded, *lines, **how)
        assert whys(logs) == [why]
    assert (await deliver(guarded, write_event(), *TAKEN)).status == 200


@pytest.mark.parametrize(
    ("settings", "why"),
    [(EARNEST, "untrusted_proxy"), (BEHIND_PROXY | {"TELNYX_PUBLIC_KEY": OTHER_KEY}, "other_key")],
    ids=["untrusted_proxy", "other_key"],
)
async def test_what_was_set_wrongly_is_named(database_url: str, settings: dict[str, Any], why: str) -> None:
    async with run_gateway(database_url, **settings) as gateway:
        with capture_logs() as logs:
            await refuse(gateway, *TAKEN)
        assert whys(logs) == [why]


async def test_each_check_that_refuses_in_a_row_is_an_alert_of_its_own_without_an_address(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_gateway(database_url, ALERT_WEBHOOK_URL=channel.url, **BEHIND_PROXY) as gateway,
    ):
        await refuse(gateway, f"X-Forwarded-For: {STRANGER}", HTTPS, times=IN_A_ROW + 1)
        await refuse(gateway, *TAKEN[:1])
        await refuse(gateway, *TAKEN, signed=False)
        texts = sorted(await channel.wait_for(3))
        for text, words in zip(texts, ("source address", "bear no signature", "did not come over"), strict=True):
            assert text.startswith("Telnyx's webhooks are refused, 3 or more in a row: ")
            assert words in text
            assert not {TELNYX, STRANGER, "127.0.0.1"} & set(text.replace(",", " ").split())
        operator = await gateway.client("ops", scope="operator")

        async def is_shown() -> bool:
            return b'verify_alert_open{kind="webhooks"} 1.0' in (await operator.call("GET", "/metrics")).body

        await until(is_shown, "the incident is shown")
        assert len(channel.texts) == 3
