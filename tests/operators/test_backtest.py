"""policy backtest says what another policy would change: whom it suppresses or frees, and who of them were people."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from service.operators.backtesting.backtest_input import PAGE
from service.vault import first_id
from tests.support.admission import NOON
from tests.support.commands import Done, run_inside
from tests.support.fraud import enforced, findings_of, mint, run_guarded
from tests.support.gateway import OTHER_PHONE, PHONE, Gateway, read_code, run_gateway

SERVED = '[countries]\nallow = ["US"]\n[limits]\nip = ["1000/1h"]\n'
ELSEWHERE = "+447400123456"
# Copies of one verification and its send, under ids of their own.
COPY = """
with ids as (select gen_random_uuid() as id from generate_series(1, $2)), made as (
    insert into verifications
    select (v.r).* from (select jsonb_populate_record(v, jsonb_build_object('id', i.id)) as r
                         from verifications v, ids i where v.id = $1) as v
)
insert into sends
select (s.r).* from (
    select jsonb_populate_record(s, jsonb_build_object('verification_id', i.id, 'provider_id', null)) as r
    from sends s, ids i where s.verification_id = $1) as s
"""


async def decide(gateway: Gateway, folder: Path, policy: str, *options: str) -> Done:
    file = folder / "policy.toml"
    file.write_text(policy)
    settings = {"DATABASE_URL": gateway.environment["DATABASE_URL"]}
    return await run_inside("policy", "backtest", str(file), *options, settings=settings)


async def changes_of(gateway: Gateway, folder: Path, policy: str, *options: str) -> dict[str, Any]:
    done = await decide(gateway, folder, policy, "--json", *options)
    assert (done.code, done.err) == (0, "")
    changes: dict[str, Any] = msgspec.json.decode(done.out)
    return changes


async def record(gateway: Gateway) -> list[str]:
    """Have three sends decided (one converted, one not, one suppressed), and a decoy's and a test client's."""
    verified = await gateway.begin(PHONE)
    await gateway.verify(verified, await read_code(gateway, PHONE))
    others = [await gateway.begin(OTHER_PHONE), await gateway.begin(ELSEWHERE)]
    others += [await gateway.begin("+13125550144", deliver=False)]
    others += [await (await gateway.client("rehearsal", test=True)).begin("+13125550145")]
    for verification in others:
        await findings_of(gateway, verification)
    return [verified, *others]


async def test_what_a_policy_would_stop_and_let_out_is_counted_by_rule_with_those_who_were_people(
    database_url: str, tmp_path: Path
) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        await record(gateway)
        same = await changes_of(gateway, tmp_path, SERVED)
        assert (same["decided"], same["stopped_before"], same["stopped_after"]) == (3, 1, 1)
        assert (same["newly_stopped"], same["newly_released"]) == (0, 0)
        other = await changes_of(gateway, tmp_path, SERVED.replace("US", "GB"))
        assert (other["stopped_before"], other["stopped_after"]) == (1, 2)
        assert [other[f"newly_stopped{what}"] for what in ("", "_sent", "_verified")] == [2, 2, 1]
        assert (other["newly_released"], other["unasked"]) == (1, 1)
        assert other["rules"] == {
            "country": {"before": 1, "after": 2, "gained": 2, "gained_sent": 2, "gained_verified": 1, "lost": 1,
                        "lost_released": 1},
        }  # fmt: skip
        strict = await changes_of(gateway, tmp_path, SERVED + '[rules.no_event]\nmode = "enforce"\n')
        assert (strict["newly_stopped"], strict["rules"]["no_event"]["gained_verified"]) == (2, 1)
        assert strict["rules"]["country"]["gained"] == strict["rules"]["country"]["lost"] == 0


async def test_it_is_said_in_words_too_with_what_it_leaves_out(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        await record(gateway)
        prices = "[prices.countries]\nUS = { sms = 0.25 }\n"
        done = await decide(gateway, tmp_path, SERVED.replace("US", "GB") + prices)
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert "Newly suppressed: 2. 2 of them went out then, and 1 of those verified: people." in lines
        assert any(line.split() == ["country", "1", "2", "2", "2", "1", "1", "1"] for line in lines)
        assert "Money: 0.50 USD less, 0.25 of it on people; 0.04 more for what is let through." in done.out
        for left_out in ("Limits and budgets: ", "Blocks: ", "Histories: "):
            assert left_out in done.out
        assert PHONE[2:] not in done.out


async def test_each_client_is_decided_by_its_own_policy(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        bank = await gateway.client("bank")
        for calls, phone in ((gateway, PHONE), (bank, OTHER_PHONE)):
            await findings_of(gateway, await calls.begin(phone))
        own = SERVED + '[clients.bank.countries]\nallow = ["GB"]\n'
        changes = await changes_of(gateway, tmp_path, own)
        assert (changes["decided"], changes["newly_stopped"]) == (2, 1)


async def test_device_rules_and_histories_are_asked_again_of_their_recorded_facts(
    database_url: str, tmp_path: Path
) -> None:
    async with run_guarded(database_url) as gateway:
        event = await mint(gateway, suspect_score=15)
        assert await enforced(gateway, await gateway.begin(device_event_id=event)) == set()
        stricter = SERVED + "[rules.suspect_score]\nabove = 10\n"
        assert (await changes_of(gateway, tmp_path, stricter))["rules"]["suspect_score"]["gained"] == 1
        pumped = [await gateway.begin(f"+1312555{2000 + n}", ip_address=f"198.51.100.{n}") for n in range(12)]
        suppressed = sum([bool(await enforced(gateway, one)) for one in pumped])
        assert suppressed > 0
        rules = ("sequential", "range", "block", "burst", "unverified_share", "device_numbers", "country_conversion",
                 "ip_conversion", "many_countries")  # fmt: skip
        open_to_all = SERVED + "".join(f'[rules.{rule}]\nmode = "observe"\n' for rule in rules)
        changes = await changes_of(gateway, tmp_path, open_to_all)
        assert (changes["stopped_before"], changes["newly_released"], changes["unasked"]) == (suppressed, suppressed, 0)


async def test_what_a_limit_refused_stays_refused_while_its_rule_enforces(database_url: str, tmp_path: Path) -> None:
    policy = SERVED + 'phone_everywhere = ["1/1h"]\n'
    async with run_gateway(database_url, policy=policy) as gateway:
        assert await enforced(gateway, await gateway.begin()) == set()
        assert await enforced(gateway, await gateway.begin()) == {"phone_everywhere"}
        assert (await changes_of(gateway, tmp_path, SERVED))["stopped_after"] == 1
        spent = "update sends set decision = replace(decision::text, 'phone_everywhere', 'budget')::jsonb"
        off = SERVED + '[rules.phone_everywhere]\nmode = "observe"\n'
        assert (await changes_of(gateway, tmp_path, off))["newly_released"] == 1
        await gateway.database.pool.execute(spent)
        assert (await changes_of(gateway, tmp_path, SERVED))["newly_released"] == 1
        assert (await changes_of(gateway, tmp_path, SERVED + "[budgets]\neverything = 5\n"))["newly_released"] == 0


async def test_decisions_that_no_longer_decode_are_counted_and_left_out(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        first, second, *_ = await record(gateway)
        change = "update sends set decision = $2::jsonb where verification_id = $1"
        await gateway.database.pool.execute(change, UUID(first), '{"allow": true, "facts": {"number": 5}}')
        changes = await changes_of(gateway, tmp_path, SERVED)
        assert (changes["decided"], changes["unread"]) == (2, 1)
        await gateway.database.pool.execute(
            "update sends set decision = jsonb_set(decision, '{facts,histories,country,1}', '[1, 2, 3, 4]')"
            " where verification_id = $1", UUID(second),
        )  # fmt: skip
        assert (await changes_of(gateway, tmp_path, SERVED))["decided"] <= 2
        assert "of another version" in (await decide(gateway, tmp_path, SERVED)).out


async def test_only_a_window_is_decided_where_one_is_named(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        first, *_ = await record(gateway)
        for table, column in (("sends", "verification_id"), ("verifications", "id")):
            change = f"update {table} set {column} = $2 where {column} = $1"
            await gateway.database.pool.execute(change, UUID(first), first_id(NOON.replace(year=2026, month=1)))
        assert (await changes_of(gateway, tmp_path, SERVED))["decided"] == 3
        assert (await changes_of(gateway, tmp_path, SERVED, "--since", "1h"))["decided"] == 2
        assert (await changes_of(gateway, tmp_path, SERVED, "--since", "9999999d"))["decided"] == 3
        for length in ("soon", "0d", "-1d"):
            assert (await decide(gateway, tmp_path, SERVED, "--since", length)).code == 2


async def test_history_is_read_over_many_pages_each_send_once(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        first, *_ = await record(gateway)
        await gateway.database.pool.execute(COPY, UUID(first), 2 * PAGE - 3)
        assert (await changes_of(gateway, tmp_path, SERVED))["decided"] == 2 * PAGE
        await gateway.database.pool.execute(COPY, UUID(first), 1)
        changes = await changes_of(gateway, tmp_path, SERVED.replace("US", "GB"))
        assert (changes["decided"], changes["newly_stopped_verified"]) == (2 * PAGE + 1, 2 * PAGE - 1)


async def test_a_mistake_of_the_file_is_named_as_policy_check_names_it(database_url: str, tmp_path: Path) -> None:
    async with run_gateway(database_url, serve=False) as gateway:
        said = (await decide(gateway, tmp_path, '[limits]\nphone = ["x"]\n')).sentence()
        assert said == (await run_inside("policy", "check", str(tmp_path / "policy.toml"))).sentence()
        empty = await changes_of(gateway, tmp_path, SERVED)
        assert (empty["decided"], empty["rules"]) == (0, {})
