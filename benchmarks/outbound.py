"""CPU of one call to Telnyx, by each way to make it, at 50 in flight: `python -m benchmarks.outbound`.

Run by people and by `make bench`. Only the calling process is counted, in user and system time; each way runs in a
process of its own, and the least of several windows is what is printed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import msgspec
import uvloop

from service.providers.base import Judged, Order, Sent, State
from service.providers.telnyx import Telnyx

IN_FLIGHT = 50
WINDOWS = 4
CALLS = 500
UPSTREAM = (0.0, 0.1)
PROFILE = VERIFICATION = "12ade33a-21c0-473b-b055-b3c836e1c292"
ORDER = Order("+13035551234", "sms", PROFILE, 305)

Call = Callable[[], Awaitable[object]]
Way = Callable[[str], AbstractAsyncContextManager[Call]]


def expect(right: bool) -> None:  # noqa: FBT001
    """A call that went wrong must not count as a cheap one."""
    if not right:
        raise RuntimeError("the call did not do what is measured")


@asynccontextmanager
async def typed(base_url: str) -> AsyncIterator[Call]:
    """The package as its readme shows it, on its aiohttp transport."""
    from telnyx import AsyncTelnyx, DefaultAioHttpClient  # noqa: PLC0415  one way must not pay for another

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
    import httpx  # noqa: PLC0415
    from telnyx import AsyncTelnyx, DefaultAioHttpClient  # noqa: PLC0415

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

    telnyx = Telnyx("KEY", base_url)
    yield call
    await telnyx.aclose()


@asynccontextmanager
async def check(base_url: str) -> AsyncIterator[Call]:
    """The provider's check."""

    async def call() -> None:
        expect(isinstance(await telnyx.check(VERIFICATION, "123456"), Judged))

    telnyx = Telnyx("KEY", base_url)
    yield call
    await telnyx.aclose()


@asynccontextmanager
async def state(base_url: str) -> AsyncIterator[Call]:
    """The provider's state: the package over the provider's connections."""

    async def call() -> None:
        expect(isinstance(await telnyx.state(VERIFICATION), State))

    telnyx = Telnyx("KEY", base_url)
    await telnyx.start()
    yield call
    await telnyx.aclose()


WAYS: dict[str, Way] = {
    "telnyx package, typed trigger": typed,
    "telnyx package, low-level post": low_level,
    "provider, send": send,
    "provider, check": check,
    "provider, state (the package over our connections)": state,
}


async def spend(call: Call, calls: int) -> float:
    """CPU in ms of one call, over one window."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - started) * 1_000 / calls


async def measure(way: Way, base_url: str) -> float:
    async with way(base_url) as call:
        await spend(call, IN_FLIGHT * 2)
        return min([await spend(call, CALLS) for _ in range(WINDOWS)])


def run(name: str, base_url: str) -> float:
    return uvloop.run(measure(WAYS[name], base_url))


@contextmanager
def serve_stub(seconds: float) -> Iterator[str]:
    """A stub in a process of its own; yields its base address."""
    command = [sys.executable, "-m", "benchmarks.outbound_stub", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:  # noqa: S603
        try:
            yield f"http://127.0.0.1:{next(iter(stub.stdout or ())).strip()}/v2"
        finally:
            stub.terminate()


def main() -> None:
    """Print a table of CPU ms a call, one column for each time that Telnyx takes to answer."""
    heads = " | ".join(f"Telnyx at {seconds * 1_000:.0f} ms" for seconds in UPSTREAM)
    print(f"| CPU ms a call, {IN_FLIGHT} in flight | {heads} |\n|---|{'---|' * len(UPSTREAM)}")
    for name in WAYS:
        spent = []
        for seconds in UPSTREAM:
            with serve_stub(seconds) as base_url, alone() as pool:
                spent.append(pool.submit(run, name, base_url).result())
        print(f"| {name} | {' | '.join(f'{each:.2f}' for each in spent)} |", flush=True)


def alone() -> ProcessPoolExecutor:
    """A fresh process, which has imported nothing of another way's."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


if __name__ == "__main__":
    main()
