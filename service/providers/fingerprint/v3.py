"""Fingerprint's server API v3, through the vendor's package, which blocks: in a limited number of threads of its own.

Made by providers.vendors, which hands it to the client, for accounts that have not migrated to v4. The package must
never run, nor be imported, on the event loop.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from service.providers.fingerprint.bodies import DecodedEvent
from service.providers.fingerprint.v3_body import read_v3
from service.providers.http.reply import HttpResult, NoReply
from service.providers.loading import LoadedOnce

if TYPE_CHECKING:
    from service.providers.fingerprint.sdk import FingerprintSdk


class V3:
    """Implements `FingerprintApi`. `threads`: calls at once; a call that finds none free waits within its own time."""

    name = "fingerprint_v3"

    def __init__(self, secret_key: str, base_url: str, *, threads: int = 32) -> None:
        """`base_url` is one of HOSTS, without a version."""
        self._secret_key = secret_key
        self._base_url = base_url.rstrip("/")
        self._most = threads
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="fingerprint")
        self._package = LoadedOnce(self._load)

    async def start(self) -> None:
        """Import the package in a thread (0.5 s)."""
        await self._package.get()

    async def ask(self, event_id: str, seconds: float) -> HttpResult:
        """Make the GET for one event. If it runs out of time, its thread is free after at most `seconds` of silence."""
        ends = time.monotonic() + seconds
        begun = Event()
        try:
            async with asyncio.timeout(seconds):
                package = await self._package.get()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, package.read_event, event_id, ends, begun)
        except TimeoutError:
            return NoReply(begun.is_set(), "time_limit")
        except Exception:  # noqa: BLE001
            # Threads that were shut down, or a package that cannot be imported: a decision goes on without the event.
            return NoReply(handed_over=True, code="broken_off")

    def read(self, body: bytes, asked: str) -> DecodedEvent:
        return read_v3(body, asked)

    async def aclose(self) -> None:
        """Drop calls that wait for a thread; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _load(self) -> FingerprintSdk:
        # It warns of this whenever it is imported; see docs/decisions/0008-device-events.md.
        warnings.filterwarnings("ignore", "fingerprint_pro_server_api_sdk is deprecated", DeprecationWarning)
        from service.providers.fingerprint.sdk import FingerprintSdk  # noqa: PLC0415  slow: in this thread, or not at all

        return FingerprintSdk(self._secret_key, self._base_url, self._most)
