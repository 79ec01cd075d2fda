"""Guesses that go to the database together are decided exactly as if each had come alone, in their order."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any
from uuid import UUID

import pytest

from service.db.batch import Tick
from service.db.engine import Database
from service.vault import new_id
from service.verification.checks import is_urgent
from service.verification.states import GuessResult
from service.verification.storage.rows import Admission, Guess, Reserved, Verdict
from service.verification.storage.store import Store
from service.verification.storage.ticks import Ticks
from tests.support.admission import NOON, WIDE, AdmissionHarness, open_desk
from tests.support.waiting import PATIENCE, until

FIRST, SECOND, THIRD = "+13125550142", "+13125550143", "+13125550144"
NARROW = WIDE + '[lockout]\ncodes_per_phone = "6/1d"\n'
RESULTS: tuple[GuessResult, ...] = ("right", "wrong", "wrong", "wrong", "accepted", "returned")


class Desk:
    """One process's store, and guesses at its verifications."""

    def __init__(self, harness: AdmissionHarness) -> None:
        self.harness = harness
        self.store = harness.store

    async def admit(self, phone: str = FIRST, **more: Any) -> Admission:
        item = self.harness.item(phone, token=True, **more)
        assert (await self.store.admit(item)).outcome == "admitted"
        return item

    def guess(self, at: Admission, idem: UUID | None = None, body: UUID | None = None) -> Guess:
        return Guess(at.id, new_id(), at.key_id, at.client_id, 1, idem, body)

    async def reserve(self, *items: Guess) -> list[Reserved]:
        """Reserve in one call."""
        return await self.store._reserve_some(items)

    async def settle(self, *verdicts: Verdict) -> list[Any]:
        return list(await self.store.owed.settle(verdicts))


@pytest.fixture
async def desk(database: Database) -> Desk:
    harness = AdmissionHarness(database, NARROW)
    await harness.join("shop")
    return Desk(harness)


async def test_of_many_guesses_at_one_verification_in_one_call_five_are_reserved(desk: Desk) -> None:
    at = await desk.admit()
    told = await desk.reserve(*(desk.guess(at) for _ in range(8)))
    assert [(one.outcome, one.remaining) for one in told] == [
        *[("reserved", left) for left in (5, 4, 3, 2, 1)], *[("busy", 0)] * 3
    ]  # fmt: skip
    assert len(await desk.harness.rows("guesses")) == 5


async def test_two_verifications_of_one_number_share_its_budget_in_one_call(desk: Desk) -> None:
    one, two = await desk.admit(), await desk.admit()
    told = await desk.reserve(*(desk.guess(at) for at in (one, two) * 4))
    assert [one.remaining for one in told] == [5, 5, 4, 3, 2, 1, 0, 0]
    assert [one.outcome for one in told] == ["reserved"] * 6 + ["busy"] * 2


async def test_they_share_it_between_processes_too(desk: Desk, database_url: str) -> None:
    callers = desk.harness.callers
    async with open_desk(database_url, callers, NARROW, NOON) as other:
        for phone in (FIRST, SECOND, THIRD):
            one, two = await desk.admit(phone), await desk.admit(phone)
            sides = ((one, desk.store), (two, other.store))
            told = await asyncio.gather(
                *(store.reserve(callers["shop"], at.id, new_id()) for _ in range(6) for at, store in sides)
            )
            assert sum(one.outcome == "reserved" for one in told) == 6


async def test_a_guess_waits_for_whoever_counts_in_its_numbers_budget(desk: Desk, database: Database) -> None:
    at = await desk.admit()
    async with database.pool.acquire() as line, line.transaction():
        await line.execute("select hold_subjects(array[$1::uuid])", at.total_budget)
        waits = asyncio.create_task(desk.reserve(desk.guess(at)))
        await until(lambda: _is_waited_for(database), "it waits for the budget")
        assert not waits.done()
    assert [one.outcome for one in await waits] == ["reserved"]


async def test_one_idempotency_key_twice_in_one_call_is_reserved_once(desk: Desk) -> None:
    one, two, key, code = await desk.admit(), await desk.admit(SECOND), new_id(), new_id()
    told = await desk.reserve(desk.guess(one, key, code), desk.guess(one, key, code), desk.guess(two, key, code))
    assert [one.outcome for one in told] == ["reserved", "in_flight", "mismatch"]


