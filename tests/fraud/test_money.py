"""What is sent is booked, what is suppressed too; a budget of the day is never exceeded, and no caller sees it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from service.db.engine import Database
from service.errors import PolicyError
from service.fraud.money import price_of
from service.operators.erasure import erase
from service.policy.loading import parse
from service.sandbox.faults import Fault
from service.vault import Vault
from tests.support.alarms import open_channel
from tests.support.dispatching import ended
from tests.support.fraud import enforced
from tests.support.gateway import POLICY, Gateway, run_gateway
from tests.support.tcp_proxy import lay_cable
from tests.support.waiting import until

PRICES = "[prices.countries]\nUS = { sms = 0.25, call = 1.0 }\nCA = { sms = 0.5 }\n"
COUNTRY = f"{POLICY}{PRICES}[budgets]\ncountries = {{ US = 1.25 }}\n"
EVERYTHING = f"{POLICY}{PRICES}[budgets]\neverything = 1.5\n"


def us(number: int) -> str:
    return f"+131255501{number:02}"


def ca(number: int) -> str:
    return f"+141655501{number:02}"


# Sends and their cost, those suppressed and what that saved.
ONE, NOTHING = (1, 0.25, 0, 0), (0, 0, 0, 0)


async def ledger(gateway: Gateway) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = await gateway.database.pool.fetch("select country, channel, sends, spent, stopped, saved from ledger")
    return {(row[0], row[1]): tuple(row)[2:] for row in rows}


async def booked(gateway: Gateway, line: tuple[float, ...]) -> None:
    """Wait until that is what stands in the ledger of messages to the US."""

    async def stands() -> bool:
        return (await ledger(gateway)).get(("US", "sms")) == line

    await until(stands, f"{line} is booked")


async def test_what_is_sent_and_what_is_suppressed_is_booked_and_a_decoy_is_not(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        begun = [
            await gateway.begin(us(1)),
            await gateway.begin(ca(1)),
            await gateway.begin(us(2), deliver=False),
            await gateway.begin("+447400123456"),
        ]
        for verification in begun:
            await ended(gateway, verification)
        assert await ledger(gateway) == {
            ("US", "sms"): (1, 0.25, 0, 0),
            ("CA", "sms"): (1, 0.5, 0, 0),
            ("GB", "sms"): (0, 0, 1, 0.04),
        }


async def test_operators_see_the_days_of_a_window(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        operator = await gateway.client("desk", scope="operator")
        for phone in (us(1), "+447400123456"):
            await ended(gateway, await gateway.begin(phone))
        await gateway.database.pool.execute("update ledger set day = day - 3 where country = 'GB'")
        today = (await operator.call("GET", "/v1/operator/ledger")).body
        assert (today["spent"], today["saved"], [line["country"] for line in today["lines"]]) == (0.25, 0, ["US"])
        assert today["lines"][0]["client"] == "shop"
        week = (await operator.call("GET", "/v1/operator/ledger?window=7d")).body
        assert (week["spent"], week["saved"], [line["country"] for line in week["lines"]]) == (0.25, 0.04, ["US", "GB"])
        assert (await operator.call("GET", "/v1/operator/ledger?window=1y")).status == 422


@pytest.mark.parametrize("prices", [PRICES, "[prices.countries]\nUS = { sms = 0 }\n"], ids=["priced", "free"])
async def test_a_send_that_telnyx_refused_costs_nothing(database_url: str, prices: str) -> None:
    policy = f'{POLICY}{prices}[fallback]\nmode = "off"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        gateway.stage.faults.add(Fault(kind="refuse", operations=("send",)))
        await ended(gateway, await gateway.begin(us(1)))
        await booked(gateway, NOTHING)


async def test_a_send_that_is_given_up_with_its_verification_costs_nothing(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
        begun = await gateway.begin(us(1))
        await booked(gateway, ONE)
        assert (await gateway.cancel(begun)).status == 200
        await booked(gateway, NOTHING)


async def test_a_refused_send_costs_nothing_though_the_answer_to_its_record_was_lost(
    database_url: str, database: Database
) -> None:
    policy = f'{POLICY}{PRICES}[fallback]\nmode = "off"\n'
    async with lay_cable(database_url) as (cable, near), run_gateway(near, policy=policy) as gateway:
        gateway.database = database  # the test looks on without the cable
        gateway.stage.latency["send"] = 1.5
        gateway.stage.faults.add(Fault(kind="refuse", operations=("send",)))
        begun = await gateway.begin(us(1))
        await until(lambda: bool(gateway.stage.journal.list_calls("send")), "Telnyx is about to refuse it")
        token = await database.pool.fetchval("select lease_token from verifications")
        cable.cuts.append((token.bytes, "after"))
        await ended(gateway, begun)
        await booked(gateway, NOTHING)
        assert cable.cuts == []


async def test_what_was_not_sent_is_taken_out_of_the_ledger_whatever_held_that_up(database_url: str) -> None:
    """Nobody may end a verification and be kept from the rest of it: the money would be gone for the day."""
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
        begun = await gateway.begin(us(1))
        await booked(gateway, ONE)
        async with gateway.database.pool.acquire() as line, line.transaction():
            await line.execute("select from ledger for update")
            assert (await gateway.cancel(begun)).status == 200
            await asyncio.sleep(3.5)  # longer than any statement may wait for it
        await ended(gateway, begun)
        await booked(gateway, NOTHING)


async def test_a_send_that_waits_when_its_person_is_forgotten_costs_nothing(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        gateway.stage.faults.add(Fault(kind="error500", operations=("send",)))
        begun = await gateway.begin(us(1))
        await booked(gateway, ONE)
        assert await erase(gateway.database, Vault([b"s" * 32], b"i" * 32), us(1)) == 1
        await booked(gateway, NOTHING)
        assert (await gateway.read(begun)).body["status"] == "canceled"


@pytest.mark.parametrize(("policy", "rule", "sent"), [(COUNTRY, "budget_country", 5), (EVERYTHING, "budget", 6)])
async def test_a_budget_is_never_passed_however_many_come_at_once(
    database_url: str, policy: str, rule: str, sent: int
) -> None:
    async with run_gateway(database_url, policy=policy) as gateway:
        begun = await asyncio.gather(*(gateway.begin(us(number)) for number in range(30)))
        found = [await enforced(gateway, verification) for verification in begun]
        assert [one for one in found if one] == [{rule}] * (30 - sent)
        assert len(gateway.stage.journal.list_calls("send")) == sent
        assert (await ledger(gateway))["US", "sms"] == (sent, sent * 0.25, 30 - sent, (30 - sent) * 0.25)


async def test_a_refund_goes_to_the_day_on_which_the_send_was_booked(database_url: str) -> None:
    """A send that is weighed just before midnight is booked just after it."""
    async with run_gateway(database_url, policy=POLICY + PRICES) as gateway:
        begun = await gateway.begin(us(1))
        await ended(gateway, begun)
        pool = gateway.database.pool
        await pool.execute("update sends set weighed_at = weighed_at - interval '1 day'")
        await pool.execute("insert into ledger select day - 1, client_id, country, channel, 0, 0, 1, 0.25 from ledger")
        await pool.execute("update sends set state = 'refused'")
        for _ in range(2):
            await pool.execute("select refund_sends(array[$1::uuid])", UUID(begun))
        rows = await pool.fetch("select sends, spent, stopped from ledger order by day")
        assert [tuple(row) for row in rows] == [(0, 0, 1), (0, 0, 0)]


async def test_a_budget_pays_to_the_last_cent_that_it_has(database_url: str) -> None:
    prices = "[prices.countries]\nUS = { sms = 0.1 }\n[budgets]\neverything = 0.3\ncountries = { US = 0.3 }\n"
    async with run_gateway(database_url, policy=POLICY + prices) as gateway:
        found = [await enforced(gateway, await gateway.begin(us(number))) for number in range(4)]
        assert found == [set(), set(), set(), {"budget"}]


async def test_a_spent_budget_of_one_country_suppresses_no_other_and_rings(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_gateway(database_url, policy=COUNTRY, ALERT_WEBHOOK_URL=channel.url) as gateway,
    ):
        found = [await enforced(gateway, await gateway.begin(us(number))) for number in range(6)]
        assert found == [set()] * 5 + [{"budget_country"}]
        assert await enforced(gateway, await gateway.begin(ca(1))) == set()
        assert await channel.wait_for(1) == ["A country's budget of the day is spent. More is sent tomorrow (UTC)."]


async def test_the_next_day_has_a_budget_of_its_own(database_url: str) -> None:
    async with run_gateway(database_url, policy=COUNTRY) as gateway:
        found = [await enforced(gateway, await gateway.begin(us(number))) for number in range(6)]
        assert found[-1] == {"budget_country"}
        await gateway.database.pool.execute("update ledger set day = day - 1")
        assert await enforced(gateway, await gateway.begin(us(20))) == set()


def test_a_country_without_a_price_of_its_own_costs_what_the_others_do() -> None:
    policy = parse(PRICES).default
    assert (price_of(policy, "US", "call"), price_of(policy, "CA", "call")) == (1.0, 0.075)
    assert price_of(policy, None, "sms") == price_of(policy, "AQ", "sms") == 0.075


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[budgets]\neverything = -1", "line 2: budgets.everything: must be an amount of money, 0 or more"),
        ("[budgets]\ncountries = { XX = 1 }", "line 2: budgets.countries: XX"),
        ("[prices.countries]\nUS = { fax = 1 }", "fax"),
        ("[prices.countries]\nUS = { sms = nan }", "must be an amount of money"),
    ],
)
def test_a_mistake_in_the_money_is_named(text: str, reason: str) -> None:
    with pytest.raises(PolicyError, match=reason):
        parse(text)
