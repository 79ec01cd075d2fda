"""How a verification ended is told to its client: at least once, signed, with an id to drop repeats by."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_gateway, run_process, wrong
from tests.support.receivers import Receiver, call_back, check, hurry, run_receiver
from tests.support.waiting import until

FAILURES = "select max(failure) from callbacks"
ENDPOINT = "select disabled_for from callback_endpoints"


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    async with run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true") as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with run_receiver() as running:
        yield running


async def verify(gateway: Gateway, phone: str = PHONE) -> str:
    verification = await gateway.begin(phone)
    assert (await gateway.verify(verification, await read_code(gateway, phone))).body["verified"]
    return verification


async def lock(gateway: Gateway, verification: str, phone: str = PHONE) -> None:
    code = await read_code(gateway, phone)
    for _ in range(5):
        await gateway.verify(verification, wrong(code))


async def test_a_verification_is_told_as_verified_and_the_signature_is_right(
    gateway: Gateway, receiver: Receiver
) -> None:
    secret = await call_back(gateway, receiver)
    verification = await verify(gateway)
    await until(lambda: bool(receiver.told), "it is told")
    [told] = receiver.told
    check(told, secret)
    status = (await gateway.read(verification)).body
    assert told.body == {
        "type": "verification.verified",
        "timestamp": status["verified_at"],
        "data": {"verification_id": verification, "status": "verified"},
    }
    assert told.headers["content-type"] == "application/json"


async def test_so_is_one_that_was_locked_canceled_or_has_expired(gateway: Gateway, receiver: Receiver) -> None:
    await call_back(gateway, receiver)
    locked, canceled, expired = [await gateway.begin(phone) for phone in (PHONE, OTHER_PHONE, "+13125550144")]
    await lock(gateway, locked)
    await gateway.cancel(canceled)
    await gateway.database.pool.execute(
        "update verifications set expires_at = now(), next_action_at = now(), lease_until = null, lease_token = null "
        "where id = $1",
        expired,
    )
    await until(lambda: len(receiver.told) == 3, "all are told")
    told = {one.body["data"]["verification_id"]: one.body["type"] for one in receiver.told}
    assert told == {
        locked: "verification.locked", canceled: "verification.canceled", expired: "verification.expired",
    }  # fmt: skip


async def test_what_was_not_taken_comes_again_under_its_id_until_it_is(gateway: Gateway, receiver: Receiver) -> None:
    await call_back(gateway, receiver)
    receiver.status = 500
    await verify(gateway)
    await until(lambda: gateway.database.pool.fetchval(FAILURES), "it is known to have failed")
    receiver.status = 204
    await hurry(gateway.database)
    await until(lambda: len(receiver.told) == 2, "it comes again")
    await until(lambda: gateway.database.pool.fetchval("select taken_at is not null from callbacks"), "it is taken")
    first, second = receiver.told
    assert (first.id, first.text) == (second.id, second.text)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 503])
async def test_what_is_not_taken_is_tried_later_and_no_redirect_is_followed(
    gateway: Gateway, receiver: Receiver, status: int
) -> None:
    await call_back(gateway, receiver)
    receiver.status = status
    await verify(gateway)
    await until(lambda: gateway.database.pool.fetchval(FAILURES), "it is known to have failed")
    assert await gateway.database.pool.fetchval(FAILURES) == f"status {status}"
    wait = await gateway.database.pool.fetchval("select extract(epoch from next_at - now()) from callbacks")
    assert 0 < wait < 5 * 1.1
    assert len(receiver.told) == 1


async def test_a_process_that_dies_with_a_callback_under_way_leaves_it_to_another(database_url: str) -> None:
    """The receiver hangs, the process is killed: the callback comes again once its lease is over."""
    noted = """
        insert into callbacks (id, client_id, verification_id, status, at, next_at, attempts)
        select gen_random_uuid(), client_id, gen_random_uuid(), 'verified', now(), now(), 0 from callback_endpoints
    """
    async with (
        run_receiver() as receiver,
        run_gateway(database_url, serve=False, CALLBACK_ALLOW_PRIVATE="true") as gateway,
    ):
        receiver.hangs = True
        await call_back(gateway, receiver)
        await gateway.database.pool.execute(noted)
        async with run_process(gateway, command="dispatch") as first:
            await until(lambda: bool(receiver.told), "it is under way")
            first.process.send_signal(signal.SIGKILL)
            await first.process.wait()
        receiver.hangs = False
        await hurry(gateway.database)
        async with run_process(gateway, command="dispatch"):
            await until(lambda: len(receiver.told) == 2, "it comes again")
        assert receiver.told[0].id == receiver.told[1].id


async def test_what_a_verification_became_later_waits_for_what_it_became_first(
    gateway: Gateway, receiver: Receiver
) -> None:
    """A right code that was being checked as the time ran out: expired, then verified."""
    await call_back(gateway, receiver)
    receiver.status = 500
    verification = await gateway.begin()
    pool = gateway.database.pool
    for status, moment in (("expired", 1), ("verified", 0)):
        ended = datetime.now(UTC) - timedelta(seconds=moment)
        await pool.execute(
            "update verifications set status = $2, closed_at = $3 where id = $1", verification, status, ended
        )
    await until(lambda: pool.fetchval(FAILURES), "the first has failed")
    await asyncio.sleep(0.6)
    assert receiver.types_of(verification) == ["verification.expired"]
    receiver.status = 200
    await hurry(gateway.database)
    await until(lambda: len(receiver.told) == 3, "both come")
    assert receiver.types_of(verification)[1:] == ["verification.expired", "verification.verified"]


async def test_an_endpoint_that_is_gone_or_took_nothing_for_three_days_is_disabled(
    gateway: Gateway, receiver: Receiver
) -> None:
    await call_back(gateway, receiver)
    receiver.status = 410
    await verify(gateway)
    await until(lambda: gateway.database.pool.fetchval(ENDPOINT), "it is disabled")
    assert await gateway.database.pool.fetchval(ENDPOINT) == "gone"


async def test_it_is_disabled_after_the_last_attempt_and_an_alert_rings(gateway: Gateway, receiver: Receiver) -> None:
    await call_back(gateway, receiver)
    receiver.status = 500
    await verify(gateway)
    pool = gateway.database.pool
    await until(lambda: pool.fetchval(FAILURES), "the first attempt has failed")
    await pool.execute("update callbacks set attempts = 9, next_at = now()")
    await until(lambda: pool.fetchval(ENDPOINT), "it is disabled")
    assert await pool.fetchval(ENDPOINT) == "three days"
    await until(lambda: pool.fetchval("select text from alerts where kind like 'callbacks%'"), "it rings")
    text = await pool.fetchval("select text from alerts where kind like 'callbacks%'")
    assert "disabled: one was not taken for three days" in text


async def test_a_client_without_a_receiver_has_nothing_noted(gateway: Gateway) -> None:
    await verify(gateway)
    assert await gateway.database.pool.fetchval("select count(*) from callbacks") == 0


async def test_a_late_answer_of_the_receiver_before_says_nothing_of_the_one_that_is_set_now(gateway: Gateway) -> None:
    async with run_receiver() as before, run_receiver() as after:
        await call_back(gateway, before)
        before.hangs, before.status = True, 410
        await verify(gateway)
        await until(lambda: bool(before.told), "it is under way to the one before")
        await call_back(gateway, after)
        before.hangs = False

        async def is_told() -> bool:
            await hurry(gateway.database)
            return bool(after.told)

        await until(is_told, "it comes to the one that is set now")
        assert await gateway.database.pool.fetchval(ENDPOINT) is None
