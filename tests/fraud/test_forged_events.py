"""Invented event ids cannot spend Fingerprint's quota; and what holds while it is spent all the same."""

from __future__ import annotations

import time

import pytest

from service.sandbox.faults import Fault
from tests.support.fraud import enforced, findings_of, mint, run_guarded, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_process

POLICY = '[rules.event_forged]\nip = ["3/1h"]\n'
ELSEWHERE = "198.51.100.7"
AREAS = (212, 213, 312, 305, 415, 617, 702, 713, 206, 303)


def invent(number: int, age: float = 20.0) -> str:
    """Make up an id that could be Fingerprint's: old enough that it is asked for once."""
    return f"{int((time.time() - age) * 1000)}.inven{number}"


async def ask_with_inventions(gateway: Gateway, count: int, **fields: str) -> None:
    for number in range(count):
        verification = await gateway.begin(f"+1{AREAS[number]}5550142", device_event_id=invent(number), **fields)
        assert await enforced(gateway, verification) == {"event_forged"}


def looked_up(gateway: Gateway) -> int:
    return len(gateway.stage.journal.list_calls("event"))


async def test_beyond_its_unknown_ids_nothing_of_an_address_is_looked_up(database_url: str) -> None:
    async with run_guarded(database_url, POLICY) as gateway:
        await ask_with_inventions(gateway, 6)
        assert looked_up(gateway) == 3
        real = await gateway.begin(PHONE, device_event_id=await mint(gateway))
        assert (await findings_of(gateway, real))["event_forged"] == "enforce"
        assert looked_up(gateway) == 3
        assert sends_to(gateway, PHONE) == 0


async def test_another_address_is_looked_up_and_sent_to(database_url: str) -> None:
    async with run_guarded(database_url, POLICY) as gateway:
        await ask_with_inventions(gateway, 4)
        await gateway.begin(PHONE, device_event_id=await mint(gateway, ip=ELSEWHERE), ip_address=ELSEWHERE)
        assert await read_code(gateway, PHONE)


async def test_the_count_is_the_databases_and_another_process_goes_on_from_it(database_url: str) -> None:
    """One unknown id an address is what each further process looks up until it knows."""
    async with run_guarded(database_url, POLICY) as gateway, run_process(gateway) as other:
        await ask_with_inventions(gateway, 3)
        before = looked_up(gateway)
        for number in range(3, 8):
            reply = await other.calls.request(f"+1{AREAS[number]}5550142", device_event_id=invent(number))
            assert reply.status == 202
            assert await enforced(gateway, reply.body["id"]) == {"event_forged"}
        assert (before, looked_up(gateway)) == (3, 4)


async def test_it_ends_with_its_window(database_url: str) -> None:
    async with run_guarded(database_url, POLICY) as gateway:
        await ask_with_inventions(gateway, 4)
        ago = "update counters set hits = array(select h - interval '1 hour' from unnest(hits) as h)"
        await gateway.database.pool.execute(ago)
        await gateway.begin(PHONE, device_event_id=await mint(gateway))
        assert await read_code(gateway, PHONE)


async def test_a_rule_that_observes_goes_on_asking(database_url: str) -> None:
    async with run_guarded(database_url, POLICY + 'mode = "observe"\n') as gateway:
        for number in range(5):
            verification = await gateway.begin(f"+1{AREAS[number]}5550142", device_event_id=invent(number))
            assert await findings_of(gateway, verification) == {"event_forged": "observe"}
        assert looked_up(gateway) == 5


@pytest.mark.parametrize(("fail", "found"), [("open", set[str]()), ("closed", {"device_unread"})])
async def test_a_spent_quota_is_waited_for_until_the_deadline_and_then_the_policy_says(
    database_url: str, fail: str, found: set[str]
) -> None:
    async with run_guarded(database_url, f'[rules.device_unread]\nfail = "{fail}"\n') as gateway:
        gateway.stage.faults.add(Fault(kind="throttle", operations=("event",), times=1, seconds=0.4))
        await gateway.begin(OTHER_PHONE, device_event_id=await mint(gateway))
        assert await read_code(gateway, OTHER_PHONE)
        gateway.stage.faults.add(Fault(kind="throttle", operations=("event",), seconds=1))
        verification = await gateway.begin(PHONE, device_event_id=await mint(gateway))
        assert await enforced(gateway, verification) == found
        assert sends_to(gateway, PHONE) == (0 if found else 1)
