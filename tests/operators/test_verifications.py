"""Operators see why a number got no code, which nobody else can see, and never see the whole number."""

from __future__ import annotations

from uuid import uuid4

from service.vault import Vault
from tests.support.fraud import enforced, findings_of, run_guarded
from tests.support.gateway import ADDRESS, PHONE, Calls, Gateway, read_code, run_gateway, wrong

SERVED = '[countries]\nallow = ["US"]\n'


async def operator_of(gateway: Gateway) -> Calls:
    return await gateway.client("desk", scope="operator")


async def test_a_verification_is_seen_whole_with_every_finding_and_its_number_masked(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        operator, verification = await operator_of(gateway), await gateway.begin()
        code = await read_code(gateway)
        await findings_of(gateway, verification)
        await gateway.verify(verification, wrong(code))
        seen = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body
        assert (seen["client"], seen["status"], seen["number"], seen["country"]) == ("shop", "pending", "+1…42", "US")
        [send] = seen["sends"]
        assert (send["state"], send["provider"], send["decision"]["allow"]) == ("sent", "telnyx", True)
        assert send["decision"]["findings"] == [
            {"rule": "no_event", "mode": "observe", "detail": "no event", "reason": ""}
        ]
        assert send["decision"]["facts"]["histories"]["block_10k"]["goods"] == [False]
        happened = [event["what"] for event in seen["events"]]
        assert happened[:3] == ["requested", "sms begun", "sms sent"]
        assert "code wrong" in happened
        await gateway.verify(verification, code)
        ended = (await operator.call("GET", f"/v1/operator/verifications/{verification}")).body
        assert (ended["number"], ended["country"], ended["events"][-1]["what"]) == (None, "US", "verified")


async def test_a_decision_of_another_version_is_shown_as_far_as_it_is_understood(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator, verification = await operator_of(gateway), await gateway.begin()
        await findings_of(gateway, verification)
        for decision in (
            '{"allow": true, "facts": {"number": 5, "histories": {"ip": [1, 2]}}}',
            '{"allow": true, "new": 1, "facts": {"histories": 7}}',
        ):
            await gateway.database.pool.execute("update sends set decision = $1", decision)
            seen = await operator.call("GET", f"/v1/operator/verifications/{verification}")
            assert (seen.status, seen.body["country"], seen.body["sends"][0]["decision"]["allow"]) == (200, None, True)
        assert (await operator.call("GET", "/v1/operator/summary")).status == 200


async def test_the_digits_that_histories_keep_are_not_shown(database_url: str) -> None:
    async with run_guarded(database_url) as gateway:
        operator = await operator_of(gateway)
        await findings_of(gateway, await gateway.begin("+13125557391"))
        verification = await gateway.begin(PHONE)
        await findings_of(gateway, verification)
        async with gateway.session.get(
            f"{gateway.url}/v1/operator/verifications/{verification}",
            headers={"authorization": f"Bearer {operator.key}"},
        ) as response:
            text = await response.text()
        assert response.status == 200
        assert "marks" not in text
        for digits in ("7391", "0142", "57391", ADDRESS):
            assert digits not in text


async def test_a_number_is_searched_over_every_client_newest_first_and_the_search_is_noted(database_url: str) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        operator, other = await operator_of(gateway), await gateway.client("bank")
        first = await gateway.begin("+442079460000")
        await enforced(gateway, first)
        second = await other.begin("+44 20 7946 0000")
        await gateway.begin(PHONE)
        reply = await operator.call("POST", "/v1/operator/search", {"phone_number": "+44 (0)20 7946-0000"})
        found = reply.body["verifications"]
        assert [(one["id"], one["client"]) for one in found] == [(second, "bank"), (first, "shop")]
        assert found[1]["suppressed_by"] == ["country"]
        limited = await operator.call("POST", "/v1/operator/search", {"phone_number": "+442079460000", "limit": 1})
        assert [one["id"] for one in limited.body["verifications"]] == [second]
        notes = await gateway.database.pool.fetch("select * from audits where action = 'search'")
        key = await gateway.database.pool.fetchval("select id from api_keys where scope = 'operator'")
        subject = Vault([b"s" * 32], b"i" * 32).hash(b"phone", "+442079460000")
        assert {(note["key_id"], note["action"], note["subject"]) for note in notes} == {(key, "search", subject)}
        assert len(notes) == 2


async def test_a_summary_counts_what_was_sent_suppressed_and_converted(database_url: str) -> None:
    async with run_gateway(database_url, policy=SERVED) as gateway:
        operator, tested = await operator_of(gateway), await gateway.client("rehearsal", test=True)
        verified = await gateway.begin(PHONE)
        await gateway.verify(verified, await read_code(gateway, PHONE))
        await enforced(gateway, await gateway.begin("+13125550143"))
        await enforced(gateway, await gateway.begin("+442079460000"))
        await enforced(gateway, await gateway.begin("+13125550144", deliver=False))
        await enforced(gateway, await tested.begin("+13125550145"))
        old = await gateway.begin("+13125550146")
        await enforced(gateway, old)
        await gateway.database.pool.execute(
            "update verifications set created_at = created_at - interval '2 hours' where id = $1", old
        )
        said = (await operator.call("GET", "/v1/operator/summary?window=1h")).body
        assert (said["requests"], said["decoys"], said["sends"], said["suppressed"]) == (4, 1, 2, 1)
        assert (said["sent_to"], said["verified"], said["verified_share"]) == (2, 1, 0.5)
        assert said["groups"] == [
            {"country": "US", "channel": "sms", "requests": 3, "sends": 2, "suppressed": 0, "verified": 1},
            {"country": "GB", "channel": "sms", "requests": 1, "sends": 0, "suppressed": 1, "verified": 0},
        ]
        assert {"rule": "country", "mode": "enforce", "count": 1} in said["findings"]
        wider = (await operator.call("GET", "/v1/operator/summary?window=3h")).body
        assert (wider["requests"], wider["sends"]) == (5, 3)
        assert (await operator.call("GET", "/v1/operator/summary")).body["requests"] == 4


async def test_a_window_that_is_none_is_named(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator = await operator_of(gateway)
        for window in ("0h", "25h", "1441m", "x", "", "1h&window=2h", "-1h", "999999d"):
            reply = await operator.call("GET", f"/v1/operator/summary?window={window}")
            assert (reply.status, reply.body["fields"]) == (422, ["window"]), window


async def test_neither_scope_does_the_others_work(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        operator, verification = await operator_of(gateway), await gateway.begin()
        theirs = [
            ("GET", f"/v1/operator/verifications/{verification}", None),
            ("POST", "/v1/operator/search", {"phone_number": PHONE}),
            ("GET", "/v1/operator/summary", None),
            ("GET", "/v1/operator/ledger", None),
            ("GET", "/v1/operator/blocks", None),
            ("POST", "/v1/operator/blocks", {"country": "US", "duration": "1h", "reason": "tried"}),
            ("DELETE", "/v1/operator/blocks/1", None),
            ("GET", "/v1/operator/exemptions", None),
            (
                "POST",
                "/v1/operator/exemptions",
                {"phone_number": PHONE, "duration": "1h", "reason": "x", "limits": True},
            ),
            ("DELETE", "/v1/operator/exemptions/1", None),
            *(("GET", f"/v1/operator/{name}", None) for name in ("audits", "alerts", "clients", "keys")),
            ("POST", "/v1/operator/keys", {"client": "shop"}),
            ("DELETE", "/v1/operator/keys/1", None),
        ]
        for method, path, body in theirs:
            reply = await gateway.call(method, path, body)
            assert (reply.status, reply.body["type"].rsplit(":", 1)[1]) == (403, "wrong-scope"), path
            assert "operator" in reply.body["detail"]
        for reply in (
            await operator.request(), await operator.read(verification), await operator.verify(verification, "123456"),
            await operator.use_fallback(verification), await operator.cancel(verification),
        ):  # fmt: skip
            assert reply.status == 403
            assert "verify" in reply.body["detail"]
        assert (await operator.call("GET", f"/v1/operator/verifications/{uuid4()}")).status == 404
        assert await gateway.database.pool.fetchval("select count(*) from audits where action <> 'create_key'") == 0
        await gateway.database.pool.execute("update api_keys set revoked_at = now() where scope = 'operator'")
        assert (await operator.call("GET", "/v1/operator/blocks")).status == 401
