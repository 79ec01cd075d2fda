"""Kinds of number: what the plan or a look-up says of one decides how a code goes, and nobody outside learns it."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from service.sandbox.faults import Fault, FaultKind
from service.worker.retention import Retention
from tests.support.dispatching import ended
from tests.support.fraud import enforced, findings_of, run_guarded, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_process

LANDLINE, VOIP = "+14155550105", "+14155550108"
LOOKUP = '[lookup]\nmode = "on"\n'
NO_VOIP = '[rules.number]\nkinds = ["voip", "toll_free"]\n'
CALLS_OFF = '[countries]\ncall = ["CA"]\n'
NO_CALL = '[fallback]\norder = ["sms", "flashcall"]\n'


def looked_up(gateway: Gateway) -> list[str | None]:
    return [call.phone_number for call in gateway.stage.journal.list_calls("carrier")]


async def stored_line(gateway: Gateway, verification: str) -> str | None:
    """Wait for a send's decision, and return what it knew of the line."""
    await findings_of(gateway, verification)
    line = "select decision #>> '{facts,line}' from sends where verification_id = $1"
    told: str | None = await gateway.database.pool.fetchval(line, UUID(verification))
    return told


async def test_voip_and_toll_free_get_nothing_where_the_policy_says(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP + NO_VOIP) as gateway:
        for phone in (VOIP, "+18002345678"):
            assert await enforced(gateway, await gateway.begin(phone)) == {"number"}
            assert sends_to(gateway, phone) == 0
        # What the plan says by itself costs no look-up.
        assert looked_up(gateway) == [VOIP]


