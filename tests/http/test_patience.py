"""Whoever cannot be answered in time is told 503 and not admitted; whoever has hung up is not admitted either."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import aiohttp
import pytest

from service.db.batch import Batcher, Patience, Waiting
from service.db.engine import Database
from service.errors import Unavailable, Unclear
from service.verification.storage import store
from tests.support.dispatching import calls_to, numbers
from tests.support.gateway import ADDRESS, Gateway, Reply, run_gateway
from tests.support.waiting import until

SLOW = """
create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(1.5); return null; end $$;
create trigger slowly before insert on verifications for each statement execute function slowly();
"""
AT_WORK = "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')"
# What a machine that is busy with other tests may add to the 3 s.
BUSY = 4.0
PATIENCE = Patience(begin=0.3, answer=0.6, most=5)


class Wagon:
    """Carries numbers, as slowly as `pause` says."""

    def __init__(self, pause: float = 0.0) -> None:
        self.carried: list[int] = []
        self.pause = pause

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(self.pause)
        self.carried += items
        return items


async def _ask(gateway: Gateway, phone: str, place: int, wait: float) -> tuple[Reply, float]:
    await asyncio.sleep(wait)
    begun = time.monotonic()
    reply = await gateway.request(phone, ip_address=f"203.0.{place // 250}.{place % 250}")
    return reply, time.monotonic() - begun


async def test_with_inserts_of_one_and_a_half_seconds_all_are_answered_in_time_and_only_the_taken_are_sent_to(
    database_url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_call = store.PATIENCE._replace(calls=1)  # three would carry them all
    monkeypatch.setattr(store, "PATIENCE", one_call)
    phones = numbers(240)
    async with run_gateway(database_url) as gateway:
        await gateway.begin()
        await database.pool.execute(SLOW)
        told = await asyncio.gather(*(_ask(gateway, phone, n, n / 60) for n, phone in enumerate(phones)))
        await database.pool.execute("drop trigger slowly on verifications")
        statuses = Counter(reply.status for reply, _ in told)
        assert set(statuses) == {202, 503}
        assert max(seconds for _, seconds in told) < 3 + BUSY
        assert all(int(reply.headers["retry-after"]) >= 1 for reply, _ in told if reply.status == 503)

        async def only_the_taken() -> bool:
            return bool(await database.pool.fetchval("select count(*) from verifications") == statuses[202] + 1)

        await until(only_the_taken, "nothing stands of what was told 503")
        taken = [phone for phone, (reply, _) in zip(phones, told, strict=True) if reply.status == 202]
        await until(lambda: all(calls_to(gateway, phone) for phone in taken), "who was taken is sent to")
        assert {phone: len(calls_to(gateway, phone)) for phone in phones} == {phone: phone in taken for phone in phones}


async def test_a_caller_that_hangs_up_before_its_turn_is_not_admitted(database_url: str, database: Database) -> None:
    before, gone, after = numbers(3)
    async with run_gateway(database_url) as gateway:
        await gateway.begin()
        await database.pool.execute(SLOW)
        first = asyncio.create_task(gateway.request(before))

        async def at_work() -> bool:
            return bool(await database.pool.fetchval(AT_WORK))

        await until(at_work, "a call is at work")
        async with aiohttp.ClientSession() as impatient:
            body = {"phone_number": gone, "ip_address": ADDRESS}
            given = {"authorization": f"Bearer {gateway.key}"}
            asked = asyncio.create_task(impatient.post(f"{gateway.url}/v1/verifications", json=body, headers=given))
            second = asyncio.create_task(gateway.request(after))
            await asyncio.sleep(0.3)
            asked.cancel()
        assert (await first).status == 202
        await second
        await until(lambda: bool(calls_to(gateway, before)), "the first was sent to")
        assert calls_to(gateway, gone) == []
        wanted = 2 + (second.result().status == 202)
        assert await database.pool.fetchval("select count(*) from verifications") == wanted


async def test_the_queue_is_bounded() -> None:
    batcher = Batcher(Wagon(0.2), most=1, patience=PATIENCE)
    answers = await asyncio.gather(*map(batcher.submit, range(20)), return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) >= 14


async def test_what_waited_too_long_is_not_carried_and_the_rest_is() -> None:
    wagon = Wagon(0.4)
    batcher = Batcher(wagon, most=1, patience=PATIENCE._replace(answer=10.0))
    first, second = asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0.2)
    third = asyncio.create_task(batcher.submit(3))
    with pytest.raises(Unavailable) as refused:
        await second
    assert not isinstance(refused.value, Unclear), "it was certainly not done"
    assert [await first, await third] == [1, 3]
    assert wagon.carried == [1, 3]


async def test_an_item_is_not_carried_if_a_call_as_long_as_the_last_ones_would_answer_too_late() -> None:
    wagon = Wagon(0.3)
    batcher = Batcher(wagon, patience=PATIENCE._replace(begin=10.0, answer=60.0))
    for item in range(4):
        assert await batcher.submit(item) == item
    late = Waiting(asyncio.get_running_loop().time() - 59.8, lambda: False)
    with pytest.raises(Unavailable):
        await batcher.submit(4, late)
    assert await batcher.submit(5) == 5
    assert wagon.carried == [0, 1, 2, 3, 5]


async def test_what_was_reported_as_unclear_is_undone_if_it_was_done_after_all() -> None:
    undone: list[int] = []
    batcher = Batcher(Wagon(1.0), patience=PATIENCE, undo=undone.append)
    with pytest.raises(Unclear):
        await batcher.submit(1)
    assert undone == []
    await until(lambda: undone == [1], "it is undone")


async def test_an_item_whose_caller_has_gone_is_not_carried() -> None:
    wagon = Wagon()
    gone = Waiting(asyncio.get_running_loop().time(), lambda: True)
    with pytest.raises(Unavailable):
        await Batcher(wagon).submit(1, gone)
    assert wagon.carried == []
