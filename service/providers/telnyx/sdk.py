"""The calls that are rare enough for the vendor's own package: a state, and a number's verifications.

Imported by providers.telnyx.client only, in a thread: the package costs 2 s and 80 MB. It must never be imported at the
top of another module, and never retry.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

import httpx
import telnyx

from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, HttpResult, NoReply

_MOST_BYTES = 1_048_576
_RESET = "x-ratelimit-reset"

T = TypeVar("T")


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
        # The package does not encode the plus of a number in the path, and some servers read it as a space.
        url = str(request.url).replace("+", "%2B")
        body = await request.aread() or None
        heard = await self._wire.call(request.method, url, body, self._seconds, _MOST_BYTES)
        if isinstance(heard, NoReply):
            raise Lost(heard)
        headers = {"content-type": "application/json"} | ({_RESET: heard.reset} if heard.reset else {})
        return httpx.Response(heard.status, headers=headers, content=heard.body)


class TelnyxSdk:
    """The vendor's client, with its slow imports done."""

    def __init__(self, wire: HttpClient, api_key: str, base_url: str, seconds: float) -> None:
        """Import and build what the calls need; takes up to 2 s, so never on the event loop."""
        _hush()
        client = telnyx.AsyncTelnyx(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            http_client=httpx.AsyncClient(transport=Through(wire, seconds), trust_env=False),
        )
        self._verifications = client.verifications
        self._by_phone_number = client.verifications.by_phone_number

    async def read_status(self, provider_id: str) -> object:
        """Return one verification's status, None if the record has none, or the reply instead of a record."""
        record = await _hear(self._verifications.retrieve(provider_id))
        return record if isinstance(record, HttpReply | NoReply) else record.data.status

    async def list_verifications(self, phone_number: str) -> tuple[object, object] | HttpResult:
        """Return a number's verifications and the number of pages, or the reply instead of a list."""
        listed = await _hear(self._by_phone_number.list(phone_number))
        return listed if isinstance(listed, HttpReply | NoReply) else (listed.data, listed.meta.total_pages)


async def _hear(call: Awaitable[T]) -> T | HttpResult:
    try:
        return await call
    except telnyx.APIStatusError as error:
        return HttpReply(error.status_code, error.response.content, error.response.headers.get(_RESET))
    except telnyx.APIConnectionError as error:
        lost = error.__cause__
        return lost.broken if isinstance(lost, Lost) else NoReply(handed_over=True, code="broken_off")


def _hush() -> None:
    """Prevent TELNYX_LOG from turning on two loggers that print whole addresses with the number in them."""
    for name in ("telnyx", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