async def test_a_guess_that_was_taken_back_fails_alone(desk: Desk) -> None:
    at, other = await desk.admit(), await desk.admit(SECOND)
    items = [desk.guess(at), desk.guess(at), desk.guess(other)]
    desk.store._take_back(items[0])
    assert await desk.store.owed.settle_up(PATIENCE)
    told = await desk.reserve(*items)
    assert [(one.outcome, one.remaining) for one in told] == [("withdrawn", None), ("reserved", 5), ("reserved", 5)]


async def test_a_guess_whose_answer_was_lost_is_told_again_and_counted_once(desk: Desk) -> None:
    at = await desk.admit()
    items = [desk.guess(at) for _ in range(6)]
    await desk.reserve(*items[:5])
    told = await desk.store._reserve_some(items, again=True)
    assert [one.outcome for one in told] == ["reserved"] * 5 + ["busy"]
    assert {one.remaining for one in told} == {0}


async def test_right_and_wrong_codes_settled_in_one_call_count_in_their_order(desk: Desk) -> None:
    at, other = await desk.admit(), await desk.admit(SECOND)
    items = [desk.guess(at), desk.guess(at), desk.guess(at), desk.guess(other)]
    await desk.reserve(*items)
    results: list[GuessResult] = ["wrong", "right", "accepted", "wrong"]
    told = await desk.settle(*(Verdict(item.guess, result, 1) for item, result in zip(items, results, strict=True)))
    assert [(one.status, one.remaining, one.verified) for one in told] == [
        ("pending", 2, False), ("verified", 3, True), ("verified", 3, False), ("pending", 4, False)
    ]  # fmt: skip
    counts = {
        row["id"]: (row["guesses_open"], row["guesses_wrong"]) for row in await desk.harness.rows("verifications")
    }
    assert counts == {at.id: (0, 2), other.id: (0, 1)}


async def test_a_row_that_somebody_holds_is_decided_by_nobody_else_and_holds_up_no_other(
    desk: Desk, database: Database
) -> None:
    held, free = await desk.admit(), await desk.admit(SECOND)
    caller = desk.harness.callers["shop"]
    async with database.pool.acquire() as line, line.transaction():
        await line.execute("select from verifications where id = $1 for update", held.id)
        told = await desk.reserve(desk.guess(held), desk.guess(free))
        assert [one.outcome for one in told] == ["held", "reserved"]
        waits = asyncio.create_task(desk.store.reserve(caller, held.id, new_id()))
        other = new_id()
        assert (await desk.store.reserve(caller, free.id, other)).outcome == "reserved"
        settled = await desk.store.settle(other, "wrong", caller.policy)
        assert (settled.status, settled.remaining) == ("pending", 3)
        assert not waits.done()
    assert (await waits).outcome == "reserved"


async def test_a_verdict_on_a_row_that_somebody_holds_is_stored_once_it_is_free(desk: Desk, database: Database) -> None:
    at, guess, caller = await desk.admit(), new_id(), desk.harness.callers["shop"]
    await desk.store.reserve(caller, at.id, guess)
    async with database.pool.acquire() as line, line.transaction():
        await line.execute("select from verifications where id = $1 for update", at.id)
        assert await desk.settle(Verdict(guess, "right", 1)) == ["held"]
        waits = asyncio.create_task(desk.store.settle(guess, "right", caller.policy))
        await until(lambda: _is_waited_for(database), "it waits for the row")
    assert (await waits).verified


