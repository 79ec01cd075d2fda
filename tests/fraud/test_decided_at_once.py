"""Sends that are weighed and resolved in one call are decided as if each had come alone, in their order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from service.db.engine import Database
from service.fraud.decision import Decision
from service.fraud.facts import DeviceFacts, Facts
from service.fraud.histories.history import History, SubjectKind
from service.fraud.histories.subjects import Subject
from service.fraud.money import Booking
from service.fraud.storage.resolving import Resolution, SendLimit
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import Weighed, Weighing
from service.phone import describe
from service.policy.units import Window
from service.vault import new_id
from tests.support.waiting import until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FACTS = Facts(describe("+12125550142"), "sms", DeviceFacts("none"), {})
ALLOWED = Decision(allow=True, findings=[], facts=FACTS, policy_version="test")
SUPPRESSED = Decision(allow=False, findings=[], facts=FACTS, policy_version="test")
KINDS: tuple[SubjectKind, ...] = ("block_10k", "country", "ip", "device")
BEGUN = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
values ($1, 1, gen_random_uuid(), 'sms', 'request', 'begun', $2, $2, $2)
"""
WEIGHED = "update sends set weighed = '{}', weighed_at = $2 where verification_id = any ($1::uuid[])"
WEIGHED_IN = "update sends set weighed = $3::uuid[], weighed_at = $2 where verification_id = any ($1::uuid[])"
STORED = "select ats, marks, goods, day_sends, long_sends, peak from histories where subject = $1"
HITS = "select cardinality(hits), coalesce(cardinality(unconverted), 0) from counters where subject = $1"


class Line:
    """A store, and names of its own for what it counts in, so that two lines never meet."""

    def __init__(self, database: Database) -> None:
        self.pool = database.pool
        self.store = FraudStore(database, lambda: NOON, ticks=False)
        self.name = new_id()

    def subject(self, *words: object) -> UUID:
        return uuid5(self.name, str(words))

    async def begin(self) -> UUID:
        row = new_id()
        await self.pool.execute(BEGUN, row, NOON)
        return row

    async def weigh(self, asked: Sequence[Sequence[tuple[int, int]]], at_once: int) -> list[Weighed]:
        """Weigh sends, so many in a call. Each is a place among the subjects of each kind, and a mark there."""
        items = [
            Weighing(
                id=await self.begin(), ordinal=1, client_id=1, phone_hash=new_id(), event=None,
                subjects=[
                    Subject(kind, self.subject(kind, place), mark)
                    for kind, (place, mark) in zip(KINDS, one, strict=True)
                ],
            )
            for one in asked
        ]  # fmt: skip
        found: list[Any] = []
        for first in range(0, len(items), at_once):
            found += await self.store._weigh(items[first : first + at_once])
        return found

    async def resolve(self, asked: Sequence[dict[str, Any]], at_once: int) -> list[Decision]:
        """Resolve sends, so many in a call. Each is what its Resolution has besides its id."""
        items = [Resolution(id=await self.begin(), ordinal=1, **one) for one in asked]
        await self.pool.execute(WEIGHED, [item.id for item in items], NOON)
        found: list[Decision] = []
        for first in range(0, len(items), at_once):
            found += await self.store._resolve(items[first : first + at_once])
        return found


def without_time(history: History) -> tuple[object, ...]:
    """Leave out what moves by microseconds."""
    return history.marks, history.converted, round(history.day_sends, 3), round(history.peak, 3)


