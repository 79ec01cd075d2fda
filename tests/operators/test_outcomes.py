"""How many of the numbers that a rule stopped, or would have stopped, were people: measured from stored decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from service.db.engine import Database
from service.operators.reports.outcomes import Outcomes
from service.vault import first_id
from tests.support.commands import run_inside
from tests.support.fraud import FINGERPRINT_KEY, findings_of, mint
from tests.support.gateway import PHONE, POLICY, read_code, run_gateway

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSERT = """
with made as (
    insert into verifications (id, client_id, phone_hash, used, status, deliver, test, created_at, expires_at,
                               pressed_at, closed_at, phone_limit, source_budget, total_budget)
    values ($1, $2, $3, '{sms}', $4, $5, $6, $7, $7, $7, $8, $3, $3, $3)
)
insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, decision)
values ($1, 1, $3, 'sms', 'request', 'sent', $7, $7, $9::jsonb)
"""


class Recorder:
    """Records verifications as a gateway would have left them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def client(self, name: str) -> int:
        return int(await self._database.pool.fetchval("insert into clients (name) values ($1) returning id", name))

    async def record(
        self, client: int, number: UUID, ago: timedelta, *findings: tuple[str, str],
        verified_after: timedelta | None = None, deliver: bool = True, test: bool = False,
    ) -> None:  # fmt: skip
        at = NOW - ago
        row = UUID(int=first_id(at).int + uuid4().int % 2**64)
        found = [{"rule": rule, "mode": mode, "detail": "x"} for rule, mode in findings]
        decision = msgspec.json.encode({"allow": True, "findings": found}).decode()
        status, closed = ("expired", at) if verified_after is None else ("verified", at + verified_after)
        await self._database.pool.execute(INSERT, row, client, number, status, deliver, test, at, closed, decision)


async def outcomes_of(database: Database, window: timedelta = 7 * DAY) -> Sequence[tuple[Any, ...]]:
    return [msgspec.structs.astuple(one) for one in await Outcomes(database, lambda: NOW).read(window)]


async def test_a_number_counts_once_for_each_rule_and_is_a_person_if_verified_within_a_day_in_whatever_way(
    database: Database,
) -> None:
    recorder = Recorder(database)
    shop, bank = await recorder.client("shop"), await recorder.client("bank")
    tried, elsewhere, late, never, watched, recent = (uuid4() for _ in range(6))
    # Stopped twice, then through, at the same client; at another one; two days later; never.
    await recorder.record(shop, tried, 3 * DAY, ("range", "enforce"), ("bot", "enforce"))
    await recorder.record(shop, tried, 3 * DAY - HOUR, ("range", "enforce"))
    await recorder.record(shop, tried, 3 * DAY - 2 * HOUR, verified_after=HOUR)
    await recorder.record(shop, elsewhere, 3 * DAY, ("range", "enforce"))
    await recorder.record(bank, elsewhere, 3 * DAY - HOUR, verified_after=HOUR)
    await recorder.record(shop, late, 4 * DAY, ("range", "enforce"))
    await recorder.record(shop, late, 2 * DAY, verified_after=HOUR)
    await recorder.record(shop, never, 3 * DAY, ("range", "enforce"))
    # Observed: its own code. And one whose day is not over.
    await recorder.record(bank, watched, 3 * DAY, ("vpn", "observe"), verified_after=HOUR)
    await recorder.record(shop, recent, 2 * HOUR, ("range", "enforce"))
    # What an operator waived stopped nobody; decoys and test clients have no people; and what is outside the window.
    await recorder.record(shop, uuid4(), DAY, ("range", "lifted"))
    await recorder.record(shop, uuid4(), DAY, ("range", "enforce"), deliver=False)
    await recorder.record(shop, uuid4(), DAY, ("range", "enforce"), test=True)
    await recorder.record(shop, uuid4(), 8 * DAY, ("range", "enforce"))
    assert await outcomes_of(database) == [
        ("bank", None, "observe", 1, 1, 0),
        ("bank", "vpn", "observe", 1, 1, 0),
        ("shop", None, "enforce", 5, 2, 1),
        ("shop", "range", "enforce", 5, 2, 1),
        ("shop", "bot", "enforce", 1, 1, 0),
    ]
    assert await outcomes_of(database, 3 * HOUR) == [
        ("shop", None, "enforce", 1, 0, 1), ("shop", "range", "enforce", 1, 0, 1),
    ]  # fmt: skip


async def test_a_code_from_before_the_rule_objected_is_no_sign_that_it_was_wrong(database: Database) -> None:
    recorder = Recorder(database)
    shop, number = await recorder.client("shop"), uuid4()
    await recorder.record(shop, number, 5 * HOUR, verified_after=HOUR)
    await recorder.record(shop, number, 3 * HOUR, ("range", "enforce"))
    assert await outcomes_of(database) == [("shop", None, "enforce", 1, 0, 1), ("shop", "range", "enforce", 1, 0, 1)]


async def test_the_command_the_backtest_and_the_api_give_the_same_estimate(database_url: str, tmp_path: Path) -> None:
    policy = POLICY + '[rules.vpn]\nmode = "observe"\n'
    async with run_gateway(database_url, policy=policy, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        operator = await gateway.client("desk", scope="operator")
        # A bot that is none: suppressed, and verified without its event.
        stopped = await gateway.begin(device_event_id=await mint(gateway, bot="bad"))
        assert (await findings_of(gateway, stopped))["bot"] == "enforce"
        through = await gateway.begin(device_event_id=await mint(gateway, vpn=True))
        assert (await gateway.verify(through, await read_code(gateway, PHONE))).body["verified"] is True
        reply = await operator.call("GET", "/v1/operator/outcomes?window=2h")
        assert {(one["rule"], one["mode"], one["numbers"], one["verified"], one["verified_share"])
                for one in reply.body["outcomes"]} == {
            (None, "enforce", 1, 1, 1.0), ("bot", "enforce", 1, 1, 1.0),
            (None, "observe", 1, 1, 1.0), ("vpn", "observe", 1, 1, 1.0),
        }  # fmt: skip
        assert (await operator.call("GET", "/v1/operator/outcomes?window=31d")).status == 422
        assert (await gateway.call("GET", "/v1/operator/outcomes")).status == 403
        settings = {"DATABASE_URL": gateway.environment["DATABASE_URL"]}
        (tmp_path / "policy.toml").write_text(policy)
        told = await run_inside("policy", "outcomes", "--since", "2h", settings=settings)
        assert "shop                bot                 enforce          1        1  100.0%        0" in told.out
        again = await run_inside("policy", "backtest", str(tmp_path / "policy.toml"), settings=settings)
        assert told.out.strip() in again.out
