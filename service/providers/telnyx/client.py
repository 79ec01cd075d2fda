"""Telnyx Verify as a provider: send, check by id, state by id, look-up by number.

Made by providers.vendors; implements `Provider`, by which verification knows it. It decides what to ask; what a reply
means is in providers.telnyx.answers. Nothing goes into a path that is not a UUID or a number in E.164.
"""

from __future__ import annotations

import time

import msgspec

from service import phone
from service.providers.http.client import MOST_BYTES, HttpClient
from service.providers.http.reply import HttpResult
from service.providers.telnyx.answers import (
    interpret_check,
    interpret_list,
    interpret_send,
    interpret_state,
)
from service.providers.verify.protocol import (
    CheckAnswer,
    ListedVerification,
    NotCompared,
    Order,
    Refused,
    SendAnswer,
    State,
)
from service.uuids import is_uuid

BASE_URL = "https://api.telnyx.com/v2"
# A number's list of verifications may be long.
MOST_LISTED = 1_048_576


class TimeLimits(msgspec.Struct, frozen=True):
    """How long each call may take, in seconds. A send's must stay far below the lease of a dispatch."""

    connect: float = 2.0
    send: float = 8.0
    check: float = 5.0
    read: float = 5.0


class _Trigger(msgspec.Struct):
    phone_number: str
    verify_profile_id: str
    timeout_secs: int


class _Guess(msgspec.Struct):
    code: str


_encode = msgspec.json.Encoder().encode


class TelnyxProvider:
    """Implements `Provider`. `connections`: how many at once; a send that gets none within `connect` is not made."""

    name = "telnyx"
    real = True

    def __init__(
        self, api_key: str, base_url: str = BASE_URL, *, connections: int = 200, limits: TimeLimits | None = None
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._limits = limits or TimeLimits()
        self._wire = HttpClient(connections, self._limits.connect, {"Authorization": f"Bearer {api_key}"}, traced=True)

    async def send(self, order: Order) -> SendAnswer:
        """Make one send, once."""
        if not phone.is_e164(order.phone_number):
            return Refused("not_e164")
        body = _encode(_Trigger(order.phone_number, order.profile_id, order.timeout_secs))
        # Telnyx's names are those of service.channels: tests/project/test_channels.py holds them against its package.
        url = f"{self._base_url}/verifications/{order.channel}"
        return interpret_send(await self._wire.call("POST", url, body, self._limits.send), time.time())

    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Compare a code with one verification, once; a flashcall's code is the digits that the caller gives."""
        if not is_uuid(provider_id):
            return NotCompared("not_an_id")
        url = f"{self._base_url}/verifications/{provider_id}/actions/verify"
        heard = await self._wire.call("POST", url, _encode(_Guess(code)), self._limits.check)
        return interpret_check(heard, time.time())

    async def state(self, provider_id: str) -> State | NotCompared:
        """Read one verification back."""
        if not is_uuid(provider_id):
            return NotCompared("not_an_id")
        return interpret_state(await self.read(f"verifications/{provider_id}"), time.time())

    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """List a number's verifications, newest first."""
        if not phone.is_e164(phone_number):
            return NotCompared("not_e164")
        # Encoded, because some servers read a plus as a space.
        path = f"verifications/by_phone_number/%2B{phone_number[1:]}"
        return interpret_list(await self.read(path, MOST_LISTED), time.time())

    async def read(self, path: str, most_bytes: int = MOST_BYTES) -> HttpResult:
        """Read something of the account: `path` must contain nothing that a caller sent, but a checked id or number."""
        return await self._wire.call("GET", f"{self._base_url}/{path}", None, self._limits.read, most_bytes)

    async def aclose(self) -> None:
        await self._wire.aclose()
