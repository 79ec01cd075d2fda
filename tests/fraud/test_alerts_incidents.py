"""An incident rings once, over however many processes, and its end once; nobody's number is in it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from service.db.engine import Database
from service.sandbox.captcha_app import SECRET
from service.sandbox.faults import Fault
from service.worker import alarms
from tests.support.alarms import open_channel
from tests.support.fraud import findings_of, mint, run_guarded
from tests.support.gateway import PHONE, Gateway, read_code, run_process
from tests.support.tcp_proxy import Moment, lay_cable
from tests.support.waiting import until

QUICK = '[alerts]\nends_after = "3s"\nabove_sends_per_minute = 3\n'
# Three seconds, as the driver writes an interval: of all statements, the ringing one takes it.
QUIET = (3_000_000).to_bytes(8) + bytes(8)
AREAS = (212, 213, 312, 305, 415, 617)


async def ask_often(gateway: Gateway) -> None:
    for area in AREAS:
        phone = f"+1{area}5550142"
        await gateway.begin(phone)
        await read_code(gateway, phone)


async def test_too_many_sends_ring_once_for_two_processes_and_end_once(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, QUICK, ALERT_WEBHOOK_URL=channel.url) as gateway,
        run_process(gateway) as other,
    ):
        await ask_often(gateway)
        assert re.match(r"[4-6] codes were sent within a minute", (await channel.wait_for(1))[0])
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert len(channel.texts) == 1
        # A minute passes, as far as the database can tell.
        await gateway.database.pool.execute("update sends set provider = 'silent'")
        texts = await channel.wait_for(2)
        assert texts[1] == f"Over after 1 min: {texts[0]}"
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert len(channel.texts) == 2
        assert other.process.returncode is None
        rows = await gateway.database.pool.fetch("select kind, ended_at from alerts")
        assert [(row["kind"], row["ended_at"] is not None) for row in rows] == [("volume", True)]
        assert PHONE not in " ".join(texts)


@pytest.mark.parametrize("status", [500, 404])
async def test_a_webhook_that_accepts_no_alert_does_not_disturb_the_gateway(database_url: str, status: int) -> None:
    async with (
        open_channel(status) as channel,
        run_guarded(database_url, QUICK, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        await ask_often(gateway)
        await channel.wait_for(1)
        await gateway.begin("+17025550142")
        assert await read_code(gateway, "+17025550142")
        assert len(channel.texts) == 1


async def test_an_unreachable_webhook_does_not_disturb_it_either_and_shows_in_the_metrics(database_url: str) -> None:
    async with run_guarded(database_url, QUICK, ALERT_WEBHOOK_URL="http://127.0.0.1:9/secret") as gateway:
        await ask_often(gateway)
        operator, shown = await gateway.client("ops", scope="operator"), b""

        async def is_shown() -> bool:
            nonlocal shown
            shown = (await operator.call("GET", "/metrics")).body
            return b'verify_alert_open{kind="volume"} 1.0' in shown

        await until(is_shown, "the incident is shown")
        assert b'verify_alert_open{kind="telnyx"} 0.0' in shown


async def test_unconverted_sends_and_more_sends_than_usual_ring(database: Database, database_url: str) -> None:
    # Before a gateway looks: it keeps these minutes itself once it does.
    await database.pool.execute(
        """
        insert into traffic (minute, sends, sent, read, settled)
        select date_trunc('minute', now()) - m * interval '1 minute', 50, 50, 4, true
        from generate_series(1, 60) as m
        union all
        select date_trunc('minute', now()) - m * interval '1 minute' - interval '1 day', 2, 2, 2, true
        from generate_series(1, 20) as m
        """
    )
    async with open_channel() as channel, run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url):
        texts = sorted(await channel.wait_for(2))
        # (a minute may have passed meanwhile)
        assert re.match(r"[45]0 codes a minute over the last five; at this time of day 2.0 are usual", texts[0])
        assert re.match(r"8% of the [23],\d{3} codes of an hour were entered", texts[1])


async def test_a_block_that_a_rule_sets_rings_and_says_of_what(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        for i in range(12):
            await gateway.begin(f"+1312555{1000 + i}", ip_address=f"198.51.100.{i}")
        texts = await channel.wait_for(1)
        assert texts[0].startswith("A rule has blocked US block_10k: ")
        assert "312555" not in " ".join(texts)


async def test_a_spent_quota_and_a_wrong_key_at_fingerprint_ring(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        gateway.stage.faults.add(Fault(kind="throttle", operations=("event",), times=1, seconds=30))
        await gateway.begin(device_event_id=await mint(gateway))
        assert await channel.wait_for(1) == ["Fingerprint's quota is spent: events cannot be looked up."]
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url, FINGERPRINT_SECRET_KEY="wrong") as gateway,
    ):
        await gateway.begin(device_event_id=await mint(gateway))
        assert await channel.wait_for(1) == ["Fingerprint does not take our calls: secret_api_key_not_found."]


async def test_a_fingerprint_that_is_down_rings_when_its_breaker_opens(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        gateway.stage.faults.add(Fault(kind="error500", operations=("event",)))
        for area in AREAS:
            await findings_of(gateway, await gateway.begin(f"+1{area}5550142", device_event_id=await mint(gateway)))
        assert await channel.wait_for(1) == ["Fingerprint does not answer."]


async def test_a_telnyx_that_refuses_us_rings(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        gateway.stage.faults.add(Fault(kind="no_funds", operations=("send",)))
        await gateway.begin()
        assert await channel.wait_for(1) == ["Telnyx takes nothing (ours_20100). Requests are answered 503."]


async def test_a_wrong_secret_at_the_captchas_provider_rings(database_url: str) -> None:
    captcha = {"CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SECRET": f"not-{SECRET}"}
    async with (
        open_channel() as channel,
        run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url, **captcha) as gateway,
    ):
        await gateway.begin(captcha_token="pass-1")
        assert (await channel.wait_for(1))[0].endswith("(turnstile) does not judge: invalid-input-secret.")


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_what_a_process_noticed_rings_once_though_the_database_did_not_answer(
    database_url: str, moment: Moment
) -> None:
    captcha = {"CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SECRET": f"not-{SECRET}"}
    async with (
        open_channel() as channel,
        lay_cable(database_url) as (cable, near),
        run_guarded(near, ALERT_WEBHOOK_URL=channel.url, **captcha) as gateway,
    ):
        cable.cuts.append((b"invalid-input-secret", moment))
        await gateway.begin(captcha_token="pass-1")
        [text] = await channel.wait_for(1)
        assert (text.endswith("invalid-input-secret."), cable.cuts) == (True, [])
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert len(channel.texts) == 1


async def test_an_end_is_told_once_though_the_database_did_not_answer(database_url: str) -> None:
    async with (
        open_channel() as channel,
        lay_cable(database_url) as (cable, near),
        run_guarded(near, QUICK, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        cable.cuts += [(QUIET, "after")] * 2  # the first may be lost before there is anything to tell
        await gateway.database.pool.execute(
            "insert into alerts (kind, text, began_at, seen_at) values ('budget', 'Spent.', $1, $1)",
            datetime.now(UTC) - timedelta(minutes=1),
        )
        assert await channel.wait_for(1) == ["Over after 1 min: Spent."]
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert (len(channel.texts), cable.cuts) == (1, [])
