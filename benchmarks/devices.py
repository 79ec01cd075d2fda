"""CPU of one device event, by each way it comes: `python -m benchmarks.devices`.

Run by people and by `make bench`. Only the calling process is counted, its threads included; each way runs in a process
of its own, and the lowest of several windows is printed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from benchmarks.client_comparison import IN_FLIGHT, Call, Way, compare, expect
from benchmarks.requests import make_event
from service.providers.fingerprint.client import FingerprintApi, FingerprintClient
from service.providers.fingerprint.event import EventFound

KEY = bytes(32)
FRESH_FOR = 3_600.0


@asynccontextmanager
async def look_up(api: FingerprintApi) -> AsyncIterator[Call]:
    fingerprint = FingerprintClient(api, seconds=5.0)
    await fingerprint.start()

    async def call() -> None:
        now = datetime.now(UTC)
        event_id = make_event(0)
        expect(isinstance(await fingerprint.read(event_id, now=now, deadline=time.monotonic() + 5), EventFound))

    yield call
    await fingerprint.aclose()


def v4(base_url: str) -> AbstractAsyncContextManager[Call]:
    """REST, one whole look-up: judged, asked, decoded."""
    from service.providers.fingerprint.v4 import V4

    return look_up(V4("KEY", base_url))


def v3(base_url: str) -> AbstractAsyncContextManager[Call]:
    """The package in its threads, one whole look-up."""
    from service.providers.fingerprint.v3 import V3

    return look_up(V3("KEY", base_url, threads=IN_FLIGHT))


@asynccontextmanager
async def sealed(_: str) -> AsyncIterator[Call]:
    """A sealed result, opened here."""
    from benchmarks.devices_stub import write_v4
    from service.providers.fingerprint.sealed import Sealed

    text, opener = seal(write_v4()), Sealed([KEY])

    async def call() -> None:
        expect(isinstance(opener.read(text, now=datetime.now(UTC), fresh_for=FRESH_FOR), EventFound))

    yield call


WAYS: dict[str, Way] = {"v4": v4, "v3 (the package, in threads)": v3, "sealed": sealed}


def seal(body: bytes) -> str:
    import base64

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    nonce = bytes(12)
    packed = deflate.compress(body) + deflate.flush()
    return base64.b64encode(bytes.fromhex("9E85DCED") + nonce + AESGCM(KEY).encrypt(nonce, packed, None)).decode()


def main() -> None:
    """Print the table."""
    compare("an event", "Fingerprint", WAYS, "benchmarks.devices_stub")


if __name__ == "__main__":
    main()
