"""Device events: whose they are, what they say, and that no caller learns what came of them."""

from __future__ import annotations

import asyncio

import pytest

from service.sandbox.faults import Fault
from tests.support.dispatching import ended
from tests.support.fraud import enforced, findings_of, mint, mint_whole, run_guarded, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, read_code


@pytest.mark.parametrize(
    ("order", "rule"),
    [
        ({"bot": "bad"}, "bot"),
        ({"bot": "good"}, "bot"),
        ({"suspect_score": 21}, "suspect_score"),
        ({"confidence": 0.3}, "confidence"),
        ({"replayed": True}, "event_replayed"),
        ({"linked_id": "somebody-else"}, "event_linked"),
        ({"tampering": True}, "tampering"),
        ({"tor": True}, "tor"),
        ({"age": 700}, "event_stale"),
        ({"partially_completed": True}, "event_incomplete"),
        ({"agent": "ai_agent"}, "bot"),
    ],
)
async def test_what_fingerprint_saw_suppresses(database_url: str, order: dict[str, object], rule: str) -> None:
    async with run_guarded(database_url) as gateway:
        event = await mint(gateway, **order)
        verification = await gateway.begin(device_event_id=event, account_id="me")
        assert rule in await enforced(gateway, verification)
        assert sends_to(gateway, PHONE) == 0


async def test_an_ordinary_event_lets_the_code_go_whichever_way_it_comes(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        await gateway.begin(PHONE, device_event_id=await mint(gateway))
        assert await read_code(gateway, PHONE)
        # A score of exactly the limit, and an address of the other family, are no objections.
        await gateway.begin(OTHER_PHONE, device_event_id=await mint(gateway, suspect_score=20, ip="2001:db8::1"))
        assert await read_code(gateway, OTHER_PHONE)


async def test_an_event_serves_a_number_and_its_correction_at_one_client_as_often_as_these_ask(
    database_url: str,
) -> None:
    """A form takes minutes to fill, and its number is mistyped now and then."""
    async with run_guarded(database_url) as gateway:
        event = await mint(gateway, age=130)
        for phone in (PHONE, OTHER_PHONE, PHONE, OTHER_PHONE):
            assert await enforced(gateway, await gateway.begin(phone, device_event_id=event)) == set()
        third = await gateway.begin("+13125550144", device_event_id=event)
        stranger = await (await gateway.client("bank")).begin(PHONE, device_event_id=event)
        assert await enforced(gateway, third) == await enforced(gateway, stranger) == {"event_bound"}


@pytest.mark.parametrize("numbers", [1, 2])
async def test_of_many_numbers_that_race_for_one_event_as_many_get_a_code_as_the_policy_says(
    database_url: str, numbers: int
) -> None:
    async with run_guarded(database_url, f"[rules.event_bound]\nnumbers = {numbers}\n") as gateway:
        event = await mint(gateway)
        phones = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415, 617, 702, 713, 206, 303)]
        begun = await asyncio.gather(*(gateway.begin(phone, device_event_id=event) for phone in phones))
        found = [await enforced(gateway, verification) for verification in begun]
        assert found.count(set()) == numbers
        assert sum(sends_to(gateway, phone) for phone in phones) == numbers


async def test_a_device_gets_five_sends_a_day_however_it_races(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        phones = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415, 617, 702, 713, 206, 303)]
        events = [await mint(gateway, visitor_id="A" * 20) for _ in phones]
        asked = (gateway.begin(p, device_event_id=e) for p, e in zip(phones, events, strict=True))
        begun = await asyncio.gather(*asked)
        for verification in begun:
            await ended(gateway, verification)
        assert sum(sends_to(gateway, phone) for phone in phones) == 5


@pytest.mark.parametrize("event", ["nonsense", "9999999999999.abcdef"])
async def test_what_is_no_id_is_judged_without_a_call(database_url: str, event: str) -> None:
    async with run_guarded(database_url) as gateway:
        verification = await gateway.begin(device_event_id=event)
        assert await enforced(gateway, verification) == {"event_forged"}
        assert gateway.stage.journal.list_calls("event") == []


async def test_while_fingerprint_is_down_three_sends_an_hour_go_to_one_address(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("event",)))
        phones = [f"+1{area}5550142" for area in (212, 213, 312, 305, 415)]
        found = []
        for phone in phones:
            verification = await gateway.begin(phone, device_event_id=await mint(gateway))
            found.append(await enforced(gateway, verification))
        assert found == [set(), set(), set(), {"device_unread"}, {"device_unread"}]


async def test_a_number_gets_what_all_clients_together_may_send(database_url: str) -> None:
    policy = '[rules.phone_everywhere]\nmode = "enforce"\n'
    async with run_guarded(database_url, policy + '[clients.bank.limits]\nphone_everywhere = ["2/1h"]\n') as gateway:
        bank = await gateway.client("bank")
        for _ in range(2):
            assert await enforced(gateway, await gateway.begin()) == set()
        assert await enforced(gateway, await bank.begin()) == {"phone_everywhere"}


async def test_a_rule_set_to_observe_finds_and_suppresses_nothing(database_url: str) -> None:
    async with run_guarded(database_url, '[rules.bot]\nmode = "observe"\n') as gateway:
        verification = await gateway.begin(device_event_id=await mint(gateway, bot="bad"))
        assert (await findings_of(gateway, verification))["bot"] == "observe"
        assert sends_to(gateway, PHONE) == 1


async def test_a_sealed_result_is_opened_here(database_url: str) -> None:
    async with run_guarded(database_url) as probe:
        whole = await mint_whole(probe, bot="bad")
        assert whole["sealed_result"]
    # Without a key that opens it, it is forged; the key itself is the stand-in's own secret.
    async with run_guarded(database_url, FINGERPRINT_SEALED_KEYS="A" * 43 + "=") as gateway:
        verification = await gateway.begin(device_sealed_result=whole["sealed_result"])
        assert await findings_of(gateway, verification)
        assert gateway.stage.journal.list_calls("event") == []
