"""A guess is settled once: a second settlement changes nothing and returns what is stored."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from service.clients.caller import Caller
from service.policy import loading
from service.verification.states import GuessResult
from service.verification.storage.store import Store
from tests.support.gateway import Gateway, run_gateway, wrong
from tests.support.guessing import begin_and_read, read_budgets, wait_for_guesses_at_telnyx

RESULTS: tuple[GuessResult, ...] = ("right", "wrong", "accepted", "returned")


def open_store(gateway: Gateway) -> Store:
    return Store(gateway.database, loading.load(None))


async def reserve(gateway: Gateway, verification: str, guess: UUID) -> None:
    [[key, client]] = await gateway.database.pool.fetch("select id, client_id from api_keys")
    policy = loading.load(None).default
    caller = Caller(key_id=key, client_id=client, client="shop", test=False, scope="verify", policy=policy)
    taken = await open_store(gateway).reserve(caller, UUID(verification), guess)
    assert taken.outcome == "reserved"


@pytest.mark.parametrize("first", ["right", "wrong"])
async def test_the_first_to_settle_decides(database_url: str, first: GuessResult) -> None:
    policy = loading.load(None).default
    async with run_gateway(database_url) as gateway:
        verification, _ = await begin_and_read(gateway)
        guess, store = UUID(int=7), open_store(gateway)
        await reserve(gateway, verification, guess)
        stands = await store.settle(guess, first, policy)
        assert stands.verified is (first == "right")
        budgets = await read_budgets(gateway)
        for second in RESULTS:
            assert await store.settle(guess, second, policy) == stands
        assert await read_budgets(gateway) == budgets
        [counted] = await gateway.database.pool.fetch("select guesses_open, guesses_wrong from verifications")
        assert tuple(counted) == (0, int(first == "wrong"))


async def test_a_guess_settled_ten_times_at_once_counts_once(database_url: str) -> None:
    policy = loading.load(None).default
    async with run_gateway(database_url) as gateway:
        verification, _ = await begin_and_read(gateway)
        guess, store = UUID(int=7), open_store(gateway)
        await reserve(gateway, verification, guess)
        told = await asyncio.gather(*(store.settle(guess, RESULTS[side % 2], policy) for side in range(10)))
        assert len({(one.verified, one.status, one.remaining) for one in told}) == 1
        [counted] = await gateway.database.pool.fetch("select guesses_open, guesses_wrong from verifications")
        assert tuple(counted) in {(0, 0), (0, 1)}


async def test_an_answer_that_comes_after_the_worker_settled_changes_nothing(database_url: str) -> None:
    """A process that was stopped for long, or a Telnyx that was slow, changes nothing that was settled meanwhile."""
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.latency = {"check": 2.0}
        late = asyncio.ensure_future(gateway.verify(verification, wrong(code)))
        await wait_for_guesses_at_telnyx(gateway, 1)
        guess = await gateway.database.pool.fetchval("select id from guesses where state = 'open'")
        stands = await open_store(gateway).settle(guess, "right", loading.load(None).default)
        assert stands.verified
        reply = await late
        assert (reply.status, reply.body["verified"], reply.body["status"]) == (200, True, "verified")


async def test_a_right_code_while_wrong_ones_are_being_compared_verifies_and_they_change_nothing(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.latency = {"check": 1.0}
        wrongs = [asyncio.ensure_future(gateway.verify(verification, wrong(code))) for _ in range(4)]
        await wait_for_guesses_at_telnyx(gateway, 4)
        gateway.stage.latency = {}
        assert (await gateway.verify(verification, code)).body["verified"] is True
        for reply in await asyncio.gather(*wrongs):
            assert (reply.status, reply.body["verified"], reply.body["status"]) == (200, False, "verified")
        assert (await gateway.read(verification)).body["status"] == "verified"
