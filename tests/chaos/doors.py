"""The way in: calls of backends to whichever process answers, each noted with how it ended.

Used by callers. It tries nothing again by itself: a call that is noted once was made once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from tests.chaos.records import Book, Call

# A backend waits so long for an answer (seconds), then takes it for lost.
PATIENCE = aiohttp.ClientTimeout(total=10)
# A balancer leaves out for so long (seconds) who took no connection.
LEFT_OUT = 1.0


class Doors:
    """The addresses of all processes, and each client's key."""

    def __init__(self, urls: list[str], keys: Mapping[str, str], session: aiohttp.ClientSession, book: Book) -> None:
        self._urls = urls
        self._keys = keys
        self._session = session
        self._book = book
        self._closed: dict[str, float] = {}

    async def call(self, call: Call, path: str, body: Any, dice: random.Random) -> tuple[Any, float | None]:
        """Make one call and note it; return the body and Retry-After of its answer."""
        call.gateway = self._choose(dice)
        call.at = time.time()
        self._book.calls.append(call)
        headers = {"authorization": f"Bearer {self._keys[call.source.client]}"}
        if call.idem is not None:
            headers["idempotency-key"] = call.idem
        try:
            async with self._session.post(call.gateway + path, json=body, headers=headers, timeout=PATIENCE) as reply:
                text = await reply.read()
        except aiohttp.ClientConnectorError:
            call.reached = False
            self._closed[call.gateway] = time.monotonic()
            return None, None
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return None, None
        finally:
            call.took = time.time() - call.at
        call.status = reply.status
        wait = reply.headers.get("retry-after")
        return msgspec.json.decode(text) if text else None, float(wait) if wait else None

    def _choose(self, dice: random.Random) -> str:
        since = time.monotonic() - LEFT_OUT
        return dice.choice([url for url in self._urls if self._closed.get(url, 0.0) < since] or self._urls)
