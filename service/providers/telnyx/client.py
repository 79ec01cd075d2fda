"""Telnyx Verify as a provider: send, check by id, state by id, look-up by number.

Made by providers.vendors; implements `Provider`, by which verification knows it. It decides what to ask; what a reply
means is in providers.telnyx.answers. Nothing goes into a path that is not a UUID or a number in E.164.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from service import phone
from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, HttpResult, NoReply
from service.providers.loading import LoadedOnce
from service.providers.telnyx.answers import (
    interpret_check,
    interpret_list,
    interpret_list_error,
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

if TYPE_CHECKING:
    from service.providers.telnyx.sdk import TelnyxSdk

BASE_URL = "https://api.telnyx.com/v2"

T = TypeVar("T")


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
        self._package = LoadedOnce(self._load)

    async def start(self) -> None:
        """Import the vendor's package in a thread (2 s); else the first state or look-up would wait for it."""
        await self._package.get()

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
        status = await self._read(lambda package: package.read_status(provider_id))
        return status if isinstance(status, NotCompared) else interpret_state(status, time.time())

    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """List a number's verifications, newest first."""
        if not phone.is_e164(phone_number):
            return NotCompared("not_e164")
        listed = await self._read(lambda package: package.list_verifications(phone_number))
        if isinstance(listed, NotCompared):
            return listed
        return (
            interpret_list_error(listed, time.time())
            if isinstance(listed, HttpReply | NoReply)
            else interpret_list(*listed)
        )

    async def read(self, path: str) -> HttpResult:
        """Read something of the account: `path` must contain nothing that a caller sent."""
        return await self._wire.call("GET", f"{self._base_url}/{path}", None, self._limits.read)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def _read(self, call: Callable[[TelnyxSdk], Awaitable[T]]) -> T | NotCompared:
        """Read through the vendor's package, its import included, within the time of a read."""
        try:
            async with asyncio.timeout(self._limits.read):
                return await call(await self._package.get())
        except TimeoutError:
            return NotCompared("time_limit")
        except Exception:  # noqa: BLE001
            # The package takes any body for a record and stumbles later, over whatever is not there. Were that raised,
            # a guess or a send in doubt would stay so, and its number with it, until Telnyx answered as it should.
            return NotCompared("unreadable")

    def _load(self) -> TelnyxSdk:
        from service.providers.telnyx.sdk import TelnyxSdk  # noqa: PLC0415  2 s: in this thread, or not at all

        return TelnyxSdk(self._wire, self._api_key, self._base_url, self._limits.read)
