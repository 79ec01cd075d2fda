"""Every flow of the gateway and its failures, run with planted numbers, codes, keys and evidence.

Used by test_sinks, which then looks for what was planted.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from typing import Any

from service.sandbox.faults import Fault, FaultKind
from tests.conftest import command
from tests.support.gateway import Calls, Gateway
from tests.support.telnyx_calls import write_event
from tests.support.waiting import PATIENCE
from tests.support.wire import speak, write_request

NUMBERS = {name: f"+1312555{7310 + at}" for at, name in enumerate(
    ["verified", "locked", "refused", "faulty", "decoy", "fallback", "canceled", "limited", "invalid", "broken",
     "doubt"]
)}  # fmt: skip
SECRETS = {"secret key": secrets.token_bytes(32), "index key": secrets.token_bytes(32)}
PLANTED = {
    "code": "908172635",
    "wrong code": "445566778",
    "telnyx key": "KEYplanted0123456789abcdef",
    "account": "account-planted-5521",
    "address": "203.0.113.177",
    "event": "event-planted-8812",
    "sealed": base64.b64encode(b"planted sealed result 991").decode(),
    "captcha": "captcha-planted-3341",
    "idempotency": "idempotency-planted-1187",
    "unknown key": "vg_planted-unknown-key-0123456789",
    "webhook code": "9182736455",
    "webhook number": "442079460123",
} | {name: number.removeprefix("+") for name, number in NUMBERS.items()}


class Seen(Calls):
    """Calls whose answers are kept, headers and all."""

    kept: list[str]

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        reply = await super().call(method, path, body, **headers)
        self.kept.append(f"{reply.status} {reply.headers} {reply.body}")
        return reply


def ask(number: str, **more: Any) -> dict[str, Any]:
    given = {
        "account_id": "account",
        "device_event_id": "event",
        "device_sealed_result": "sealed",
        "captcha_token": "captcha",
    }
    evidence = {name: PLANTED[secret] for name, secret in given.items()}
    return {"phone_number": number, "ip_address": PLANTED["address"]} | evidence | more


async def request(calls: Seen, name: str, **more: Any) -> str:
    key = f"{PLANTED['idempotency']}-{name}"
    async with asyncio.timeout(PATIENCE):
        # After faults of ours the breaker is open for a while, for everybody.
        while (
            reply := await calls.call("POST", "/v1/verifications", ask(NUMBERS[name], **more), idempotency_key=key)
        ).status == 503:
            await asyncio.sleep(0.5)
    return str(reply.body["id"])


async def verify(calls: Seen, verification: str, code: str, **headers: str) -> Any:
    return await calls.call("POST", f"/v1/verifications/{verification}/verify", {"code": PLANTED[code]}, **headers)


async def wait_for_send(gateway: Gateway, name: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not [one for one in gateway.stage.journal.list_calls("send") if one.phone_number == NUMBERS[name]]:
            await asyncio.sleep(0.05)


async def run_the_main_job(gateway: Gateway, calls: Seen) -> None:
    verified, locked = await request(calls, "verified"), await request(calls, "locked")
    for name in ("verified", "locked"):
        await wait_for_send(gateway, name)
    await verify(calls, verified, "wrong code", idempotency_key=str(PLANTED["idempotency"]))
    await asyncio.gather(*(verify(calls, locked, "wrong code") for _ in range(6)))
    assert (await verify(calls, verified, "code")).body["verified"] is True
    await request(calls, "decoy", deliver=False)
    canceled = await request(calls, "canceled")
    await calls.call("POST", f"/v1/verifications/{canceled}/cancel")
    used = await request(calls, "fallback")
    await gateway.database.pool.execute(
        "update verifications set pressed_at = pressed_at - interval '1 minute' where id = $1::text::uuid", used
    )
    assert (await calls.call("POST", f"/v1/verifications/{used}/fallback")).status == 202
    replies = [await calls.call("POST", "/v1/verifications", ask(NUMBERS["limited"])) for _ in range(4)]
    assert replies[-1].status == 429


async def run_what_is_refused(calls: Seen) -> None:
    number = NUMBERS["invalid"]
    for body in (
        ask(f"{number}999999"), ask(number, channel=number), ask(number, **{number: number}),
        ask(number, ip_address=number), ask(number, account_id=f"\x00{PLANTED['account']}"),
        [number], number, {"phone_number": {"number": number}},
    ):  # fmt: skip
        assert (await calls.call("POST", "/v1/verifications", body)).status == 422
    await calls.call("GET", f"/v1/verifications/{number}?phone={number}")
    await calls.call("POST", f"/v1/{number}", ask(number))
    await calls.call("GET", "/metrics", authorization=f"Bearer {PLANTED['unknown key']}", cookie=number)
    raw = f'{{"phone_number":"{number}"'.encode()
    for lines in ([f"Authorization: Bearer {calls.key}"], [f"Authorization: Bearer {PLANTED['unknown key']}"]):
        for data in (
            write_request("POST", "/v1/verifications", *lines, body=raw),
            write_request("GET", f"/{number} {number}", *lines),
        ):
            answer = await speak(calls.url, data)
            calls.kept.append(f"{answer.status} {answer.headers} {answer.body!r}")


FAULTS: list[FaultKind] = [
    "refuse",
    "throttle",
    "error500",
    "reset_before",
    "reset_after",
    "garbage",
    "gateway_timeout",
]
OURS: list[FaultKind] = ["unauthorized", "forbidden", "no_funds", "spend_limit"]


async def run_what_fails_at_telnyx(gateway: Gateway, calls: Seen) -> None:
    faults = gateway.stage.faults
    verification = await request(calls, "faulty")
    await wait_for_send(gateway, "faulty")
    for kind in FAULTS:
        faults.add(Fault(kind=kind, operations=("check", "state"), times=2))
        await verify(calls, verification, "wrong code")
    faults.clear()
    for at, kind in enumerate([*FAULTS, *OURS]):
        number = f"+1312555{7330 + at}"
        faults.add(Fault(kind=kind, operations=("send", "lookup"), phone_number=number, times=3))
        await calls.call("POST", "/v1/verifications", ask(number))
    await asyncio.sleep(2.0)
    faults.clear()


async def run_webhooks(gateway: Gateway, calls: Seen) -> None:
    sent = gateway.telnyx.verifications.list_by_phone(NUMBERS["faulty"])[0]
    for body in (write_event(sent.id), write_event(sent.id, "verify.failed", "delivery_failed"), write_event()[:-9]):
        for headers in (gateway.telnyx.signer.sign(body), {}):
            lines = [f"{name}: {value}" for name, value in headers.items()]
            answer = await speak(calls.url, write_request("POST", "/webhooks/verify", *lines, body=body))
            calls.kept.append(f"{answer.status} {answer.headers} {answer.body!r}")


async def run_what_fails_in_the_database(database_url: str, calls: Seen) -> None:
    """Errors whose texts hold rows, statements and arguments."""
    verification = await request(calls, "broken")
    await command(
        database_url, "alter table verifications add constraint planted check (octet_length(sealed) < 9) not valid"
    )
    assert (await calls.call("POST", "/v1/verifications", ask(NUMBERS["broken"]))).status == 500
    await command(database_url, "alter table verifications drop constraint planted")
    await command(database_url, "alter table guesses rename to elsewhere")
    assert (await verify(calls, verification, "wrong code")).status == 500
    await command(database_url, "alter table elsewhere rename to guesses")


async def run_everything(gateway: Gateway, calls: Seen, database_url: str) -> None:
    """Run it all."""
    await run_the_main_job(gateway, calls)
    await run_what_is_refused(calls)
    await run_what_fails_at_telnyx(gateway, calls)
    await run_webhooks(gateway, calls)
    await run_what_fails_in_the_database(database_url, calls)
