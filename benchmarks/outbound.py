"""CPU of one call to Telnyx, by each way to make it, at 50 in flight: `python -m benchmarks.outbound`.

Run by people and by `make bench`. Only the calling process is counted, in user and system time; each way runs in a
process of its own, and the lowest of several windows is printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from benchmarks.client_comparison import Call, Way, compare, expect
from service.providers.telnyx.client import TelnyxProvider
from service.providers.verify.protocol import CodeCompared, Order, Sent, State

PROFILE = VERIFICATION = "12ade33a-21c0-473b-b055-b3c836e1c292"
ORDER = Order("+13035551234", "sms", PROFILE, 305)


@asynccontextmanager
async def typed(base_url: str) -> AsyncIterator[Call]:
    """The package as its readme shows it, on its aiohttp transport."""
    from telnyx import AsyncTelnyx, DefaultAioHttpClient

    http = DefaultAioHttpClient()
    async with AsyncTelnyx(api_key="KEY", base_url=base_url, max_retries=0, http_client=http) as client:

        async def call() -> None:
            sent = await client.verifications.trigger_sms(
                phone_number=ORDER.phone_number, verify_profile_id=PROFILE, timeout_secs=ORDER.timeout_secs
            )
            expect(sent.data.id is not None)

        yield call


@asynccontextmanager
async def low_level(base_url: str) -> AsyncIterator[Call]:
    """The package without its models."""
    import httpx
    from telnyx import AsyncTelnyx, DefaultAioHttpClient

    body = {"phone_number": ORDER.phone_number, "verify_profile_id": PROFILE, "timeout_secs": ORDER.timeout_secs}
    http = DefaultAioHttpClient()
    async with AsyncTelnyx(api_key="KEY", base_url=base_url, max_retries=0, http_client=http) as client:

        async def call() -> None:
            answer = await client.post("/verifications/sms", cast_to=httpx.Response, body=body)
            expect(msgspec.json.decode(answer.content)["data"]["id"] is not None)

        yield call


@asynccontextmanager
async def send(base_url: str) -> AsyncIterator[Call]:
    """The provider's send, its classification included."""

    async def call() -> None:
        expect(isinstance(await telnyx.send(ORDER), Sent))

    telnyx = TelnyxProvider("KEY", base_url)
    yield call
    await telnyx.aclose()


@asynccontextmanager
async def check(base_url: str) -> AsyncIterator[Call]:
    """The provider's check."""

    async def call() -> None:
        expect(isinstance(await telnyx.check(VERIFICATION, "123456"), CodeCompared))

    telnyx = TelnyxProvider("KEY", base_url)
    yield call
    await telnyx.aclose()


@asynccontextmanager
async def state(base_url: str) -> AsyncIterator[Call]:
    """The provider's state."""

    async def call() -> None:
        expect(isinstance(await telnyx.state(VERIFICATION), State))

    telnyx = TelnyxProvider("KEY", base_url)
    yield call
    await telnyx.aclose()


WAYS: dict[str, Way] = {
    "telnyx package, typed trigger": typed,
    "telnyx package, low-level post": low_level,
    "provider, send": send,
    "provider, check": check,
    "provider, state": state,
}


def main() -> None:
    """Print the table."""
    compare("a call", "Telnyx", WAYS, "benchmarks.outbound_stub", "/v2")


if __name__ == "__main__":
    main()
