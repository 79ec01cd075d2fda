"""CPU of one device event, by each way it comes: `python -m benchmarks.devices`.

Run by people and by `make bench`. Only the calling process is counted, its threads included; each way runs in a process
of its own, and the least of several windows is what is printed.
"""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime

import uvloop

from benchmarks.outbound import CALLS, IN_FLIGHT, WINDOWS, alone, expect, spend
from service.providers.device import Found
from service.providers.fingerprint import Api, Fingerprint

UPSTREAM = (0.0, 0.1)
KEY = bytes(32)
FRESH_FOR = 3_600.0

Call = Callable[[], Awaitable[object]]
Way = Callable[[str], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def look_up(api: Api) -> AsyncIterator[Call]:
    fingerprint = Fingerprint(api, seconds=5.0)
    await fingerprint.start()

    async def call() -> None:
        now = datetime.now(UTC)
        event_id = f"{int(now.timestamp() * 1_000)}.NLOjmg"
        expect(isinstance(await fingerprint.read(event_id, now=now, deadline=time.monotonic() + 5), Found))

    yield call
    await fingerprint.aclose()


def v4(base_url: str) -> AbstractAsyncContextManager[Call]:
    """REST, a look-up whole: judged, asked, read."""
    from service.providers.fingerprint_v4 import V4  # noqa: PLC0415  one way must not pay for another

    return look_up(V4("KEY", base_url))


def v3(base_url: str) -> AbstractAsyncContextManager[Call]:
    """The package in its threads, a look-up whole."""
    from service.providers.fingerprint_v3 import V3  # noqa: PLC0415

    return look_up(V3("KEY", base_url, threads=IN_FLIGHT))


@asynccontextmanager
async def sealed(_: str) -> AsyncIterator[Call]:
    """Opened here."""
    from benchmarks.devices_stub import write_v4  # noqa: PLC0415
    from service.providers.fingerprint_sealed import Sealed  # noqa: PLC0415

    text, opener = seal(write_v4()), Sealed([KEY])

    async def call() -> None:
        expect(isinstance(opener.read(text, now=datetime.now(UTC), fresh_for=FRESH_FOR), Found))

    yield call


WAYS: dict[str, Way] = {"v4": v4, "v3 (the package, in threads)": v3, "sealed": sealed}


def seal(body: bytes) -> str:
    import base64  # noqa: PLC0415

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    nonce = bytes(12)
    packed = deflate.compress(body) + deflate.flush()
    return base64.b64encode(bytes.fromhex("9E85DCED") + nonce + AESGCM(KEY).encrypt(nonce, packed, None)).decode()


async def measure(way: Way, base_url: str) -> float:
    async with way(base_url) as call:
        await spend(call, IN_FLIGHT * 2)
        return min([await spend(call, CALLS) for _ in range(WINDOWS)])


def run(name: str, base_url: str) -> float:
    return uvloop.run(measure(WAYS[name], base_url))


@contextmanager
def serve_stub(seconds: float) -> Iterator[str]:
    """A stub in a process of its own; yields its address."""
    command = [sys.executable, "-m", "benchmarks.devices_stub", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:  # noqa: S603
        try:
            yield f"http://127.0.0.1:{next(iter(stub.stdout or ())).strip()}"
        finally:
            stub.terminate()


def main() -> None:
    """Print a table of CPU ms an event, one column for each time that Fingerprint takes to answer."""
    heads = " | ".join(f"Fingerprint at {seconds * 1_000:.0f} ms" for seconds in UPSTREAM)
    print(f"| CPU ms an event, {IN_FLIGHT} in flight | {heads} |\n|---|{'---|' * len(UPSTREAM)}")
    for name in WAYS:
        spent = []
        for seconds in UPSTREAM:
            with serve_stub(seconds) as base_url, alone() as pool:
                spent.append(pool.submit(run, name, base_url).result())
        print(f"| {name} | {' | '.join(f'{each:.3f}' for each in spent)} |", flush=True)


if __name__ == "__main__":
    main()