async def test_wrong_codes_of_one_tick_are_settled_in_one_call_and_a_right_one_does_not_wait(
    database: Database, desk: Desk
) -> None:
    desk.store = Store(database, desk.harness.policies, lambda: NOON, ticks=Ticks(wrong=Tick(1.0, 1.0)))
    caller = desk.harness.callers["shop"]
    items = [desk.guess(await desk.admit(phone)) for phone in (FIRST, SECOND, THIRD)]
    await desk.reserve(*items)
    wrong = [
        asyncio.create_task(desk.store.settle(one.guess, "wrong", caller.policy, urgent=False)) for one in items[:1]
    ]
    await asyncio.sleep(0.05)
    wrong += [
        asyncio.create_task(desk.store.settle(one.guess, "wrong", caller.policy, urgent=False)) for one in items[1:2]
    ]
    assert (await desk.store.settle(items[2].guess, "right", caller.policy)).verified
    assert not any(one.done() for one in wrong)
    await asyncio.gather(*wrong)
    by = "select count(distinct xmin::text) from guesses where state = 'wrong'"
    assert await database.pool.fetchval(by) == 1, "one transaction wrote both"


@pytest.mark.parametrize(
    ("result", "passed", "urgent"),
    [("right", 0.1, True), ("accepted", 0.1, True), ("wrong", 0.1, False), ("returned", 1.2, False),
     ("wrong", 0.45, True), ("returned", 1.95, True)],
)  # fmt: skip
def test_a_guess_that_is_not_right_is_settled_at_once_only_shortly_before_its_step(
    result: GuessResult, passed: float, *, urgent: bool
) -> None:
    assert is_urgent(result, passed) is urgent


async def _is_waited_for(database: Database) -> bool:
    return bool(await database.pool.fetchval("select exists (select from pg_locks where not granted)"))


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_together_ends_as_it_would_one_by_one(desk: Desk, seed: int) -> None:
    """The same guesses and keys, at two copies of some verifications: singly at one, in one call at the other."""
    dice = Random(seed)
    copies = [await _make_world(desk, copy, lifted=seed % 2 == 1) for copy in range(2)]
    guesses: list[list[Guess]] = [[], []]
    for _ in range(3):
        plan = [(dice.randrange(6), dice.choice([None, None, 0, 1, 2]), dice.randrange(2)) for _ in range(14)]
        singly, together = [[_guess(desk, world, n, *one) for one in plan] for n, world in enumerate(copies)]
        alone = [(await desk.reserve(item))[0] for item in singly]
        assert [_told(one) for one in await desk.reserve(*together)] == [_told(one) for one in alone]
        for place, one in enumerate(alone):
            if one.outcome == "reserved":
                guesses[0].append(singly[place])
                guesses[1].append(together[place])
        results = [dice.choice(RESULTS) for _ in guesses[0]]
        verdicts = [[Verdict(g.guess, r, 1) for g, r in zip(side, results, strict=True)] for side in guesses]
        ended = [(await desk.settle(one))[0] for one in verdicts[0]]
        assert await desk.settle(*verdicts[1]) == ended
    states = [await _read_world(desk, world) for world in copies]
    assert states[0] == states[1]


async def _make_world(desk: Desk, copy: int, *, lifted: bool) -> list[Admission]:
    """Admit two verifications of each of three numbers."""
    world = [await desk.admit(f"+131255501{copy}{number}") for number in range(3) for _ in range(2)]
    if lifted:
        await desk.harness.database.pool.execute(
            "update verifications set lifts = array['lockouts'] where id = $1", world[0].id
        )
    return world


def _guess(desk: Desk, world: list[Admission], copy: int, at: int, key: int | None, code: int) -> Guess:
    return desk.guess(world[at], None if key is None else UUID(int=10 * copy + key + 1), UUID(int=code + 1))


def _told(one: Reserved) -> tuple[object, ...]:
    return one.outcome, one.status, one.remaining, one.verified, one.channels


async def _read_world(desk: Desk, world: list[Admission]) -> list[tuple[object, ...]]:
    read = """
        select v.status, v.guesses_open, v.guesses_wrong, v.closed_at is null, v.sealed is null,
               (select cardinality(c.hits) from counters c where c.subject = v.source_budget),
               (select cardinality(c.hits) from counters c where c.subject = v.total_budget),
               (select cardinality(c.hits) - cardinality(c.unconverted) from counters c where c.subject = v.ip_limit),
               array(
                   select (x.state, x.status, x.remaining)::text from guesses x
                   where x.verification_id = v.id order by 1
               )
        from verifications v where v.id = $1
    """
    pool = desk.harness.database.pool
    return [tuple(await pool.fetchrow(read, item.id) or ()) for item in world]