@pytest.mark.parametrize("seed", range(4))
async def test_each_send_of_a_call_sees_those_before_it(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    asked = [[(dice.randrange(3), dice.randrange(8)) for _ in KINDS] for _ in range(60)]
    lines = Line(database), Line(database)
    seen = [await line.weigh(asked, at_once) for line, at_once in zip(lines, (1, 20), strict=True)]
    for alone, together in zip(*seen, strict=True):
        # Beside each other in one call are different numbers: one of which a send is begun cannot ask again.
        for kind in KINDS:
            assert together.histories[kind].marks[0] == alone.histories[kind].marks[0]
            assert round(together.histories[kind].day_sends) == round(alone.histories[kind].day_sends)
            assert round(together.histories[kind].peak) == round(alone.histories[kind].peak)
            assert set(together.histories[kind].marks) == set(alone.histories[kind].marks)


async def test_what_is_stored_is_what_the_last_send_of_the_call_saw(database: Database) -> None:
    line = Line(database)
    asked = [[(n % 2, n) for _ in KINDS] for n in range(130)]
    seen = await line.weigh(asked, 13)
    for place in (0, 1):
        row = await line.pool.fetchrow(STORED, line.subject("ip", place))
        last = [one for one, (ip, *_) in zip(seen, asked, strict=True) if ip[0] == place][-1].histories["ip"]
        assert row is not None
        assert (row["marks"], row["goods"]) == (last.marks, last.converted)
        sums = last.day_sends, last.long_sends, last.peak
        assert (row["day_sends"], row["long_sends"], row["peak"]) == pytest.approx(sums)
        assert list(row["ats"]) == sorted(set(row["ats"]), reverse=True), "each send is told by its time"


@pytest.mark.parametrize("refused", ["by a rule", "by a limit"])
async def test_only_a_send_that_is_stopped_waits_for_who_counts_in_its_countrys_history(
    database: Database, refused: str
) -> None:
    line = Line(database)
    country, limit = line.subject("country"), limited(line, "device", 1)
    stopped = {"goes": False, "decision": SUPPRESSED} if refused == "by a rule" else limit
    going, other = [Resolution(id=await line.begin(), ordinal=1, **one) for one in (limit, stopped)]
    await line.pool.execute(WEIGHED_IN, [going.id, other.id], NOON, [country])
    async with database.pool.acquire() as holder, holder.transaction():
        await holder.execute("select hold_subjects(array[$1::uuid])", country)
        assert [one.allow for one in await line.store._resolve([going])] == [True]
        waits = asyncio.create_task(line.store._resolve([other]))
        await until(lambda: _is_waited_for(database), "it waits for the history")
        assert not waits.done()
    assert [one.allow for one in await waits] == [False]
    weighed = await line.pool.fetch("select weighed from sends where verification_id = any ($1::uuid[])", [going.id])
    assert [row[0] for row in weighed] == [[country]]


async def _is_waited_for(database: Database) -> bool:
    return bool(
        await database.pool.fetchval("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
    )


def limited(line: Line, name: str, most: int, *, total: int | None = None) -> dict[str, Any]:
    windows = [Window(total, 60.0)] if total else None
    return {
        "goes": True,
        "decision": ALLOWED,
        "limits": [SendLimit("device", line.subject(name), [Window(most, 60.0)], total=windows)],
    }


@pytest.mark.parametrize("total", [None, 4])
async def test_the_last_places_of_a_limit_go_to_those_who_came_first(database: Database, total: int | None) -> None:
    line = Line(database)
    asked = [limited(line, name, 3, total=total) for name in "aababbaab"]
    found = [one.allow for one in await line.resolve(asked, 9)]
    assert found == [True, True, True, True, True, True, False, False, False]
    for name in "ab":
        hits = await line.pool.fetchrow(HITS, line.subject(name))
        assert tuple(hits or ()) == (3, 3 if total else 0)


async def test_one_that_is_refused_by_a_limit_takes_no_place_in_another(database: Database) -> None:
    line = Line(database)
    both = limited(line, "full", 1)
    both["limits"] = [*both["limits"], SendLimit("phone_everywhere", line.subject("free"), [Window(2, 60.0)])]
    alone = limited(line, "free", 2)
    found = [one.allow for one in await line.resolve([both, both, both, alone, alone], 5)]
    assert found == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"of_country": 0.3, "of_all": None}, 3),
        ({"of_country": None, "of_all": 0.2}, 2),
        ({"of_country": None, "of_all": None, "most_unconverted": 4.0, "worth": 2.0}, 4),
    ],
)
async def test_a_budget_pays_for_those_who_came_first(database: Database, fields: Any, allowed: int) -> None:
    line = Line(database)
    booking = Booking(1, "US", "sms", 0.1, **fields)
    asked = {"goes": True, "decision": ALLOWED, "booking": booking}
    stopped = {"goes": False, "decision": SUPPRESSED, "booking": booking}
    found = [one.allow for one in await line.resolve([asked, stopped, *[asked] * 6], 8)]
    assert found == [True, False, *[True] * (allowed - 1), *[False] * (7 - allowed)]
    told = await line.pool.fetchrow("select sends, round(spent::numeric, 6) as spent, stopped from ledger")
    assert told is not None
    assert (told["sends"], float(told["spent"]), told["stopped"]) == (allowed, round(0.1 * allowed, 6), 8 - allowed)


