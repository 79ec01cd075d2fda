"""Makes decisions one after the other or several at once, in a process of its own: started by benchmarks.decisions.

The vault's keys are those of the measurements alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.admits import Spent
from benchmarks.cpu import of_family
from benchmarks.requests import address_of
from service import phone
from service.cli.process.startup import settle_memory
from service.db.engine import Database, open_database
from service.fraud.gathering.captcha_verdicts import CaptchaVerdicts
from service.fraud.gathering.captchas import Captchas
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.histories.subjects import subjects_of
from service.fraud.judge import Judge
from service.fraud.question import Question
from service.fraud.storage.store import FraudStore
from service.fraud.storage.weighing import KEEP
from service.policy import loading
from service.vault import Vault, new_id
from tests.support.gateway import observe_histories

VAULT = Vault([bytes(32)], bytes(32))
POLICY = loading.load(None).default

SENDS = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
select id, 1, gen_random_uuid(), 'sms', 'request', 'begun', now(), now(), now() from unnest($1::uuid[]) as s(id)
"""
# As many sends as are kept, over two days, of which three in five converted.
FULL = """
insert into histories
select subject, array(select now() - make_interval(secs => 75 * n * n) from generate_series(1, $2) as n),
       array(select (random() * 9999)::int from generate_series(1, $2)),
       array(select n % 5 > 1 from generate_series(1, $2) as n), 40, 30, 400, 260, 20
from unnest($1::uuid[]) as s(subject)
on conflict do nothing
"""


class Work(msgspec.Struct):
    """What to decide. `full`: the histories of the numbers' ranges and country are filled before."""

    url: str
    postmaster: int
    numbers: Sequence[str]
    count: int
    at_once: int
    full: bool


class Counted:
    """A database whose statements are counted."""

    def __init__(self, database: Database) -> None:
        self._lines = database.pool
        self.pool = self
        self.trips = 0

    async def fetch(self, statement: str, *values: object) -> Any:
        self.trips += 1
        return await self._lines.fetch(statement, *values)


def run(work: Work) -> tuple[list[Spent], float]:
    """Decide for every number; return what each window took, and the round trips of a decision. Blocks."""
    return uvloop.run(_run(work))


async def _run(work: Work) -> tuple[list[Spent], float]:
    database = await open_database(work.url)
    counted = Counted(database)
    store = FraudStore(cast("Database", counted))
    judge = Judge(VAULT, store, DeviceEvents(None, None), Captchas(None, CaptchaVerdicts(VAULT, store)))
    questions = [_ask(number) for number in work.numbers]
    try:
        await database.pool.execute(SENDS, [question.id for question in questions])
        if work.full:
            await database.pool.execute(FULL, list({each for one in questions for each in _ranges(one)}), KEEP)
        left = iter(questions)
        await _decide(judge, left, work)
        settle_memory()
        counted.trips = 0
        windows = [await _decide(judge, left, work) for _ in range(len(questions) // work.count - 1)]
    finally:
        await database.aclose()
    return windows, counted.trips / work.count / len(windows)


async def _decide(judge: Judge, left: Iterator[Question], work: Work) -> Spent:
    policy, questions = loading.parse(observe_histories("")).default, iter([next(left) for _ in range(work.count)])
    server = of_family(work.postmaster)

    async def decide() -> None:
        for question in questions:
            if not (await judge.decide(question, policy)).allow:
                raise RuntimeError("one was not allowed")

    begun, service, database = time.perf_counter(), time.process_time(), server()
    await asyncio.gather(*(decide() for _ in range(work.at_once)))
    used = [(time.process_time() - service) * 1_000 / work.count, (server() - database) * 1_000 / work.count]
    return Spent(work.count / (time.perf_counter() - begun), *used)


def _ask(number: str) -> Question:
    address = address_of(number)
    return Question(
        id=new_id(), ordinal=1, client_id=1, phone_hash=VAULT.hash(b"phone", number), phone_number=number,
        channel="sms", asked_at=datetime.now(UTC), counts=True, ip_address=address, network=address,
    )  # fmt: skip


def _ranges(question: Question) -> list[Any]:
    found = subjects_of(VAULT, question.phone_number, phone.describe(question.phone_number), None)
    return [subject.hash for subject in found]
