"""Telnyx's Verify profiles: read one, change one. What goes wrong is a sentence for an operator.

Called by cli.profiles. It must never repeat a text of Telnyx's, and never make a change twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from service.errors import GatewayError
from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, HttpResult, NoReply, decode, read_reset
from service.providers.loading import LoadedOnce
from service.providers.telnyx.client import BASE_URL
from service.providers.telnyx.errors import ErrorClass, sort_fault
from service.uuids import is_uuid

if TYPE_CHECKING:
    from service.providers.telnyx.sdk import ProfilesSdk

# Seconds.
CALL = 8.0
CONNECT = 2.0
# Where in a body Telnyx objects, such as /sms/whitelisted_destinations: names of fields, and no value.
_POINTER = re.compile(r"(?:/[a-z_]{1,40}|/[0-9]{1,3}){1,4}")

_REASONS = {
    "no_connection": "cannot be reached: check TELNYX_BASE_URL, and that this machine may connect to it",
    "time_limit": f"did not answer within {CALL:g} s: try again",
    "broken_off": "broke off its answer: try again",
}


class ProfileError(GatewayError):
    """Telnyx did not give, or did not take, a Verify profile; the text says why and what to do.

    `told_at`: what time it was by Telnyx's clock, None if no reply told it.
    """

    def __init__(self, text: str, told_at: datetime | None = None) -> None:
        super().__init__(text)
        self.told_at = told_at


class Profile(msgspec.Struct, frozen=True):
    """A profile as Telnyx tells it: its fields by Telnyx's names. `told_at`: what time it was by Telnyx's clock."""

    fields: dict[str, Any]
    told_at: datetime | None


class _Wrapped(msgspec.Struct):
    data: dict[str, Any]


class _Source(msgspec.Struct):
    pointer: str = ""


class _Error(msgspec.Struct):
    source: _Source | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


_profile = msgspec.json.Decoder(_Wrapped)
_errors = msgspec.json.Decoder(_Errors)


class VerifyProfiles:
    """The profiles of one account, through the vendor's package."""

    def __init__(self, api_key: str, base_url: str = BASE_URL, *, seconds: float = CALL) -> None:
        """Connect with the first call."""
        self._wire = HttpClient(4, CONNECT, {"Authorization": f"Bearer {api_key}"})
        self._seconds = seconds
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._package = LoadedOnce(self._load)

    async def start(self) -> None:
        """Import the vendor's package in a thread (2 s); else the first call would wait for it."""
        await self._package.get()

    async def read(self, profile_id: str) -> Profile:
        """Read one profile. Raises ProfileError."""
        package = await self._package.get()
        return _interpret(profile_id, await package.read(_check_id(profile_id)))

    async def change(self, profile_id: str, sections: Mapping[str, Any]) -> Profile:
        """Change what `sections` name, and return the profile as it is then. Raises ProfileError."""
        package = await self._package.get()
        return _interpret(profile_id, await package.change(_check_id(profile_id), sections))

    async def aclose(self) -> None:
        await self._wire.aclose()

    def _load(self) -> ProfilesSdk:
        from service.providers.telnyx.sdk import ProfilesSdk  # noqa: PLC0415  2 s: in this thread, or not at all

        return ProfilesSdk(self._wire, self._api_key, self._base_url, self._seconds)


def _check_id(profile_id: str) -> str:
    """Check that it may stand in a path: anything else could name another of Telnyx's calls."""
    if not is_uuid(profile_id):
        raise ProfileError("The id of a Verify profile must be a UUID.")
    return profile_id


def _interpret(profile_id: str, heard: HttpResult) -> Profile:
    if isinstance(heard, NoReply):
        raise ProfileError(f"Telnyx {_REASONS.get(heard.code, f'could not be asked ({heard.code}): try again')}.")
    if not heard.success:
        raise ProfileError(_word_error(profile_id, heard), _read_date(heard.date))
    read = decode(_profile, heard.body)
    if read is None or str(read.data.get("id")).lower() != profile_id.lower():
        raise ProfileError(
            f"What answers at TELNYX_BASE_URL did not send Verify profile {profile_id}: check that address."
        )
    return Profile(read.data, _read_date(heard.date))


def _word_error(profile_id: str, heard: HttpReply) -> str:
    fault, code = sort_fault(heard)
    if fault == "ours":
        return _word_account_problem(profile_id, heard, code)
    seconds = f"{read_reset(heard.reset, time.time()):.0f} s"
    refused = f"Telnyx refuses the call{_word_place(heard)} ({code}): correct what it is about, and try again."
    failed = f"Telnyx, or something on the way to it, failed ({code}): try again later."
    sentences: dict[ErrorClass, str] = {
        "unknown": f"Telnyx has no Verify profile {profile_id} ({code}): correct TELNYX_VERIFY_PROFILE_ID, or "
        "verify_profile_id of the client in the policy.",
        "throttled": f"Telnyx takes no more calls now ({code}): try again in {seconds}.",
        "forbidden": refused,
        "refused": refused,
    }
    return sentences.get(fault, failed)


def _word_account_problem(profile_id: str, heard: HttpReply, code: str) -> str:
    if heard.status == HTTPStatus.UNAUTHORIZED or code == "10009":
        return f"Telnyx does not accept TELNYX_API_KEY ({code}): use a valid key of the profile's account."
    if code == "10010":
        return f"TELNYX_API_KEY may not use Verify profile {profile_id} ({code}): use a key that may."
    return f"Telnyx refuses for our account's sake ({code}): look at account and balance in its portal."


def _word_place(heard: HttpReply) -> str:
    read = decode(_errors, heard.body)
    pointers = [error.source.pointer for error in (read.errors if read else ()) if error.source]
    named = [pointer for pointer in pointers if _POINTER.fullmatch(pointer)]
    return f" at {', '.join(named)}" if named else ""


def _read_date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
