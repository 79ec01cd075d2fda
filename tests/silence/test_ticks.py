"""A send that an early rule stops is decided after the same wait as one that is weighed: how soon shows nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from service.db.batch import Tick
from service.db.engine import Database
from service.fraud.gathering.captcha_verdicts import CaptchaVerdicts
from service.fraud.gathering.captchas import Captchas
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.judge import Judge
from service.fraud.question import Question
from service.fraud.storage import store
from service.policy import loading
from service.vault import Vault, new_id

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BEGUN = """
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, begun_at)
values ($1, 1, gen_random_uuid(), 'sms', 'request', 'begun', $2, $2, $2)
"""
POLICY = loading.parse('[countries]\nallow = ["US"]\n').default


@pytest.mark.parametrize(("phone", "allowed"), [("+12125550142", True), ("+33612345678", False)])
async def test_a_decision_waits_for_others_whether_it_is_weighed_or_not(
    monkeypatch: pytest.MonkeyPatch, database: Database, phone: str, *, allowed: bool
) -> None:
    monkeypatch.setattr(store, "DECISIONS", Tick(1.0, 1.0))
    vault = Vault([bytes(32)], bytes(32))
    fraud_store = store.FraudStore(database, lambda: NOON)
    judge = Judge(vault, fraud_store, DeviceEvents(None, None), Captchas(None, CaptchaVerdicts(vault, fraud_store)))
    questions = [
        Question(
            id=new_id(), ordinal=1, client_id=1, phone_hash=new_id(), phone_number=phone, channel="sms",
            asked_at=NOON, counts=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for question in questions:
        await database.pool.execute(BEGUN, question.id, NOON)
    first = asyncio.create_task(judge.decide(questions[0], POLICY))
    await asyncio.sleep(0.1)
    decisions = [await judge.decide(questions[1], POLICY), await first]
    assert [decision.allow for decision in decisions] == [allowed, allowed]
    assert await database.pool.fetchval("select count(distinct xmin::text) from sends") == 1, "one call decided both"
