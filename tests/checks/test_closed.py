"""What has ended stays ended: no code, right or wrong, is accepted afterwards, and nobody else's is ever found."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from tests.support.gateway import POLICY, Gateway, run_gateway, wrong
from tests.support.guessing import (
    begin_and_read,
    count_guesses_at_telnyx,
    count_statuses,
    count_turned_away,
    guess_all,
    wait_for_status,
    wrong_codes,
)


async def expect_closed(gateway: Gateway, verification: str, code: str, status: str) -> None:
    """Neither a right nor a wrong code is taken, and nothing reaches Telnyx."""
    before = count_guesses_at_telnyx(gateway)
    for given in (code, wrong(code)):
        reply = await gateway.verify(verification, given)
        assert (reply.status, reply.body["verification_status"]) == (409, status)
        assert reply.headers["content-type"].startswith("application/problem+json")
    assert count_guesses_at_telnyx(gateway) == before
    assert (await gateway.read(verification)).body["status"] == status


def telnyx_would_accept(gateway: Gateway, code: str) -> bool:
    """Ask the stand-in itself, past the gateway."""
    [held] = gateway.telnyx.verifications.list_newest(1)
    return held.check(code) == "accepted"


async def test_a_right_code_after_the_expiry_is_409_though_telnyx_would_take_it(database_url: str) -> None:
    """GHSA-xmmm-jw76-q7vg: a code must not outlive its verification."""
    async with run_gateway(database_url, policy=POLICY + '[verification]\nexpires_after = "1s"') as gateway:
        verification, code = await begin_and_read(gateway)
        decoy = await gateway.begin(deliver=False)
        await gateway.database.pool.execute("update verifications set next_action_at = null")  # by the clock alone
        await wait_for_status(gateway, decoy, "expired")
        await expect_closed(gateway, decoy, code, "expired")
        await expect_closed(gateway, verification, code, "expired")
        assert telnyx_would_accept(gateway, code)


async def test_a_right_code_after_the_cancellation_is_409(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        assert (await gateway.cancel(verification)).body["status"] == "canceled"
        await expect_closed(gateway, verification, code, "canceled")
        assert telnyx_would_accept(gateway, code)
        assert (await gateway.cancel(verification)).status == 409


async def test_a_code_is_good_for_one_use(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        assert (await gateway.verify(verification, code)).body["verified"] is True
        await expect_closed(gateway, verification, code, "verified")


async def test_a_right_code_after_the_last_wrong_one_is_409_though_telnyx_would_take_it(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + "[lockout]\ncodes_per_verification = 3") as gateway:
        verification, code = await begin_and_read(gateway)
        told = [await gateway.verify(verification, given) for given in wrong_codes(code, 3)]
        assert [reply.body["attempts_remaining"] for reply in told] == [2, 1, 0]
        assert [reply.body["status"] for reply in told] == ["pending", "pending", "locked"]
        await expect_closed(gateway, verification, code, "locked")
        assert telnyx_would_accept(gateway, code)


async def test_after_500_wrong_codes_in_a_few_seconds_the_right_one_is_refused(database_url: str) -> None:
    """keycloak-2fa-email-authenticator#146."""
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        statuses = count_statuses(await guess_all([gateway], verification, wrong_codes(code, 500)))
        assert (statuses[200], count_turned_away(statuses)) == (5, 495)
        await expect_closed(gateway, verification, code, "locked")
        assert count_guesses_at_telnyx(gateway) == 5


async def test_an_unknown_and_another_clients_verification_get_the_same_404(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        stranger = await gateway.client("bank")
        verification, code = await begin_and_read(gateway)
        answers = [
            await calls.call("POST", f"/v1/verifications/{named}/verify", {"code": code})
            for calls, named in ((stranger, verification), (gateway, str(uuid4())), (gateway, verification[:-1] + "g"))
        ]
        assert [reply.status for reply in answers] == [404, 404, 404]
        assert answers[0].body == answers[1].body
        assert count_guesses_at_telnyx(gateway) == 0
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_a_verification_that_ends_while_guesses_race_ends_once(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        gateway.stage.latency = {"check": 0.1}
        guesses = asyncio.ensure_future(guess_all([gateway], verification, [code, *wrong_codes(code, 3)]))
        await asyncio.sleep(0.03)
        canceled = await gateway.cancel(verification)
        replies = await guesses
        status = (await gateway.read(verification)).body["status"]
        assert status == ("canceled" if canceled.status == 200 else "verified")
        assert any(reply.body.get("verified") for reply in replies) == (status == "verified")
