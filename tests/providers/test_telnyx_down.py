"""While Telnyx accepts nothing, no request finds out, and it ends by itself; one profile's trouble is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.providers.telnyx.probe import NO_NUMBER
from service.sandbox.faults import Fault
from service.sandbox.telnyx.profiles import ProfileChange
from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.alarms import open_channel
from tests.support.dispatching import acted_on, calls_to, ended, sends
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Calls, Gateway, make_key, run_gateway
from tests.support.guessing import begin_and_read
from tests.support.waiting import until

OWN = "5a9dbeef-0000-4000-8000-000000000002"
TEAM = f"""{POLICY}
[clients.team]
verify_profile_id = "{OWN}"
"""


def probes(gateway: Gateway) -> int:
    return len(calls_to(gateway, NO_NUMBER))


async def is_refused(calls: Calls, phone_number: str = OTHER_PHONE) -> bool:
    """Say whether a request is refused; one that is not is a decoy's, and leaves nothing."""
    return (await calls.request(phone_number, deliver=False)).status == 503


async def until_refused(gateway: Gateway, calls: Calls, phone_number: str = PHONE) -> str:
    """Have one send met by what is wrong; returns its verification."""
    verification = await calls.begin(phone_number)

    async def attempted() -> bool:
        return any(send["attempts"] for send in await sends(gateway, verification))

    await until(attempted, "Telnyx refused it")
    return verification


async def until_taken(calls: Calls) -> None:
    async def taken() -> bool:
        return not await is_refused(calls)

    await until(taken, "requests are taken again")


async def test_whoever_asks_while_telnyx_refuses_us_learns_nothing_for_only_the_gateway_itself_tries(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="no_funds", operations=("send",)))
        waiting = await until_refused(gateway, gateway)
        seen = set()

        async def was_probed() -> bool:
            for deliver in (True, False):
                seen.add((await gateway.request(OTHER_PHONE, deliver=deliver)).status)
            return probes(gateway) >= 2

        await until(was_probed, "the gateway tried twice")
        assert seen == {503}
        assert (len(calls_to(gateway, PHONE)), len(calls_to(gateway, OTHER_PHONE))) == (1, 0)
        gateway.stage.faults.clear()
        await until_taken(gateway)
        assert [send["state"] for send in await ended(gateway, waiting)] == ["sent"]
        assert len(acted_on(gateway, PHONE)) == 1
        assert gateway.telnyx.verifications.list_by_phone(NO_NUMBER) == []


async def test_without_funds_it_waits_for_funds_though_no_other_send_would_be_refused_for_them(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.telnyx.available_credit = 0.0
        await until_refused(gateway, gateway)
        await until(lambda: gateway.stage.journal.count().get("balance", 0) >= 2, "it asked for the balance twice")
        assert await is_refused(gateway)
        gateway.telnyx.available_credit = 1.0
        await until_taken(gateway)


async def test_what_telnyx_does_not_say_of_its_balance_keeps_nobody_waiting(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        gateway.stage.faults.add(Fault(kind="no_funds", operations=("send",), times=1))
        gateway.stage.faults.add(Fault(kind="error500", operations=("balance",)))
        await until_refused(gateway, gateway)
        await until_taken(gateway)


@asynccontextmanager
async def run_with_team(database_url: str, **more: Any) -> AsyncIterator[tuple[Gateway, Calls]]:
    """Run a gateway with a client that has a profile of its own."""
    async with run_gateway(database_url, policy=TEAM, **more) as gateway:
        yield gateway, Calls(gateway.url, await make_key(gateway.database, "team"), gateway.session)


async def test_a_deleted_profile_stops_its_own_client_alone_until_it_is_there_again(database_url: str) -> None:
    async with open_channel() as channel, run_with_team(database_url, ALERT_WEBHOOK_URL=channel.url) as (gateway, team):
        pending, code = await begin_and_read(gateway, OTHER_PHONE)
        waiting = await until_refused(gateway, team)
        for reply in (
            await team.request(OTHER_PHONE),
            await team.verify(waiting, "12345"),
            await team.use_fallback(waiting),
        ):
            assert (reply.status, int(reply.headers["retry-after"]) > 0) == (503, True)
        assert not await is_refused(gateway, "+13125550144")
        assert (await gateway.verify(pending, code)).body["verified"] is True
        [told] = await channel.wait_for(1)
        assert told == (
            "Telnyx takes nothing for the Verify profile of team (ours_10005). Their requests are answered 503."
        )
        gateway.telnyx.profiles.create(ProfileChange(name="Team"), OWN)
        await until_taken(team)
        assert [send["state"] for send in await ended(gateway, waiting)] == ["sent"]


async def test_a_spend_limit_stops_its_own_client_alone(database_url: str) -> None:
    async with run_with_team(database_url) as (gateway, team):
        gateway.telnyx.profiles.create(ProfileChange(name="Team"), OWN)
        gateway.stage.faults.add(Fault(kind="spend_limit", operations=("send",), profile_id=OWN))
        await until_refused(gateway, team)
        seen = set()

        async def was_probed() -> bool:
            seen.add((await team.request(OTHER_PHONE, deliver=False)).status)
            assert not await is_refused(gateway, f"+1312555{2000 + len(calls_to(gateway, NO_NUMBER)):04}")
            return probes(gateway) >= 1

        await until(was_probed, "the gateway tried the profile")
        assert seen == {503}
        operator = await gateway.client("desk", scope="operator")
        metrics = (await operator.call("GET", "/metrics")).body.decode()
        assert 'verify_profile_open{client="team"} 1.0' in metrics
        assert 'verify_profile_open{client="(others)"} 0.0' in metrics
        gateway.stage.faults.clear()
        await until_taken(team)


async def test_the_shared_profiles_trouble_is_not_that_of_a_client_with_its_own(database_url: str) -> None:
    async with run_with_team(database_url) as (gateway, team):
        gateway.telnyx.profiles.create(ProfileChange(name="Team"), OWN)
        gateway.stage.faults.add(Fault(kind="spend_limit", operations=("send",), profile_id=PROFILE_ID))
        await until_refused(gateway, gateway)
        assert await is_refused(gateway)
        assert not await is_refused(team)
