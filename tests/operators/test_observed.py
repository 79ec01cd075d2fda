"""A client may start seen: until a moment its rules only observe, and then what they would have stopped is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.policy import loading
from service.worker import alarms
from tests.support.alarms import open_channel
from tests.support.commands import run_inside
from tests.support.dispatching import ended
from tests.support.fraud import FINGERPRINT_KEY, enforced, findings_of, mint, sends_to
from tests.support.gateway import OTHER_PHONE, PHONE, POLICY, Calls, Gateway, read_code, run_gateway, run_process
from tests.support.waiting import until

FRENCH, PREMIUM = "+33612345678", "+19005550142"
SERVED = POLICY + '[countries]\nallow = ["US"]\n'


async def run(gateway: Gateway, *words: str) -> str:
    done = await run_inside(*words, settings=gateway.environment)
    assert (done.code, done.err) == (0, "")
    return done.out.strip()


async def join(gateway: Gateway, name: str, *options: str) -> Calls:
    """Make a client by the command line, and return its calls."""
    return Calls(gateway.url, await run(gateway, "keys", "create", name, *options), gateway.session)


async def outcomes_of(gateway: Gateway, *options: str) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(await run(gateway, "policy", "outcomes", "--json", *options))
    return told


async def country_mode(gateway: Gateway, verification: str, ordinal: int = 1) -> str:
    return (await findings_of(gateway, verification, ordinal))["country"]


async def test_rules_only_observe_a_new_client_and_enforce_for_all_others(database_url: str) -> None:
    async with run_gateway(database_url, policy=SERVED, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY) as gateway:
        newcomer = await join(gateway, "newcomer", "--observe", "7d")
        event, other = await mint(gateway, bot="bad"), await mint(gateway, bot="bad")
        for number in (FRENCH, PREMIUM):
            await read_code_of(gateway, newcomer, number)
        seen = await newcomer.begin(OTHER_PHONE, device_event_id=event)
        assert await findings_of(gateway, seen) == {"bot": "observe"}
        assert enforced_only(await findings_of(gateway, await gateway.begin(device_event_id=other))) == {"bot"}
        assert await enforced(gateway, await gateway.begin(FRENCH)) == {"country"}
        assert sends_to(gateway, OTHER_PHONE) == 1
        assert sends_to(gateway, PHONE) == 0


async def read_code_of(gateway: Gateway, calls: Calls, number: str) -> str:
    verification = await calls.begin(number)
    assert (await calls.verify(verification, await read_code(gateway, number))).body["verified"] is True
    return verification


def enforced_only(findings: dict[str, str]) -> set[str]:
    return {rule for rule, mode in findings.items() if mode == "enforce"}


async def test_limits_and_lockouts_hold_for_a_client_that_is_observed(database_url: str) -> None:
    limits = '[limits]\nphone = ["2/1h"]\nip = ["4/1h"]\nphone_everywhere = ["1/1h"]\n'
    policy = limits + "[lockout]\ncodes_per_verification = 1\n"
    async with run_gateway(database_url, policy=policy) as gateway:
        newcomer = await join(gateway, "newcomer", "--observe", "7d")
        first = await newcomer.begin(PHONE)
        await read_code(gateway, PHONE)
        assert (await newcomer.verify(first, "000000")).body["status"] == "locked"
        # Over all clients: silent, and a limit all the same.
        assert await enforced(gateway, await newcomer.begin(PHONE)) == {"phone_everywhere"}
        assert (await newcomer.request(PHONE)).status == 429
        assert [(await newcomer.request(OTHER_PHONE)).status for _ in range(3)] == [202, 202, 429]


async def test_another_process_that_dispatches_knows_it_and_an_old_client_may_begin_a_period(
    database_url: str,
) -> None:
    async with run_gateway(database_url, policy=SERVED, MAX_SENDS="0") as gateway:
        await run(gateway, "keys", "create", "shop", "--observe", "1d")
        environment = gateway.environment
        environment["MAX_SENDS"] = "8"
        async with run_process(gateway, command="dispatch"):
            newcomer = await join(gateway, "newcomer", "--observe", "7d")
            assert await country_mode(gateway, await newcomer.begin(FRENCH)) == "observe"
            await read_code(gateway, FRENCH)


async def test_at_its_end_rules_are_enforced_and_one_alert_and_the_command_and_the_api_report(
    database_url: str,
) -> None:
    async with (
        open_channel() as channel,
        run_gateway(database_url, policy=SERVED, ALERT_WEBHOOK_URL=channel.url) as gateway,
        run_process(gateway),
    ):
        operator = await gateway.client("desk", scope="operator")
        newcomer = await join(gateway, "newcomer", "--observe", "7d")
        await read_code_of(gateway, newcomer, FRENCH)
        await findings_of(gateway, await newcomer.begin("+33612345679"))
        await findings_of(gateway, await newcomer.begin(PHONE))
        [report] = (await operator.call("GET", "/v1/operator/observations")).body["observations"]
        assert (report["client"], report["set_by"], report["over"]) == ("newcomer", "key", False)
        assert (report["numbers"], report["suppressed"], report["verified"], report["open"]) == (3, 2, 1, 1)
        assert [(rule["rule"], rule["numbers"], rule["verified"]) for rule in report["rules"]] == [("country", 2, 1)]
        shown = await run(gateway, "policy", "show")
        assert "# newcomer's rules only observe until " in shown
        assert channel.texts == []

        await gateway.database.pool.execute("update clients set observed_until = now() where name = 'newcomer'")
        [text] = await channel.wait_for(1)
        assert text == (
            "The rules of newcomer are enforced from now on; until now they only observed. Of 3 numbers that newcomer "
            "requested, the rules would have stopped 2; 1 of these numbers were verified within a day: people "
            "(country: 2, 1 verified)."
        )
        assert text.partition("only observed. ")[2] in await run(gateway, "policy", "outcomes")
        assert (await outcomes_of(gateway))["observed"][0]["observation"]["over"] is True
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert len(channel.texts) == 1


async def test_after_its_end_a_rule_stops_the_client_in_every_process(database_url: str) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        newcomer = await join(gateway, "newcomer", "--observe", "3s")
        assert await country_mode(gateway, await newcomer.begin(FRENCH)) == "observe"

        numbers = (f"+336123457{n:02}" for n in range(100))

        async def is_enforced() -> bool:
            await asyncio.sleep(0.5)
            return await country_mode(gateway, await newcomer.begin(next(numbers))) == "enforce"

        await until(is_enforced, "the period is over")


async def test_a_date_in_the_policy_comes_before_that_of_a_key_both_ways(database_url: str) -> None:
    now = datetime.now(UTC)
    past, future = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", f"{now + timedelta(days=2):%Y-%m-%d}"
    policy = f"{SERVED}[clients.early]\nenforce_from = {past}\n[clients.late]\nenforce_from = {future}\n"
    async with run_gateway(database_url, policy=policy + '[clients.other]\nenforce_from = ""\n') as gateway:
        early = await join(gateway, "early", "--observe", "7d")
        late, other = await join(gateway, "late", "--observe", "1s"), await join(gateway, "other")
        await asyncio.sleep(1)
        assert await country_mode(gateway, await early.begin(FRENCH)) == "enforce"
        assert await country_mode(gateway, await late.begin(FRENCH)) == "observe"
        assert await country_mode(gateway, await other.begin(FRENCH)) == "enforce"
        shown = await run(gateway, "policy", "show")
        assert f"# late's rules only observe until {future} 00:00 UTC (enforce_from in the policy)" in shown
        # What is shown can be used as the policy.
        assert loading.parse(shown).of("late").client.enforce_from.at == datetime.fromisoformat(f"{future}T00:00:00Z")


async def test_a_fallback_after_the_end_is_decided_as_its_request_was(database_url: str) -> None:
    policy = SERVED + '[fallback]\nafter = "1s"\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        newcomer = await join(gateway, "newcomer", "--observe", "7d")
        verification = await newcomer.begin(FRENCH)
        await ended(gateway, verification)
        await gateway.database.pool.execute("update clients set observed_until = now()")
        await until(lambda: fell_back(newcomer, verification), "a fallback is accepted")
        assert await country_mode(gateway, verification, 2) == "observe"


async def fell_back(calls: Calls, verification: str) -> bool:
    return (await calls.use_fallback(verification)).status == 202


@pytest.mark.parametrize("options", [("--test",), ("--scope", "operator"), ("--scope", "metrics")])
async def test_only_a_client_for_which_rules_decide_can_be_observed(
    database_url: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        done = await run_inside("keys", "create", "x", "--observe", "7d", *options, settings=gateway.environment)
        assert "--observe is for keys of the scope verify" in done.sentence()


@pytest.mark.parametrize("value", ['"tomorrow"', "7", "true", '"2026-13-01"', "09:00:00", "1026-01-01", "[]"])
def test_what_is_no_date_is_named_with_its_line(value: str) -> None:
    with pytest.raises(Exception, match=r"line 2: clients\.shop\.enforce_from: "):
        loading.parse(f"[clients.shop]\nenforce_from = {value}\n")


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ('"2026-12-01"', datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T09:30:00+01:00", datetime(2026, 12, 1, 8, 30, tzinfo=UTC)),
        ("2026-12-01T09:30:00", datetime(2026, 12, 1, 9, 30, tzinfo=UTC)),
        ('""', None),
    ],
)
def test_a_date_may_be_written_as_toml_or_as_a_text(value: str, at: datetime | None) -> None:
    assert loading.parse(f"[clients.shop]\nenforce_from = {value}\n").of("shop").client.enforce_from.at == at
