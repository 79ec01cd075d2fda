"""WhatsApp is a channel like the others once the policy names it, and until then nothing goes by it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command

from service.channels import CHANNELS
from service.db.engine import open_database
from service.db.schema import migrate
from service.sandbox.faults import Fault
from service.sandbox.telnyx.service import TelnyxSettings
from service.sandbox.telnyx.webhooks import Manners
from service.simulation.player import Player
from service.simulation.scratch import choose_policy
from service.simulation.trace import TraceLine
from tests.support.admission import AdmissionHarness
from tests.support.commands import run_inside
from tests.support.dispatching import acted_on, calls_to, ended, send_webhooks
from tests.support.fraud import enforced
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, Reply, read_code, run_gateway, wrong
from tests.support.waiting import until

BASE = """
[limits]
ip = ["1000/1h"]
phone = ["1000/1h"]
"""
ORDER = '[fallback]\nafter = "1s"\norder = ["whatsapp", "sms", "call", "flashcall"]\n'
LISTED = '[countries]\nwhatsapp = ["US"]\n'
PRICED = "[prices.countries]\nUS = { sms = 0.25, whatsapp = 0.5 }\n"
ON = BASE + ORDER + LISTED
FOUR = ["whatsapp", "sms", "call", "flashcall"]
UNDELIVERED, REFUSED = "+14155550101", "+14155550102"
CANADIAN = "+14165550146"


def offered(reply: Reply) -> Any:
    return (reply.body["fallback"] or {}).get("channel")


async def use_each_fallback(gateway: Gateway, verification: str) -> list[Reply]:
    """Use a fallback as soon as it is taken until no channel is left; return the answers, the last of which says so."""
    replies: list[Reply] = []

    async def is_answered() -> bool:
        reply = await gateway.use_fallback(verification)
        if "too-early" not in reply.body.get("type", ""):
            replies.append(reply)
        return bool(replies) and replies[-1].status != 202

    await until(is_answered, "no channel is left")
    return replies


async def test_a_verification_by_whatsapp_is_sent_delivered_and_verified(database_url: str) -> None:
    quickly = TelnyxSettings(manners=Manners(sent_after=0.05, delivered_after=0.1))
    async with run_gateway(database_url, policy=ON + PRICED, telnyx=quickly) as gateway:
        send_webhooks(gateway)
        reply = await gateway.request(channel="whatsapp")
        assert (reply.status, offered(reply)) == (202, "sms")
        verification = reply.body["id"]
        code = await read_code(gateway, channel="whatsapp")
        [call] = calls_to(gateway, PHONE)
        assert call.channel == "whatsapp"

        async def is_delivered() -> bool:
            [send] = await ended(gateway, verification)
            return bool(send["delivery"] == "delivered")

        await until(is_delivered, "the webhook is applied")
        assert (await gateway.verify(verification, wrong(code))).body["verified"] is False
        assert (await gateway.verify(verification, code)).body["verified"] is True
        operator = await gateway.client("desk", scope="operator")
        seen = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body
        assert [send["channel"] for send in seen["sends"]] == ["whatsapp"]
        [group] = (await operator.call("GET", "/v1/operator/summary")).body["groups"]
        assert (group["channel"], group["sends"], group["verified"]) == ("whatsapp", 1, 1)
        [line] = (await operator.call("GET", "/v1/operator/ledger")).body["lines"]
        assert (line["channel"], line["spent"]) == ("whatsapp", 0.5)
        metrics = (await operator.call("GET", "/metrics")).body.decode()
        assert 'verify_sends_total{channel="whatsapp",outcome="sent",provider="telnyx"}' in metrics


async def test_a_whatsapp_message_whose_answer_was_lost_is_adopted_and_not_repeated(database_url: str) -> None:
    async with run_gateway(database_url, policy=ON) as gateway:
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("send",), times=1))
        verification = await gateway.begin(channel="whatsapp")
        code = await read_code(gateway, channel="whatsapp")
        assert len(acted_on(gateway, PHONE)) == 1
        assert (await gateway.verify(verification, code)).body["verified"] is True


@pytest.mark.parametrize(("phone", "state"), [(REFUSED, "refused"), (UNDELIVERED, "sent")])
async def test_the_fallback_inside_goes_on_from_whatsapp_to_all_the_others(
    database_url: str, phone: str, state: str
) -> None:
    quickly = TelnyxSettings(manners=Manners(sent_after=0.05, delivered_after=0.1))
    async with run_gateway(database_url, policy=ON, telnyx=quickly) as gateway:
        send_webhooks(gateway)
        verification = await gateway.begin(phone, channel="whatsapp")
        found = await ended(gateway, verification, len(CHANNELS))
        assert [(send["channel"], send["state"]) for send in found] == [(channel, state) for channel in FOUR]
        assert [call.channel for call in calls_to(gateway, phone)] == FOUR


@pytest.mark.parametrize("client", ["shop", "rehearsal"])
async def test_a_decoy_of_four_channels_is_like_a_real_one(database_url: str, client: str) -> None:
    async with run_gateway(database_url, policy=ON) as gateway:
        calls = gateway if client == "shop" else await gateway.client(client, test=True)
        kinds = {PHONE: True, OTHER_PHONE: False}
        requests = [await calls.request(one, channel="whatsapp", deliver=deliver) for one, deliver in kinds.items()]
        gateway.key = calls.key
        told = []
        for request, used in zip(
            requests,
            await asyncio.gather(*(use_each_fallback(gateway, one.body["id"]) for one in requests)),
            strict=True,
        ):
            checked = await gateway.verify(request.body["id"], "0000")
            assert [offered(reply) for reply in (request, *used[:-1])] == ["sms", "call", "flashcall", None]
            told.append(
                [(reply.status, sorted(reply.body), reply.body.get("attempts_remaining"))
                 for reply in (request, *used, checked)]
            )  # fmt: skip
        assert told[0] == told[1]
        assert told[0][-1][2] == 4
        sent = [await ended(gateway, request.body["id"], 4) for request in requests]
        assert [[send["channel"] for send in sends] for sends in sent] == [FOUR, FOUR]
        assert calls_to(gateway, OTHER_PHONE) == []
        assert len(calls_to(gateway, PHONE)) == (4 if client == "shop" else 0)


@pytest.mark.parametrize(
    ("policy", "phone"),
    [
        (ORDER, PHONE),
        (ORDER + LISTED, CANADIAN),
        (ORDER + '[countries]\nallow = ["GB"]\nwhatsapp = ["US"]\n', PHONE),
    ],
    ids=["in the order alone", "another country", "a country that is not served"],
)
async def test_nothing_goes_by_whatsapp_to_a_country_that_its_list_leaves_out_and_no_caller_sees_that(
    database_url: str, policy: str, phone: str
) -> None:
    async with run_gateway(database_url, policy=BASE + policy) as gateway:
        reply = await gateway.request(phone, channel="whatsapp")
        assert (reply.status, reply.body["status"], reply.body["attempts_remaining"]) == (202, "pending", 5)
        assert await enforced(gateway, reply.body["id"]) == {"country"}
        assert calls_to(gateway, phone) == []


@pytest.mark.parametrize("policy", ["", LISTED], ids=["as shipped", "in the lists alone"])
async def test_a_request_by_whatsapp_is_refused_at_once_and_for_every_number_while_it_is_off(
    database_url: str, policy: str
) -> None:
    on = '[clients.other.fallback]\norder = ["sms", "whatsapp"]\n[clients.other.countries]\nwhatsapp = ["US"]\n'
    async with run_gateway(database_url, policy=BASE + policy + on) as gateway:
        replies = [
            await gateway.request(phone, channel="whatsapp", deliver=deliver, idem=f"{phone}-{deliver}")
            for phone in (PHONE, CANADIAN, UNDELIVERED, "+33612345678") for deliver in (True, False)
        ]  # fmt: skip
        assert {(reply.status, reply.body["detail"], *reply.body["fields"]) for reply in replies} == {
            (422, "It is not in use here. Open are sms, call, flashcall.", "channel")
        }
        assert await gateway.database.pool.fetchval("select count(*) from verifications") == 0
        # It was not taken: the same Idempotency-Key serves the request by another channel.
        assert (await gateway.request(PHONE, idem=f"{PHONE}-True")).status == 202
        other = await gateway.client("other")
        assert (await other.request(PHONE, channel="whatsapp")).status == 202
        assert (await other.request(OTHER_PHONE, channel="call")).status == 202


async def test_as_shipped_whatsapp_is_never_offered_and_three_channels_are_all(database_url: str) -> None:
    policy = BASE + '[fallback]\nafter = "1s"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        request = await gateway.request()
        used = await use_each_fallback(gateway, request.body["id"])
        assert [offered(reply) for reply in (request, *used[:-1])] == ["call", "flashcall", None]
        assert used[-1].body["type"].endswith("no-channel-left")
        await ended(gateway, request.body["id"], 3)
        assert [call.channel for call in calls_to(gateway, PHONE)] == ["sms", "call", "flashcall"]


async def test_a_backtest_says_what_would_go_by_whatsapp_once_it_is_on(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=BASE + ORDER) as gateway:
        assert await enforced(gateway, await gateway.begin(channel="whatsapp")) == {"country"}
        (tmp_path / "policy.toml").write_text(ON)
        settings = {"DATABASE_URL": database_url}
        done = await run_inside("policy", "backtest", str(tmp_path / "policy.toml"), "--json", settings=settings)
        changes = msgspec.json.decode(done.out)
        assert (changes["decided"], changes["newly_released"]) == (1, 1)


async def test_a_trace_may_ask_for_whatsapp_and_is_decided_by_the_policy(database_url: str, tmp_path: Path) -> None:
    line = TraceLine(t=0.0, phone_number=PHONE, ip_address="198.51.100.7", channel="whatsapp", verifies=True)
    files = {name: tmp_path / f"{name}.toml" for name in ("order", "on")}
    files["order"].write_text(BASE + ORDER)
    files["on"].write_text(ON)
    database = await open_database(database_url)
    for path, result in ((None, "error"), (str(files["order"]), "suppressed"), (str(files["on"]), "sent")):
        player = Player(database, choose_policy(path, [line]))
        assert [outcome.result async for _, outcome in player.play([line])] == [result]
        await database.pool.execute("truncate verifications, sends, counters")
    await database.aclose()


async def test_after_the_way_back_a_process_of_the_release_before_reads_what_went_by_whatsapp(
    database_url: str,
) -> None:
    database = await open_database(database_url)
    harness = AdmissionHarness(database, now=None)
    await harness.join("shop")
    assert (await harness.admit(channel="whatsapp")).outcome == "admitted"
    await database.pool.execute('update sends set state = \'due\', decision = \'{"facts": {"channel": "whatsapp"}}\'')
    await database.aclose()
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0003")
    database = await open_database(database_url)
    try:
        assert await database.pool.fetchval("select used from verifications") == ["sms"]
        row = await database.pool.fetchrow("select channel, decision -> 'facts' ->> 'channel' from sends")
        assert tuple(row or ()) == ("sms", "sms")
    finally:
        await database.aclose()
        await asyncio.to_thread(migrate.upgrade, database_url)