async def test_what_is_suppressed_beside_others_is_taken_out_of_the_histories_alone(database: Database) -> None:
    line = Line(database)
    items = [
        Weighing(await line.begin(), 1, 1, new_id(), None, [Subject("country", line.subject("country"), n)])
        for n in range(6)
    ]
    await line.store._weigh(items)
    goes = [True, False, True, False, False, True]
    await line.store._resolve([
        Resolution(item.id, 1, go, ALLOWED if go else SUPPRESSED) for item, go in zip(items, goes, strict=True)
    ])  # fmt: skip
    row = await line.pool.fetchrow(STORED, line.subject("country"))
    assert row is not None
    assert (row["marks"], row["goods"], row["day_sends"]) == ([5, 2, 0], [False] * 3, 3)
    assert len(row["ats"]) == 3


async def test_a_call_that_is_made_again_counts_nothing_twice_and_tells_the_first_decisions(database: Database) -> None:
    line = Line(database)
    items = [
        Weighing(await line.begin(), 1, 1, new_id(), None, [Subject("country", line.subject("country"), n)])
        for n in range(4)
    ]
    first = await line.store._weigh(items[:2])
    again = await line.store._weigh(items)
    assert [one.histories["country"].marks for one in again if isinstance(one, Weighed)] == [
        [0, 1], [1, 0], [2, 1, 0], [3, 2, 1, 0],
    ]  # fmt: skip
    assert len(first) == 2
    limits = [SendLimit("device", line.subject("device"), [Window(1, 60.0)])]
    asked = [Resolution(item.id, 1, True, ALLOWED, limits) for item in items]
    assert [one.allow for one in await line.store._resolve(asked)] == [True, False, False, False]
    assert [one.allow for one in await line.store._resolve(asked[::-1])] == [False, False, False, True]
    assert [one.allow for one in await line.store._weigh(items) if isinstance(one, Decision)] == [
        True, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("pays_for", [0.1, 0.05])
async def test_what_a_limit_and_a_budget_both_object_to_is_stopped_once(database: Database, pays_for: float) -> None:
    line = Line(database)
    items = [
        Weighing(await line.begin(), 1, 1, new_id(), None, [Subject("country", line.subject("country"), n)])
        for n in range(4)
    ]
    await line.store._weigh(items)
    limits = [SendLimit("device", line.subject("device"), [Window(1, 60.0)])]
    booking = Booking(1, "US", "sms", 0.1, of_country=pays_for, of_all=None)
    found = await line.store._resolve([Resolution(item.id, 1, True, ALLOWED, limits, (), booking) for item in items])
    sent = int(pays_for >= 0.1)
    assert [one.allow for one in found] == [True] * sent + [False] * (4 - sent)
    row = await line.pool.fetchrow("select sends, stopped from ledger")
    assert tuple(row or ()) == (sent, 4 - sent)
    assert await line.pool.fetchval("select day_sends from histories") == sent
