"""X-Explain tells a test client why a number got nothing; a production key is told what it always is, whoever asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from tests.support.gateway import PHONE, Calls, Reply, run_gateway
from tests.support.waiting import until

ABROAD = "+442079460100"  # valid, and not in a country of the shipped list
WHY: dict[str, str] = {"x_explain": "true"}
BODY = {"phone_number": ABROAD, "ip_address": "203.0.113.9"}


async def ask(calls: Calls, number: str = ABROAD, **headers: str) -> str:
    reply = await calls.call("POST", "/v1/verifications", BODY | {"phone_number": number}, **headers)
    assert reply.status == 202
    assert "decision" not in reply.body
    return str(reply.body["id"])


async def read(calls: Calls, row: str, **headers: str) -> Reply:
    return await calls.call("GET", f"/v1/verifications/{row}", **headers)


async def read_decision(calls: Calls, row: str, **headers: str) -> dict[str, Any]:
    """Read until it is decided."""
    replies: list[Reply] = []

    async def is_decided() -> bool:
        replies.append(await read(calls, row, **headers))
        return bool(replies[-1].body.get("decision"))

    await until(is_decided, "it is decided")
    assert replies[-1].headers["cache-control"] == "no-store"
    return dict(replies[-1].body["decision"])


async def test_a_test_client_that_asks_is_told_the_rule_its_mode_and_what_it_saw(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        tester = await gateway.client("tester", test=True)
        decision = await read_decision(tester, await ask(tester), **WHY)
        assert decision["allow"] is False
        assert decision["findings"] == [
            {"rule": "country", "mode": "enforce", "detail": "country GB by sms", "reason": ""}
        ]
        assert decision["facts"]["number"]["country"] == "GB"
        assert ABROAD[3:] not in json.dumps(decision)
        asked = await ask(tester, "+14155550100")
        allowed = await read_decision(tester, asked, **WHY)
        assert (allowed["allow"], allowed["findings"]) == (True, [])
        headers = {"Authorization": f"Bearer {tester.key}", "X-Explain": "true"}
        async with gateway.session.get(f"{gateway.url}/v1/verifications/{asked}", headers=headers) as reply:
            assert reply.headers.getall("cache-control") == ["no-store"], "said once"


async def test_a_request_that_asked_is_told_by_every_later_status_and_others_only_when_the_status_asks(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        tester = await gateway.client("tester", test=True)
        asked, silent = await ask(tester, **WHY), await ask(tester, "+442079460101")
        assert (await read_decision(tester, asked))["allow"] is False
        await read_decision(tester, silent, **WHY)
        for value in ({}, {"x_explain": "false"}, {"x_explain": "1"}, {"x_explain": ""}):
            assert "decision" not in (await read(tester, silent, **value)).body, value
        await tester.cancel(asked)
        assert (await read(tester, asked)).body["decision"]["allow"] is False


async def test_asking_why_is_no_other_request_for_an_idempotency_key(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        tester = await gateway.client("tester", test=True)
        first = await ask(tester, idempotency_key="one")
        assert await ask(tester, idempotency_key="one", **WHY) == first


async def test_a_production_key_gets_the_same_with_and_without_asking(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        tester, operator = await gateway.client("tester", test=True), await gateway.client("desk", scope="operator")
        rows = [await ask(gateway, **WHY), await ask(gateway, PHONE, **WHY)]
        for row in rows:

            async def is_decided(row: str = row) -> bool:
                seen = await operator.call("GET", f"/v1/operator/verifications/{row}")
                return bool(seen.body["sends"] and seen.body["sends"][0]["decision"])

            await until(is_decided, "it is decided")
            asked, plain = await read(gateway, row, **WHY), await read(gateway, row)
            assert asked.body == plain.body
            assert set(asked.headers) == set(plain.headers)
            assert "decision" not in asked.body
            # Nor by way of a test key: its own verifications only, and nobody else's.
            assert (await read(tester, row, **WHY)).status == 404


async def test_a_test_clients_decision_is_told_to_no_other_client(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        tester, other = await gateway.client("tester", test=True), await gateway.client("other", test=True)
        row = await ask(tester, **WHY)
        await read_decision(tester, row)
        for stranger in (gateway, other):
            assert (await read(stranger, row, **WHY)).status == 404


async def test_a_verification_from_before_its_client_asked_at_all_is_never_a_production_clients(
    database_url: str,
) -> None:
    async with run_gateway(database_url) as gateway:
        row = await ask(gateway)
        decided = "select decision is not null from sends where verification_id = $1"
        await until(lambda: gateway.database.pool.fetchval(decided, row), "it is decided")
        # As if its row had been marked by a defect: the client's key decides all the same.
        await gateway.database.pool.execute(
            "update sends set decision = jsonb_set(decision::jsonb, '{explain}', 'true') where verification_id = $1",
            row,
        )
        assert "decision" not in (await read(gateway, row, **WHY)).body


def test_the_openapi_file_says_who_gets_a_decision() -> None:
    document = msgspec.json.decode((Path(__file__).parents[2] / "openapi" / "openapi.json").read_bytes())
    status = document["components"]["schemas"]["VerificationStatus"]
    assert "production key never gets it" in status["properties"]["decision"]["description"]
    assert "decision" not in status["required"]
    for path, method in (("/v1/verifications", "post"), ("/v1/verifications/{verification_id}", "get")):
        names = {one["name"] for one in document["paths"][path][method]["parameters"]}
        assert "X-Explain" in names
