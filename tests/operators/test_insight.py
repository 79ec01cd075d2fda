"""What the console shows can be read by the operator API too: sums, a number's limits, backtests."""

from __future__ import annotations

from service.sandbox.faults import Fault
from tests.support.fraud import findings_of
from tests.support.gateway import PHONE, run_gateway
from tests.support.waiting import until

NOBODY = "00000000-0000-7000-8000-000000000000"


async def test_sums_of_each_window_count_what_happened_and_have_no_gaps(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        await findings_of(gateway, await gateway.begin("+442079460000"))

        async def is_counted() -> bool:
            return bool(await gateway.database.pool.fetchval("select exists (select from activity)"))

        await until(is_counted, "it is counted")
        for window, steps in (("1h", 60), ("24h", 24), ("30d", 30)):
            seen = (await operator.call("GET", f"/v1/operator/activity?window={window}")).body
            assert len(seen["steps"]) == steps
            assert sum(step["suppressed"] for step in seen["steps"]) == 1
            [country] = seen["countries"]
            assert (country["name"], country["requests"], country["sends"]) == ("GB", 1, 0)
        for window in ("2h", "", "1h&window=1h"):
            reply = await operator.call("GET", f"/v1/operator/activity?window={window}")
            assert (reply.status, reply.body["fields"]) == (422, ["window"]), window


async def test_what_a_limit_refused_is_told_with_the_limit_and_the_look_up_is_noted(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        assert [(await gateway.request(PHONE)).status for _ in range(5)] == [202] * 3 + [429] * 2

        async def is_stored() -> bool:
            return bool(await gateway.database.pool.fetchval("select sum(count) = 2 from refusals"))

        await until(is_stored, "both refusals are stored")
        found = (await operator.call("POST", "/v1/operator/limits", {"phone_number": PHONE})).body
        assert sum(one["count"] for one in found["refused"]) == 2
        [full] = found["limits"]
        assert (full["client"], full["name"], full["max"], full["seconds"]) == ("shop", "phone", 3, 600)
        assert full["in_force"]
        assert await gateway.database.pool.fetchval("select count(*) from audits where action = 'search'") == 1
        await gateway.database.pool.execute(
            "update counters set hits = array(select h - interval '11 minutes' from unnest(hits) h)"
        )
        [past] = (await operator.call("POST", "/v1/operator/limits", {"phone_number": PHONE})).body["limits"]
        assert not past["in_force"]


async def test_a_backtest_runs_and_tells_its_changes(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        await findings_of(gateway, await gateway.begin(PHONE))
        wrong = await operator.call("POST", "/v1/operator/backtests", {"policy": "[limits]\nip = 3"})
        assert (wrong.status, wrong.body["fields"], "line 2" in wrong.body["detail"]) == (422, ["policy"], True)
        order = {"policy": '[rules.no_event]\nmode = "enforce"', "window": "1d"}
        started = await operator.call("POST", "/v1/operator/backtests", order)
        assert started.status == 202
        path = f"/v1/operator/backtests/{started.body['id']}"

        async def is_done() -> bool:
            return (await operator.call("GET", path)).body["ended_at"] is not None

        await until(is_done, "it is done")
        seen = (await operator.call("GET", path)).body
        assert (seen["share"], seen["error"], seen["interrupted"]) == (1, None, False)
        assert (seen["changes"]["decided"], seen["changes"]["newly_suppressed"]) == (1, 1)
        assert [rule["rule"] for rule in seen["changes"]["rules"]] == ["no_event"]
        assert (await operator.call("GET", f"/v1/operator/backtests/{NOBODY}")).status == 404


async def test_the_queue_the_times_and_an_open_breaker_are_told(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")
        seen = (await operator.call("GET", "/v1/operator/situation")).body
        assert seen["breakers"][0] == {"clients": None, "open": False, "reason": None}
        gateway.stage.faults.add(Fault(kind="no_funds"))
        await gateway.begin(PHONE)

        async def is_open() -> bool:
            found = (await operator.call("GET", "/v1/operator/situation")).body
            return bool(found["breakers"][0] == {"clients": None, "open": True, "reason": "ours_20100"})

        await until(is_open, "the breaker is told")


async def test_the_policy_in_force_is_told_with_what_differs(database_url: str) -> None:
    async with run_gateway(database_url, policy='[rules.vpn]\nmode = "observe"\n[limits]\nip = ["7/1h"]\n') as gateway:
        operator = await gateway.client("desk", scope="operator")
        seen = (await operator.call("GET", "/v1/operator/policy")).body
        assert seen["version"] == seen["file"]["version"]
        [limit] = [one for one in seen["file"]["differences"] if one["setting"] == "limits.ip"]
        assert "7/1h" in limit["value"]
        assert "7/1h" in seen["file"]["text"]


async def test_the_doctors_points_are_told_the_worst_first(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await gateway.client("desk", scope="operator")

        async def is_there() -> bool:
            return bool((await operator.call("GET", "/v1/operator/doctor")).body["points"])

        await until(is_there, "it was examined")
        seen = (await operator.call("GET", "/v1/operator/doctor")).body
        ranks = [("fail", "warn", "pass").index(one["status"]) for one in seen["points"]]
        assert ranks == sorted(ranks)
        assert "phone_limit" in {one["name"] for one in seen["points"]}
