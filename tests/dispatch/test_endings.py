"""However a verification ends, the number goes, nothing more is sent, and nothing of it is left to do."""

from __future__ import annotations

import asyncio

import pytest

from service.sandbox.faults import Fault
from tests.support.dispatching import calls_to, ended, row, sends
from tests.support.gateway import PHONE, POLICY, Gateway, read_code, run_gateway, wrong
from tests.support.waiting import until

SHORT = f'{POLICY}[verification]\nexpires_after = "2s"'
WAITING = """
select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""
ENDS = ["verified", "locked", "canceled", "expired"]


async def bring_to_end(gateway: Gateway, verification: str, how: str) -> None:
    if how == "verified":
        await gateway.verify(verification, await read_code(gateway))
    elif how == "locked":
        code = wrong(await read_code(gateway))
        await asyncio.gather(*(gateway.verify(verification, code) for _ in range(5)))
    elif how == "canceled":
        await gateway.cancel(verification)


@pytest.mark.parametrize("how", ENDS)
async def test_the_number_is_dropped_and_nothing_is_left_to_do(database_url: str, how: str) -> None:
    async with run_gateway(database_url, policy=SHORT if how == "expired" else POLICY) as gateway:
        verification = await gateway.begin()
        assert (await row(gateway, verification))["sealed"] is not None
        await ended(gateway, verification)
        await bring_to_end(gateway, verification, how)

        async def over() -> bool:
            found = await row(gateway, verification)
            return bool(found["status"] == how and found["sealed"] is None and found["next_action_at"] is None)

        await until(over, f"it was {how} and its number gone")
        assert (await gateway.read(verification)).body["status"] == how


@pytest.mark.parametrize("how", ["canceled", "expired"])
async def test_a_verification_that_ends_while_its_send_backs_off_sends_no_more(database_url: str, how: str) -> None:
    async with run_gateway(database_url, policy=SHORT if how == "expired" else POLICY) as gateway:
        gateway.stage.faults.add(Fault(kind="throttle", operations=("send",), seconds=3.0))
        verification = await gateway.begin()
        await until(lambda: bool(calls_to(gateway, PHONE)), "it was tried")
        await bring_to_end(gateway, verification, how)

        async def given_up() -> bool:
            return [send["state"] for send in await sends(gateway, verification)] == ["abandoned"]

        await until(given_up, "its send was given up")
        gateway.stage.faults.clear()
        await asyncio.sleep(1.5)
        assert len(calls_to(gateway, PHONE)) == 1


async def test_a_cancel_that_comes_while_its_send_is_put_off_leaves_nothing_due(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification = await gateway.begin()
        await ended(gateway, verification)
        pool = gateway.database.pool
        await pool.execute("update verifications set lease_token = id, next_action_at = now() + interval '1 hour'")
        await pool.execute("update sends set state = 'begun'")
        async with pool.acquire() as other:
            async with other.transaction():
                await other.execute("update verifications set lease_token = null")
                await other.execute("update sends set state = 'due', due_at = now() + interval '1 minute'")
                canceled = asyncio.ensure_future(gateway.cancel(verification))
                await until(lambda: pool.fetchval(WAITING), "it waits for the row")
            assert (await canceled).status == 200

        async def given_up() -> bool:
            return [send["state"] for send in await sends(gateway, verification)] == ["abandoned"]

        await until(given_up, "its send was given up")


@pytest.mark.parametrize("how", ["verified", "canceled"])
async def test_a_send_under_way_when_its_verification_ends_is_recorded_and_followed_by_none(
    database_url: str, how: str
) -> None:
    policy = f'{POLICY}[fallback]\nmode = "auto"\nafter = "3s"'
    async with run_gateway(database_url, policy=policy) as gateway:
        gateway.stage.latency["send"] = 0.5
        verification = await gateway.begin()
        await until(lambda: bool(calls_to(gateway, PHONE)), "it was under way")
        await bring_to_end(gateway, verification, how)
        [send] = await ended(gateway, verification)
        assert (send["state"], send["provider_id"]) == ("sent", calls_to(gateway, PHONE)[0].verification_id)
        await asyncio.sleep(4)
        assert len(await sends(gateway, verification)) == len(calls_to(gateway, PHONE)) == 1
        assert (await row(gateway, verification))["next_action_at"] is None
