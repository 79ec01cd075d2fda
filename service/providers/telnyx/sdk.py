"""The calls that are rare enough for the vendor's own package: to read a Verify profile, and to change it.

Imported by providers.telnyx.profiles only, in a thread: the package costs 2 s and 80 MB. It must never be imported at
the top of another module, because a process that serves needs it only once an operator asks; and never retry.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Any

import httpx
import telnyx

from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, HttpResult, NoReply

_MOST_BYTES = 1_048_576
_RESET = "x-ratelimit-reset"
# What the package's own call to change a profile has an argument for: flashcall is not among them.
_CHANGEABLE = frozenset({"name", "language", "webhook_url", "webhook_failover_url", "sms", "call", "whatsapp"})


class Lost(httpx.TransportError):
    """Carries a call without a reply through the package."""

    def __init__(self, broken: NoReply) -> None:
        super().__init__(broken.code)
        self.broken = broken


class Through(httpx.AsyncBaseTransport):
    """httpx's interface over the same connections, limits and headers as the other calls."""

    def __init__(self, wire: HttpClient, seconds: float) -> None:
        self._wire = wire
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread() or None
        heard = await self._wire.call(request.method, str(request.url), body, self._seconds, _MOST_BYTES)
        if isinstance(heard, NoReply):
            raise Lost(heard)
        told = {_RESET: heard.reset, "date": heard.date}
        headers = {"content-type": "application/json"} | {name: value for name, value in told.items() if value}
        return httpx.Response(heard.status, headers=headers, content=heard.body)


class ProfilesSdk:
    """The vendor's client for Verify profiles, with its slow imports done."""

    def __init__(self, wire: HttpClient, api_key: str, base_url: str, seconds: float) -> None:
        """Import and build what the calls need; takes up to 2 s, so never on the event loop."""
        self._profiles = _make_client(wire, api_key, base_url, seconds).verify_profiles.with_raw_response

    async def read(self, profile_id: str) -> HttpResult:
        """Read one profile: the reply, whose body has the record that the package understood."""
        return await _hear(self._profiles.retrieve(profile_id))

    async def change(self, profile_id: str, sections: Mapping[str, Any]) -> HttpResult:
        """Change one profile, once. `sections`: what the package has no argument for goes along as it is."""
        known = {name: value for name, value in sections.items() if name in _CHANGEABLE}
        others = {name: value for name, value in sections.items() if name not in _CHANGEABLE}
        return await _hear(self._profiles.update(profile_id, **known, extra_body=others or None))


def _make_client(wire: HttpClient, api_key: str, base_url: str, seconds: float) -> telnyx.AsyncTelnyx:
    _hush()
    return telnyx.AsyncTelnyx(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        http_client=httpx.AsyncClient(transport=Through(wire, seconds), trust_env=False),
    )


async def _hear(call: Awaitable[Any]) -> HttpResult:
    try:
        heard = await call
    except telnyx.APIStatusError as error:
        return HttpReply(
            error.status_code,
            error.response.content,
            error.response.headers.get(_RESET),
            error.response.headers.get("date"),
        )
    except telnyx.APIConnectionError as error:
        lost = error.__cause__
        return lost.broken if isinstance(lost, Lost) else NoReply(handed_over=True, code="broken_off")
    return HttpReply(heard.status_code, await heard.read(), date=heard.headers.get("date"))


def _hush() -> None:
    """Prevent TELNYX_LOG from turning on two loggers that print whole addresses with the number in them."""
    for name in ("telnyx", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