async def test_as_shipped_nobody_is_looked_up_and_voip_is_sent_to(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        await gateway.begin(VOIP)
        assert await read_code(gateway, VOIP)
        assert looked_up(gateway) == []


async def test_a_number_is_looked_up_once_for_all_processes_and_again_when_that_is_old(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway, run_process(gateway) as other:
        begun = [await gateway.begin(PHONE)]
        assert await stored_line(gateway, begun[0]) == "fixed_or_mobile"
        for calls in (gateway, other.calls):
            begun.append(await calls.begin(PHONE))
            assert await stored_line(gateway, begun[-1]) == "fixed_or_mobile"
        assert looked_up(gateway) == [PHONE]
        # Three requests in ten minutes are a number's limit.
        await gateway.database.pool.execute("delete from counters")
        await gateway.database.pool.execute("update lookups set until = now() - interval '1 second'")
        assert await stored_line(gateway, await gateway.begin(PHONE)) == "fixed_or_mobile"
        assert looked_up(gateway) == [PHONE, PHONE]


async def told_channels(gateway: Gateway, verification: str) -> tuple[str, str | None]:
    """Return by which channel operators are told that a send was asked for, and by which other one it went."""
    await ended(gateway, verification)
    operator = await gateway.client(f"desk-{verification}", scope="operator")
    [send] = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body["sends"]
    return send["channel"], send["decision"]["by"]


async def test_a_landlines_sms_goes_by_call_and_its_caller_sees_an_sms(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP + '[fallback]\nafter = "1s"\n') as gateway:
        landline, mobile = await gateway.begin(LANDLINE), await gateway.begin(PHONE)
        code = await read_code(gateway, LANDLINE, "call")
        assert await read_code(gateway, PHONE, "sms")
        assert sends_to(gateway, LANDLINE) == 1
        assert [await told_channels(gateway, one) for one in (landline, mobile)] == [("sms", "call"), ("sms", None)]
        seen = [(await gateway.read(one)).body for one in (landline, mobile)]
        assert [body["fallback"]["channel"] for body in seen] == ["call", "call"]
        await asyncio.sleep(1.05)
        used = [await gateway.use_fallback(one) for one in (landline, mobile)]
        assert [(reply.status, reply.body["fallback"]["channel"]) for reply in used] == [(202, "flashcall")] * 2
        assert (await gateway.verify(landline, code)).body["verified"] is True


@pytest.mark.parametrize("policy", [CALLS_OFF, NO_CALL])
async def test_a_landline_that_cannot_be_called_gets_nothing_in_silence(database_url: str, policy: str) -> None:
    async with run_guarded(database_url, LOOKUP + policy) as gateway:
        reply = await gateway.request(LANDLINE)
        assert (reply.status, reply.body["status"]) == (202, "pending")
        assert await enforced(gateway, reply.body["id"]) == {"landline"}
        assert sends_to(gateway, LANDLINE) == 0


async def test_a_landline_by_the_numbering_plan_alone_is_called_as_well(database_url: str) -> None:
    london = "+442079460123"
    async with run_guarded(database_url, '[countries]\nallow = ["GB"]\n') as gateway:
        await gateway.begin(london)
        assert await read_code(gateway, london, "call")
        assert looked_up(gateway) == []


async def test_a_rule_that_is_off_sends_an_sms(database_url: str) -> None:
    london = "+442079460123"
    async with run_guarded(database_url, '[countries]\nallow = ["GB"]\n[rules.landline]\nmode = "off"\n') as gateway:
        await gateway.begin(london)
        assert await read_code(gateway, london, "sms")


async def test_a_send_that_is_tried_again_goes_by_call_still(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",), times=1))
        await gateway.begin(LANDLINE)
        assert await read_code(gateway, LANDLINE, "call")
        assert [call.channel for call in gateway.stage.journal.list_calls("send")] == ["call", "call"]


async def test_a_call_instead_of_an_sms_is_adopted_and_not_repeated(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        gateway.stage.faults.add(Fault(kind="reset_after", operations=("send",), times=1))
        verification = await gateway.begin(LANDLINE)
        assert await enforced(gateway, verification) == set()
        state = "select state, provider_id is not null from sends where verification_id = $1"
        assert tuple(await gateway.database.pool.fetchrow(state, UUID(verification)) or ()) == ("sent", True)
        assert sends_to(gateway, LANDLINE) == 1
        code = await read_code(gateway, LANDLINE, "call")
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_a_process_that_takes_over_a_send_to_a_landline_finds_the_call_that_was_made(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        row, pool = UUID(await gateway.begin(LANDLINE)), gateway.database.pool
        code = await read_code(gateway, LANDLINE, "call")
        await enforced(gateway, str(row))
        # As it stands where a process died before it recorded what it did.
        await pool.execute(
            "update sends set state = 'begun', decision = null, provider_id = null where verification_id = $1", row
        )
        await pool.execute("update verifications set next_action_at = now() where id = $1", row)
        while not await pool.fetchval("select provider_id from sends where verification_id = $1", row):
            await asyncio.sleep(0.02)
        assert sends_to(gateway, LANDLINE) == 1
        assert (await gateway.verify(str(row), code)).body["verified"] is True


@pytest.mark.parametrize("kind", ["error500", "hang_before", "unauthorized", "garbage"])
async def test_a_look_up_that_fails_suppresses_nothing_and_is_not_kept(database_url: str, kind: FaultKind) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        gateway.stage.faults.add(Fault(kind=kind, operations=("carrier",)))
        await gateway.begin(LANDLINE)
        assert await read_code(gateway, LANDLINE, "call")  # by way of the refused sms
        assert await gateway.database.pool.fetchval("select count(*) from lookups where kind <> 'unknown'") == 0


async def test_what_was_learnt_stands_under_the_numbers_hash_and_goes_with_its_time(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        await stored_line(gateway, await gateway.begin(PHONE))
        [row] = await gateway.database.pool.fetch("select * from lookups")
        assert PHONE[1:] not in str(dict(row).values())
        retention = Retention(gateway.database)
        assert (await retention.purge())["lookups"] == 0
        await gateway.database.pool.execute("update lookups set until = now() - interval '1 second'")
        assert (await retention.purge())["lookups"] == 1


async def test_what_is_not_sent_is_not_looked_up(database_url: str) -> None:
    async with run_guarded(database_url, LOOKUP) as gateway:
        for phone, fields in ((PHONE, {"deliver": False}), (OTHER_PHONE, {"device_event_id": "nonsense"})):
            await findings_of(gateway, await gateway.begin(phone, **fields))
        await findings_of(gateway, await gateway.begin("+442079460123"))
        assert looked_up(gateway) == []


UNKNOWN = "+18619171234"  # of an area code that the installed numbering plan does not know


async def test_a_number_that_the_plan_does_not_know_yet_is_sent_to_as_shipped_and_noted(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        verification = await gateway.begin(UNKNOWN)
        assert await read_code(gateway, UNKNOWN)
        assert (await findings_of(gateway, verification))["number_unknown"] == "observe"


async def test_numbers_that_the_plan_does_not_know_have_limits_of_their_own_in_silence(database_url: str) -> None:
    policy = '[rules.number_unknown]\nip = ["2/1h"]\ncountry = ["3/1h"]\n'
    async with run_guarded(database_url, policy) as gateway:
        addresses = ("203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.3")
        stopped = [
            "number_unknown" in await enforced(gateway, await gateway.begin(f"+1861{n + 2}171234", ip_address=address))
            for n, address in enumerate(addresses)
        ]
        assert stopped == [False, False, True, False, True]
        assert await enforced(gateway, await gateway.begin(PHONE, ip_address="203.0.113.1")) == set()


@pytest.mark.parametrize(("mode", "lookup", "sent"), [("enforce", "off", False), ("enforce", "on", True)])
async def test_an_enforced_rule_lets_a_number_through_that_the_look_up_knows(
    database_url: str, mode: str, lookup: str, *, sent: bool
) -> None:
    policy = f'[rules.number_unknown]\nmode = "{mode}"\n[lookup]\nmode = "{lookup}"\n'
    async with run_guarded(database_url, policy) as gateway:
        verification = await gateway.begin(UNKNOWN)
        assert await enforced(gateway, verification) == (set() if sent else {"number_unknown"})
        assert (sends_to(gateway, UNKNOWN), looked_up(gateway)) == ((1, [UNKNOWN]) if sent else (0, []))


async def test_a_number_that_neither_plan_nor_look_up_knows_is_stopped_by_an_enforced_rule(database_url: str) -> None:
    async with run_guarded(database_url, '[rules.number_unknown]\nmode = "enforce"\n' + LOOKUP) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("carrier",)))
        assert await enforced(gateway, await gateway.begin(UNKNOWN)) == {"number_unknown"}
        assert sends_to(gateway, UNKNOWN) == 0


async def test_a_premium_number_is_stopped_where_unknown_numbers_are_not_looked_at(database_url: str) -> None:
    async with run_guarded(database_url, '[rules.number_unknown]\nmode = "off"\n') as gateway:
        assert await enforced(gateway, await gateway.begin("+19002345678")) == {"number"}
        assert await findings_of(gateway, await gateway.begin(UNKNOWN)) == {"no_event": "observe"}
