"""The console's other pages: what happens now, rules and backtests, blocks, exemptions, audits, clients and keys."""

from __future__ import annotations

import html
import re
from pathlib import Path

from service.operators.reports.activity import ActivityQueries, Length, total
from tests.support.console import sit_down
from tests.support.fraud import findings_of
from tests.support.gateway import OTHER_PHONE, PHONE, read_code, run_gateway
from tests.support.waiting import until

COUNTED = "select {} from activity where span = 'hour' and client <> ''"
SUMS = ("requests", "decoys", "sends", "suppressed", "converted", "limited")


async def test_now_shows_what_was_requested_sent_suppressed_converted_and_limited(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE)
        await gateway.verify(verification, await read_code(gateway))
        await findings_of(gateway, await gateway.begin("+442079460000"))
        await findings_of(gateway, await gateway.begin(OTHER_PHONE, deliver=False))
        tested = await gateway.client("rehearsal", test=True)
        await findings_of(gateway, await tested.begin("+13125550150"))
        while (await gateway.request(PHONE)).status == 202:
            await read_code(gateway)

        async def is_counted() -> bool:
            row = await gateway.database.pool.fetchrow(COUNTED.format(", ".join(f"sum({one})" for one in SUMS)))
            return row is not None and tuple(row) == (6, 1, 4, 1, 1, 1)

        await until(is_counted, "all of it is counted, once")
        text = (await desk.get()).text
        assert "Requests 6 last 60 minutes" in text
        assert "Converted 25% 1 of 4" in text
        assert "Suppressed 1 20% of requests but decoys" in text
        assert "Limited 1 answered 429" in text
        assert re.search(r"By country .* US 4 25% .* GB 0 - 1", text), text
        assert "By client" in text
        assert "Telnyx, for everybody closed" in text


