"""A callback's time and timestamp tell no more than the replies did: not how long a code was compared."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from tests.support.gateway import PHONE, POLICY, read_code, run_gateway, wrong
from tests.support.receivers import call_back, run_receiver
from tests.support.waiting import until

CAME = "select max(counted_at) from guesses where verification_id = $1::uuid"
CLOSED = "select closed_at from verifications where id = $1::uuid"
DUE = "select next_at from callbacks where verification_id = $1::uuid"
STEP = timedelta(seconds=2)


@pytest.mark.parametrize("deliver", [True, False])
async def test_a_lock_is_dated_by_when_its_last_code_came_and_told_on_a_step_however_long_comparing_took(
    database_url: str, *, deliver: bool
) -> None:
    async with (
        run_gateway(database_url, policy=POLICY, CALLBACK_ALLOW_PRIVATE="true") as gateway,
        run_receiver() as one,
    ):
        await call_back(gateway, one)
        verification = await gateway.begin(PHONE, deliver=deliver)
        code = await read_code(gateway) if deliver else "123456"
        gateway.stage.latency["check"] = 0.3
        for _ in range(4):
            await gateway.verify(verification, wrong(code))
        locked = await gateway.verify(verification, wrong(code))
        replied = time.time()
        assert locked.body["status"] == "locked"
        came = await gateway.database.pool.fetchval(CAME, verification)
        closed = await gateway.database.pool.fetchval(CLOSED, verification)
        assert closed > came
        await until(lambda: bool(one.told), "it is told")
        assert datetime.fromisoformat(one.told[0].body["timestamp"]) == came
        assert time.time() >= (came + STEP).timestamp() >= replied - 1.5
