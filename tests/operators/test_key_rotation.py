"""SECRET_KEY is rotated while processes come and go: whoever cannot read a row leaves it to those who can."""

from __future__ import annotations

import asyncio
import base64
import itertools
from uuid import UUID

from service.db.engine import Database
from service.sandbox.faults import Fault
from service.verification.states import GRACE, LEASE
from tests.support.dispatching import acted_on, ended, numbers, row, run_beside, sends
from tests.support.gateway import PHONE, SECRET_KEY, Calls, Gateway, run_gateway
from tests.support.waiting import until

NEW = base64.b64encode(b"n" * 32).decode()
AMID = f"{NEW},{SECRET_KEY}"


def give(gateway: Gateway, secret_key: str) -> None:
    """Have the next process start with these keys."""
    gateway.environment["SECRET_KEY"] = secret_key


async def leave_due(gateway: Gateway, calls: Calls, phone: str) -> str:
    """Have a send be due again: Telnyx does not take it at once."""
    gateway.stage.faults.add(Fault(kind="error500", operations=("send",), phone_number=phone, times=1))
    return await calls.begin(phone)


async def test_a_row_under_a_new_key_is_left_alone_by_an_old_process_and_sent_by_a_new_one(database_url: str) -> None:
    """The old process is the only one that claims, for a while; it goes on with what is its own."""
    async with run_gateway(database_url, serve=False) as gateway, run_beside(gateway) as old:
        give(gateway, AMID)
        async with run_beside(gateway) as new:
            gateway.stage.faults.add(Fault(kind="error500", operations=("send",), phone_number=PHONE))
            verification = await new.begin()
            await until(lambda: bool(acted_or_not(gateway)), "it was tried")
        gateway.stage.faults.clear()
        for phone in numbers(3):
            await ended(gateway, await leave_due(gateway, old, phone))
        found = await row(gateway, verification)
        assert (found["lease_token"], found["status"]) == (None, "pending")
        assert (await sends(gateway, verification))[0]["state"] == "due"
        # However long it has been due, it is no backlog of a process that cannot send it.
        overdue = "update verifications set next_action_at = clock_timestamp() - interval '30 seconds' where id = $1"
        await gateway.database.pool.execute(overdue, UUID(verification))
        for phone in numbers(10, 10):
            assert (await old.request(phone)).status == 202
            await asyncio.sleep(0.25)
        async with run_beside(gateway):
            [send] = await ended(gateway, verification)
        assert (send["state"], len(acted_on(gateway, PHONE))) == ("sent", 1)


def acted_or_not(gateway: Gateway) -> list[str]:
    return [str(call.phone_number) for call in gateway.stage.journal.list_calls("send")]


async def test_while_old_and_new_processes_share_a_queue_no_send_waits_for_a_lease(database_url: str) -> None:
    phones = numbers(16)
    async with run_gateway(database_url, serve=False) as gateway, run_beside(gateway) as old:
        give(gateway, AMID)
        async with run_beside(gateway) as new:
            begun = [await leave_due(gateway, (old, new)[n % 2], phone) for n, phone in enumerate(phones)]
            for verification, phone in zip(begun, phones, strict=True):
                [send] = await ended(gateway, verification)
                assert (send["state"], len(acted_on(gateway, phone))) == ("sent", 1)
                assert (send["ended_at"] - send["wanted_at"]).total_seconds() < LEASE + GRACE


async def test_in_the_order_that_is_documented_every_process_reads_every_row_and_key(
    database_url: str, database: Database
) -> None:
    """old,new everywhere, then new,old everywhere, then new: two steps meet, and no more than two."""
    steps = (SECRET_KEY, f"{SECRET_KEY},{NEW}", AMID)
    async with run_gateway(database_url, serve=False) as gateway:
        for number, (before, after) in enumerate(itertools.pairwise(steps)):
            for sealing, reading in ((before, after), (after, before)):
                give(gateway, sealing)
                async with run_beside(gateway) as calls:
                    gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
                    phone = numbers(4, 10 * number)[sealing == after]
                    verification = await calls.begin(phone)
                gateway.stage.faults.clear()
                give(gateway, reading)
                async with run_beside(gateway):
                    assert (await ended(gateway, verification))[0]["state"] == "sent"


async def test_a_row_that_was_altered_is_tried_once_and_ends_with_its_time(
    database_url: str, database: Database
) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        async with run_beside(gateway) as calls:
            gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
            verification = await calls.begin()
            await until(lambda: bool(acted_or_not(gateway)), "it was tried")
        await database.pool.execute("update verifications set sealed = sealed || '\\x00'::bytea")
        async with run_beside(gateway):

            async def is_resting() -> bool:
                found = await row(gateway, verification)
                return bool(found["lease_token"] is None and found["next_action_at"] == found["expires_at"])

            await until(is_resting, "it rests until it is over")