async def test_sums_stay_when_the_database_was_away_and_every_step_of_a_series_is_there(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (_, _):
        await gateway.database.pool.execute("alter table activity rename to elsewhere")
        await findings_of(gateway, await gateway.begin(PHONE))
        await gateway.database.pool.execute("alter table elsewhere rename to activity")

        async def is_counted() -> bool:
            return bool(await gateway.database.pool.fetchval(COUNTED.format("sum(requests) = 1")))

        await until(is_counted, "it is counted all the same")
        series = await ActivityQueries(gateway.database).series(Length("day", 30))
        assert (len(series), total(series).requests, series[-1].requests) == (30, 1, 1)


async def test_the_alerts_of_now_and_before_are_shown(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.database.pool.execute(
            "insert into alerts (kind, text, began_at, seen_at, ended_at) values "
            "('budget', 'GB is spent', now(), now() + interval '1 hour', null), "
            "('block US block_10k', 'A rule has blocked it', now() - interval '2 hours', now(), now())"
        )
        text = (await desk.get()).text
        assert re.search(r"Open alerts budget since .*: GB is spent", text)
        assert re.search(r"Past alerts block .*for 2 h: A rule has blocked it", text)


async def test_rules_show_what_each_stops_of_whose_requests_and_who_of_those_were_people(database_url: str) -> None:
    policy = '[countries]\nallow = ["US"]\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        verification = await gateway.begin(PHONE)
        await gateway.verify(verification, await read_code(gateway))
        for number in ("+442079460000", "+442079460001"):
            await findings_of(gateway, await gateway.begin(number))
        # One of them is let through by another channel of proof, so it was a person.
        await gateway.database.pool.execute(
            "update verifications set status = 'verified', closed_at = now() where id = "
            "(select v.id from verifications v join sends s on s.verification_id = v.id "
            "where s.decision ->> 'allow' = 'false' order by v.id limit 1)"
        )

        async def is_shown() -> bool:
            text = (await desk.get("/operator/rules")).text
            return bool(re.search(r"country shop 2 66.7 % 100 % 2 1 · 50 %", text))

        await until(is_shown, "the rule is shown with who of its numbers were people")
        text = (await desk.get("/operator/rules")).text
        assert re.search(r"What they would have suppressed .*no_event shop 1 33.3 % 1 1 · 100 %", text), text


async def test_the_policy_is_shown_with_what_differs_from_the_shipped_one(database_url: str) -> None:
    async with run_gateway(database_url, policy='[limits]\nip = ["7/1h"]\n') as gateway, sit_down(gateway) as (desk, _):
        text = (await desk.get("/operator/rules/policy")).text
        assert 'limits.ip ["7/1h"] ["10/1h"' in text
        file = Path(gateway.environment["POLICY_FILE"])
        file.write_text(file.read_text() + "# changed\n")
        assert "has changed since this process started" in (await desk.get("/operator/rules/policy")).text


async def test_a_backtest_is_started_from_a_pasted_file_and_shows_what_would_change(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await findings_of(gateway, await gateway.begin(PHONE))
        await findings_of(gateway, await gateway.begin("+442079460000"))
        await desk.get("/operator/rules")
        wrong = await desk.post("/operator/backtests", {"policy": "[rules.bot]\nmode = 1", "since": "1d"})
        assert (wrong.status, "line 2" in wrong.text) == (422, True)
        begun = await desk.post(
            "/operator/backtests", {"policy": '[rules.no_event]\r\nmode = "enforce"', "since": "1d"}
        )

        async def is_done() -> bool:
            return "Decided again 2 sends" in (await desk.get(begun.path)).text

        await until(is_done, "the backtest is done")
        shown = await desk.get(begun.path)
        assert "Suppressed 2 1 then" in shown.text
        assert re.search(r"no_event 0 1 1 1 0", shown.text), shown.text
        assert 'mode = "enforce"' in shown.text
        assert "<script" not in shown.page
        acts = await gateway.database.pool.fetchval("select count(*) from audits where action = 'backtest'")
        assert acts == 1


async def test_one_backtest_runs_at_a_time_and_one_whose_process_died_is_told_of(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.database.pool.execute(
            "insert into backtests (id, key_id, policy, version, began_at, seen_at, share) "
            "values (gen_random_uuid(), 1, '', 'abc', now(), now(), 0.4)"
        )
        await desk.get("/operator/rules")
        refused = await desk.post("/operator/backtests", {"policy": "", "since": "1d"})
        assert (refused.status, "A backtest is under way" in refused.text) == (422, True)
        row = await gateway.database.pool.fetchval("select id from backtests")
        shown = await desk.get(f"/operator/backtests/{row}")
        assert "40 % done" in shown.text
        assert 'src="/operator/console.js"' in shown.page
        assert "script-src 'self'; connect-src 'self'" in shown.headers["content-security-policy"]
        await gateway.database.pool.execute("update backtests set seen_at = now() - interval '1 hour'")
        assert "the process that ran it has ended" in (await desk.get(f"/operator/backtests/{row}")).text
        assert (await desk.post("/operator/backtests", {"policy": "", "since": "1d"})).path.startswith(
            "/operator/backtests/"
        )


async def test_blocks_of_each_kind_are_set_listed_and_lifted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await desk.get("/operator/blocks")
        orders = {"range": PHONE, "country": "gb", "ip": "203.0.113.9", "device": "visitor"}
        for kind, target in orders.items():
            fields = {"kind": kind, "target": target, "digits": "5", "duration": "30m", "reason": f"pumped by {kind}"}
            shown = await desk.post("/operator/blocks", fields)
            assert f"pumped by {kind}" in shown.text, shown.text
        listed = (await desk.get("/operator/blocks")).page
        for secret in (PHONE, "<td>203.0.113.9", "<td>visitor"):
            assert secret not in listed
        for wrong in (
            {"kind": "country", "target": "XX"}, {"kind": "range", "target": "12"}, {"kind": "all", "target": "x"},
            {"kind": "country", "target": "US", "duration": "31d"}, {"kind": "country", "target": "US", "reason": "x"},
            {"kind": "country", "target": "US", "reason": "call +13125550142"},
        ):  # fmt: skip
            fields = {"duration": "1h", "reason": "pumped"} | wrong
            assert (await desk.post("/operator/blocks", fields)).status == 422, wrong
        assert "Lifted." in (await desk.post("/operator/blocks/1/lift")).text
        states = await gateway.database.pool.fetch("select lifted_at is not null as lifted from blocks order by id")
        assert [row["lifted"] for row in states] == [True, False, False, False]


async def test_a_refused_form_gives_back_what_was_typed_and_runs_none_of_it(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        typed = {"target": '"><b>12', "duration": "2h", "reason": 'asked by "Jo" & <i>Al</i>'}
        forms = {
            "/operator/blocks": typed | {"kind": "ip", "digits": "5"},
            "/operator/exemptions": typed | {"kind": "range", "rule": "country", "limits": "on"},
            "/operator/callbacks": {"client": "nobody", "url": 'https://shop.example/"><b>12'},
        }
        for path, fields in forms.items():
            await desk.get(path)
            shown = await desk.post(path, fields)
            assert (shown.status, "<b>" in shown.page) == (422, False), path
            for name, text in fields.items():
                given = html.escape(text, quote=True).replace("&quot;", "&#34;")
                kept = f' value="{given}"' in shown.page or f"<option selected>{given}</option>" in shown.page
                assert kept or (text == "on" and f'name="{name}" value="on" checked' in shown.page), (path, name)
            if "kind" in fields:
                assert f'<option value="{fields["kind"]}" selected>' in shown.page


async def test_exemptions_are_set_listed_and_lifted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await desk.get("/operator/exemptions")
        fields = {"target": PHONE, "duration": "30m", "rule": "range", "lockouts": "on", "reason": "a person"}
        shown = await desk.post("/operator/exemptions", fields)
        assert "+1…42 lockouts, range in force" in shown.text
        assert PHONE not in shown.page
        safe = {"kind": "range", "target": "+1 312 555", "duration": "30d", "safe": "on", "reason": "our own office"}
        assert "rules in force" in (await desk.post("/operator/exemptions", safe)).text
        country = {"kind": "country", "target": "US", "duration": "1d", "rule": "country_spike", "reason": "a launch"}
        assert "US country_spike in force" in (await desk.post("/operator/exemptions", country)).text
        for wrong in ({"duration": "2h"}, {"rule": "nothing"}, {"rule": "", "lockouts": None}, {"target": "1"}):
            given = {name: text for name, text in (fields | wrong).items() if text is not None}
            assert (await desk.post("/operator/exemptions", given)).status == 422, wrong
        assert "Lifted." in (await desk.post("/operator/exemptions/1/lift")).text


async def test_the_doctors_list_is_shown_with_what_to_do_and_can_be_asked_for_again(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await desk.get("/operator/doctor")

        async def is_examined() -> bool:
            text = (await desk.get("/operator/doctor")).text
            return "Examined at" in text and "being examined" not in text

        await until(is_examined, "the doctor has examined")
        text = (await desk.get("/operator/doctor")).text
        assert "Limit for each phone number" in text
        assert re.search(r"\d+ fail, \d+ warn, \d+ pass", text)
        assert (await desk.post("/operator/doctor")).status == 200
        await until(is_examined, "the doctor has examined again")


async def test_lists_go_on_page_by_page(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        await gateway.database.pool.execute(
            "insert into blocks (subject, kind, label, reason, level, began_at, until, set_by) "
            "select gen_random_uuid(), 'ip', 'address', 'no ' || i || '.', 0, now(), now() + interval '1 hour', 'rule' "
            "from generate_series(1, 120) i"
        )
        await gateway.database.pool.execute(
            "insert into audits (at, action, reason) "
            "select now(), 'block', 'no ' || i || '.' from generate_series(1, 120) i"
        )
        for path in ("/operator/blocks", "/operator/audits"):
            seen: list[str] = []
            page, pages = (await desk.get(path)).page, 1
            while following := re.search(r'href="([^"]+)" rel="next"', page):
                seen += re.findall(r"no (\d+)\.", page)
                page, pages = (await desk.get(following[1])).page, pages + 1
            seen += re.findall(r"no (\d+)\.", page)
            assert (pages, seen) == (3, [str(n) for n in range(120, 0, -1)]), path
            assert (await desk.get(f"{path}?cursor=nonsense")).status == 422


async def test_a_key_is_made_shown_once_used_and_revoked_and_every_act_is_in_the_audits(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, operator):
        await desk.get("/operator/keys")
        shown = await desk.post("/operator/keys", {"client": "bank", "scope": "verify", "duration": "90d"})
        found = re.search(r'class="secret">(vg_[^<]+)<', shown.page)
        assert found
        made = found[1]
        assert made not in (await desk.get("/operator/keys")).page
        gateway.key = made
        assert (await gateway.request(PHONE)).status == 202
        for wrong in ({"client": "Bank"}, {"scope": "all"}, {"scope": "operator"}, {"duration": "x"}, {"test": "on"}):
            fields = {"client": "bank", "scope": "verify", "duration": ""} | wrong
            assert (await desk.post("/operator/keys", fields)).status == 422, wrong
        row = await gateway.database.pool.fetchval("select max(id) from api_keys")
        assert "revoked" in (await desk.post(f"/operator/keys/{row}/revoke")).text
        assert (await gateway.request(PHONE)).status == 401
        audits = (await desk.get("/operator/audits")).text
        own = await gateway.database.pool.fetchval("select id from api_keys where scope = 'operator'")
        for act in ("signed in to the console", f"made a key {row}", f"revoked a key {row}"):
            assert f"key {own} of desk {act}" in audits, audits
        listed = (await operator.call("GET", "/v1/operator/audits")).body["audits"]
        assert {one["action"] for one in listed} >= {"sign_in", "create_key", "revoke_key"}


async def test_a_page_that_does_not_exist_and_a_database_that_is_away_are_said_on_a_page(database_url: str) -> None:
    async with run_gateway(database_url) as gateway, sit_down(gateway) as (desk, _):
        missing = await desk.get("/operator/backtests/00000000-0000-7000-8000-000000000000")
        assert (missing.status, "text/html" in missing.headers["content-type"]) == (404, True)
        assert "Why no code?" in missing.text, "the way on from here"
        assert (await desk.get("/operator?window=nonsense")).status == 200
        for path, status in (
            ("/operator/nothing", 404),
            ("/operator/nothing/at/all", 404),
            ("/operator/backtests", 405),
        ):
            shown = await desk.get(path)
            assert (shown.status, shown.headers["content-type"]) == (status, "text/html; charset=utf-8"), path


async def test_an_operator_calls_no_more_pages_than_the_policy_allows(database_url: str) -> None:
    policy = '[operators]\ncalls = ["8/1m"]\nsearches = ["2/1m"]\n'
    async with run_gateway(database_url, policy=policy) as gateway, sit_down(gateway) as (desk, _):
        assert (await desk.get("/operator/why")).status == 200
        assert [(await desk.ask_why(PHONE)).status for _ in range(3)] == [200, 200, 429]
        statuses = [(await desk.get("/operator/blocks")).status for _ in range(8)]
        assert (statuses[0], statuses[-1]) == (200, 429)
