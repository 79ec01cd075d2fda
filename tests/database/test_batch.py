"""A micro-batch carries what waits, one call at a time, and a bad item or a lost call harms no other item."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from service.db.batch import COUNTED, Batcher, Tick
from service.db.engine import Database
from service.db.faults import LockNotAvailable
from service.errors import Unavailable, Unclear
from tests.support.admission import AdmissionHarness


class Wagon:
    """Carries numbers and answers their doubles. `calls`: what it was given; `fails`: what it raises, and when."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], bool]] = []
        self.running = 0
        self.fails: dict[int, list[BaseException]] = {}
        self.pause = 0.001

    async def __call__(self, items: Sequence[int], *, again: bool = False) -> Sequence[int]:
        self.calls.append((list(items), again))
        self.running += 1
        assert self.running == 1, "two calls at once"
        try:
            await asyncio.sleep(self.pause)
            for item in items:
                if self.fails.get(item):
                    raise self.fails[item].pop(0)
            return [2 * item for item in items]
        finally:
            self.running -= 1


def _batch(wagon: Wagon, most: int = 64) -> Batcher[int, int]:
    return Batcher(wagon, most, again=partial(wagon, again=True))


async def _submit(batcher: Batcher[int, int], items: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*map(batcher.submit, items), return_exceptions=True)


async def test_what_waits_goes_together_in_order_and_each_caller_gets_its_own_result() -> None:
    wagon = Wagon()
    batcher = _batch(wagon, most=4)
    assert await _submit(batcher, range(10)) == [2 * item for item in range(10)]
    assert wagon.calls == [([0, 1, 2, 3], False), ([4, 5, 6, 7], False), ([8, 9], False)]
    assert await batcher.submit(10) == 20


async def test_a_call_waits_a_tick_for_more_items() -> None:
    wagon = Wagon()
    batcher = Batcher(wagon, tick=Tick(0.5, 0.6))
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.05)
    assert wagon.calls == []
    assert await batcher.submit(2) == 4
    assert await first == 2
    assert await batcher.submit(3) == 6
    assert wagon.calls == [([1, 2], False), ([3], False)]


async def test_while_items_come_often_a_call_waits_for_more_and_a_lone_one_goes_at_once() -> None:
    wagon = Wagon()
    batcher = Batcher(wagon, tick=Tick(0.5, 0.6, busy=8))
    assert [await batcher.submit(item) for item in range(COUNTED)] == [2 * item for item in range(COUNTED)]
    first = asyncio.create_task(batcher.submit(8))
    await asyncio.sleep(0.05)
    assert await batcher.submit(9) == 18
    assert await first == 16
    await asyncio.sleep(COUNTED / 8)
    assert await batcher.submit(10) == 20
    assert wagon.calls[-2:] == [([8, 9], False), ([10], False)]
    assert max(len(items) for items, _ in wagon.calls[:-2]) == 1


async def test_what_fills_a_call_does_not_wait_a_tick() -> None:
    assert await _submit(Batcher(Wagon(), 2, tick=Tick(1000.0, 1000.0)), range(4)) == [0, 2, 4, 6]


async def test_a_bad_item_fails_alone() -> None:
    wagon = Wagon()
    wagon.fails = {2: [ValueError("bad"), ValueError("bad")]}
    answers = await _submit(_batch(wagon), range(5))
    assert [answer for answer in answers if not isinstance(answer, ValueError)] == [0, 2, 6, 8]
    assert wagon.calls[1:] == [([item], True) for item in range(5)]


async def test_after_an_unclear_end_what_was_carried_is_carried_again() -> None:
    wagon = Wagon()
    wagon.fails = {3: [Unclear("lost")]}
    assert await _submit(_batch(wagon), range(5)) == [0, 2, 4, 6, 8]
    assert [again for _, again in wagon.calls] == [False, True]


async def test_an_end_that_stays_unclear_is_reported_as_unclear() -> None:
    wagon = Wagon()
    wagon.fails = {3: [Unclear("lost"), Unavailable("not done")]}
    answers = await _submit(_batch(wagon), range(6))
    assert all(isinstance(answer, Unclear) and answer.retry_after for answer in answers)


async def test_what_the_server_refused_is_not_tried_again() -> None:
    wagon = Wagon()
    wagon.fails = {0: [Unavailable("canceled")]}
    answers = await _submit(_batch(wagon), range(3))
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert len(wagon.calls) == 1


async def test_an_item_that_somebody_has_locked_fails_alone() -> None:
    wagon = Wagon()
    wagon.fails = {1: [LockNotAvailable("held"), LockNotAvailable("held")]}
    answers = await _submit(_batch(wagon), range(3))
    assert [answers[0], type(answers[1]), answers[2]] == [0, LockNotAvailable, 4]


async def test_a_call_that_returns_too_few_results_leaves_nobody_waiting() -> None:
    async def forget(items: Sequence[int]) -> Sequence[int]:
        return items[:-1]

    answers = await asyncio.wait_for(_submit(Batcher(forget), range(3)), 5)
    assert all(isinstance(answer, ValueError) for answer in answers)


async def test_a_caller_who_has_gone_does_not_disturb_the_others() -> None:
    wagon = Wagon()
    wagon.fails = {0: [Unclear("lost")]}
    batcher = _batch(wagon)
    tasks = [asyncio.create_task(batcher.submit(item)) for item in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert [await tasks[0], await tasks[2]] == [0, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": None},
        {"channel": "sms\x00"},
        {"lifetime": float("inf")},
        {"client_id": 2**40},
        {"sealed": "text"},
    ],
)
async def test_an_item_that_the_encoder_or_the_function_refuses_does_not_harm_its_batch(
    database: Database, wrong: dict[str, Any]
) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    items = [harness.item(f"+1312555{number:04}") for number in range(10)]
    items[4] = harness.item("+13125550004", **wrong)
    answers = await asyncio.gather(*map(harness.store.admit, items), return_exceptions=True)
    assert isinstance(answers.pop(4), Exception)
    assert {getattr(answer, "outcome", answer) for answer in answers} == {"admitted"}
    assert await database.pool.fetchval("select count(*) from verifications") == 9


async def test_an_id_is_admitted_once_even_in_one_batch(database: Database) -> None:
    harness = AdmissionHarness(database)
    await harness.join("shop")
    item = harness.item()
    answers = await asyncio.gather(*(harness.store.admit(item) for _ in range(3)))
    assert {answer.id for answer in answers} == {item.id}
    hits = await database.pool.fetchval("select hits from counters where subject = $1", item.phone_limit)
    assert len(hits) == 1
