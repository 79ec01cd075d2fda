"""What a client's device events never carry stops none of its people, and operators hear of it once."""

from __future__ import annotations

import asyncio

import pytest

from service.db.engine import Database
from service.fraud.storage.weighing import EXPECTED_FOR
from service.sandbox.faults import Fault
from tests.support.alarms import open_channel
from tests.support.commands import run_inside
from tests.support.fraud import enforced, findings_of, mint, run_guarded
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code

PHONES = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415)]
AGO = "update device_signals set {} = {} - $1::interval"


async def ask(gateway: Gateway, phone: str = PHONE, **order: object) -> set[str]:
    """Ask with an event made to order; return what suppressed the send."""
    return await enforced(gateway, await gateway.begin(phone, device_event_id=await mint(gateway, **order)))


async def test_a_client_whose_every_event_lacks_a_bot_verdict_gets_its_codes_and_one_alert(database_url: str) -> None:
    async with open_channel() as channel, run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway:
        for phone in PHONES:
            await gateway.begin(phone, device_event_id=await mint(gateway, missing=["bot"]))
            assert await read_code(gateway, phone)
        told = await channel.wait_for(1)
        assert await ask(gateway, missing=["bot"]) == set()
        await asyncio.sleep(3.0)  # longer than it takes all processes to look again
        assert channel.texts == told
        assert told[0].startswith("No device event of shop carries bot")


async def test_whoever_leaves_it_out_where_others_carry_it_gets_nothing(database_url: str) -> None:
    """Also where the stranger came first, and in whatever number."""
    async with run_guarded(database_url) as gateway:
        assert await ask(gateway, PHONES[0], missing=["bot"]) == set()
        assert await ask(gateway, PHONES[1]) == set()
        for phone in PHONES[2:]:
            assert await ask(gateway, phone, missing=["bot"]) == {"bot"}
        # What one client's events carry says nothing of another's.
        bank = await gateway.client("bank")
        other = await bank.begin(PHONE, device_event_id=await mint(gateway, missing=["bot"]))
        assert await enforced(gateway, other) == set()


async def test_a_plan_without_any_verdict_is_one_that_stops_nobody(database_url: str) -> None:
    every = ["bot", "suspect_score", "vpn", "proxy", "tor", "tampering", "virtual_machine", "incognito"]
    async with run_guarded(database_url) as gateway:
        assert await ask(gateway, missing=every) == set()
        assert await ask(gateway, OTHER_PHONE) == set()
        assert await ask(gateway, missing=every) == {"event_incomplete"}


async def test_a_client_that_was_quiet_for_longer_still_expects_what_its_events_carried(
    database_url: str, database: Database
) -> None:
    """Or its first request at night could be anybody's; a plan that was changed shows within the time."""
    async with run_guarded(database_url) as gateway:
        assert await ask(gateway, PHONES[0]) == set()
        await database.pool.execute(AGO.format("carried_at", "carried_at"), EXPECTED_FOR)
        assert await ask(gateway, PHONES[1], missing=["bot"]) == {"bot"}
        await database.pool.execute(AGO.format("missing_since", "missing_since"), EXPECTED_FOR)
        assert await ask(gateway, PHONES[2], missing=["bot"]) == set()


@pytest.mark.parametrize("platform", ["android", "ios"])
async def test_apps_are_not_judged_by_what_only_browsers_have(database_url: str, platform: str) -> None:
    async with run_guarded(database_url) as gateway:
        assert await ask(gateway, PHONES[0]) == set()
        assert await ask(gateway, PHONES[1], platform=platform) == set()
        assert await ask(gateway, PHONES[2], platform=platform, tampering=True) == {"tampering"}
        assert await ask(gateway, PHONES[3], platform="unknown", missing=["bot"]) == {"bot"}


async def test_an_event_from_the_edge_is_judged_by_what_it_carries(database_url: str) -> None:
    async with run_guarded(database_url, '[rules.hosting]\nmode = "enforce"\n') as gateway:
        assert await ask(gateway, PHONES[0]) == set()
        assert await ask(gateway, PHONES[1], edge=True) == set()
        assert await ask(gateway, PHONES[2], edge=True, agent="ai_agent") == {"bot"}
        assert await ask(gateway, PHONES[3], edge=True, datacenter=True) == {"hosting"}
        hidden = await gateway.begin(device_event_id=await mint(gateway, edge=True, proxy=True, vpn=True))
        found = await findings_of(gateway, hidden)
        assert {rule: found.get(rule) for rule in ("proxy", "vpn")} == {"proxy": "observe", "vpn": "observe"}


async def test_a_value_that_nobody_knows_yet_counts_as_no_verdict_and_rings_once(database_url: str) -> None:
    async with open_channel() as channel, run_guarded(database_url, ALERT_WEBHOOK_URL=channel.url) as gateway:
        assert await ask(gateway, PHONES[0]) == set()
        for phone in PHONES[1:]:
            assert await ask(gateway, phone, bot="unknown") == {"bot"}
        told = await channel.wait_for(1)
        await asyncio.sleep(3.0)
        assert channel.texts == told
        assert told[0].startswith("Fingerprint gives bot a value that this version does not know")


@pytest.mark.parametrize(("fail", "found"), [("open", set[str]()), ("closed", {"device_unread"})])
@pytest.mark.parametrize("failed", [["bot"], ["identification", "bot", "suspect_score", "vpn", "proxy", "tor",
                                              "tampering", "virtual_machine"]])  # fmt: skip
async def test_what_v3_failed_to_compute_is_an_outage_and_no_objection(
    database_url: str, failed: list[str], fail: str, found: set[str]
) -> None:
    policy = f'[rules.device_unread]\nfail = "{fail}"\n'
    async with run_guarded(database_url, policy, FINGERPRINT_API="v3") as gateway:
        assert await ask(gateway, PHONES[0]) == set()
        order = {"failed": failed, "missing": ["incognito", "ip_info"]}
        assert await ask(gateway, PHONES[1], **order) == found
        # What it did compute is judged all the same.
        if failed == ["bot"]:
            assert await ask(gateway, PHONES[2], **order, tampering=True) == {"tampering"} | found


@pytest.mark.parametrize("code", ["ruleset_not_found", "request_read_timeout", "secret_of_tomorrow"])
async def test_a_refusal_that_is_not_about_the_id_makes_nobody_a_forger_and_rings(database_url: str, code: str) -> None:
    policy = '[rules.event_forged]\nip = ["1/1h"]\n[rules.device_unread]\nip = ["100/1h"]\n'
    async with open_channel() as channel, run_guarded(database_url, policy, ALERT_WEBHOOK_URL=channel.url) as gateway:
        gateway.stage.faults.add(Fault(kind="answer", operations=("event",), status=400, code=code))
        for phone in PHONES[:3]:
            assert await ask(gateway, phone) == set()
        assert (await channel.wait_for(1))[0] == f"Fingerprint does not take our calls: {code}."
        gateway.stage.faults.clear()
        assert await ask(gateway, PHONES[3]) == set()


async def test_policy_show_names_what_never_comes_where_there_is_a_database_to_ask(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        assert await ask(gateway, missing=["bot"]) == set()
    said = (await run_inside("policy", "show", settings={"DATABASE_URL": database_url})).out
    assert said.splitlines()[-1] == "# No device event of shop carries bot: what never comes stops nobody."
    assert "DATABASE_URL is not set" in (await run_inside("policy", "show")).out.splitlines()[-1]
