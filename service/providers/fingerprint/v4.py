"""Fingerprint's server API v4, over REST: one GET, which accepts the request ids of v3 too. The default.

Made by providers.vendors, which hands it to the client. Only ids that judge_id has passed may be asked for: the id
becomes part of a path.
"""

from __future__ import annotations

from service.providers.fingerprint.bodies import MOST_BYTES, DecodedEvent
from service.providers.fingerprint.v4_body import read_v4
from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpResult

CONNECT = 1.0
"""Seconds for a place in the pool, name, TCP and TLS."""


class V4:
    """Implements `FingerprintApi`."""

    name = "fingerprint_v4"

    def __init__(self, secret_key: str, base_url: str, *, connections: int = 100) -> None:
        """`base_url` is one of HOSTS, without a version."""
        self._events = f"{base_url.rstrip('/')}/v4/events/"
        self._wire = HttpClient(connections, CONNECT, {"Authorization": f"Bearer {secret_key}"}, traced=True)

    async def start(self) -> None:
        """Do nothing: nothing is slow to import."""

    async def ask(self, event_id: str, seconds: float) -> HttpResult:
        """Make the GET for one event."""
        return await self._wire.call("GET", self._events + event_id, None, seconds, MOST_BYTES)

    def read(self, body: bytes, asked: str) -> DecodedEvent:
        return read_v4(body, asked)

    async def aclose(self) -> None:
        await self._wire.aclose()
