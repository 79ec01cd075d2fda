"""The gateway's own probes of Telnyx: whether it would take a send or judge a code, found out without either.

Called by providers.verify.health while something is wrong, never else. No probe can send anything to anybody, cost
money, or spend a guess; none says anything of a number.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from service.providers.http.reply import Reply, decode
from service.providers.telnyx.client import Telnyx
from service.providers.telnyx.errors import NOT_FOUND, concerns_funds, sort_fault
from service.providers.verify.protocol import AccountProblem, Judged, Order, Refused, Sent

# No plan has this number (area codes do not begin with 0), and no account this profile: a send to it can only be
# refused. By what it is refused tells whether another would be taken.
NO_NUMBER = "+10000000000"
NO_PROFILE = "00000000-0000-4000-8000-000000000000"


class _Balance(msgspec.Struct):
    available_credit: Any = None


class _Body(msgspec.Struct):
    data: _Balance


_body = msgspec.json.Decoder(_Body)


class TelnyxProbe:
    """Implements `Prober`. `ended`: names a verification of ours that is over, if there is one."""

    def __init__(self, telnyx: Telnyx, ended: Callable[[], str | None]) -> None:
        """Share the connections of the provider, which stays the caller's to close."""
        self._telnyx = telnyx
        self._ended = ended

    async def can_send(self, reason: str, profile_id: str | None) -> bool:
        """Ask for a send that cannot be made; before, for what tells more where money or a profile was missing."""
        code = reason.removeprefix("ours_")
        if concerns_funds(code) and await self._is_broke():
            return False
        if profile_id is not None and code == NOT_FOUND and await self._is_gone(profile_id):
            return False
        answer = await self._telnyx.send(Order(NO_NUMBER, "sms", profile_id or NO_PROFILE, 60))
        if isinstance(answer, AccountProblem):
            return profile_id is None and answer.of_profile
        return isinstance(answer, Sent | Refused)

    async def can_check(self) -> bool:
        """Check a code of a verification that is over, or that nobody has."""
        answer = await self._telnyx.check(self._ended() or str(uuid.uuid4()), "000000")
        return isinstance(answer, Judged)

    async def _is_broke(self) -> bool:
        """Whether Telnyx says that there is no credit; not where it says nothing that can be read."""
        heard = await self._telnyx.read("balance")
        if isinstance(heard, Reply) and not heard.success:
            fault, code = sort_fault(heard)
            return fault == "ours" and concerns_funds(code)
        read = decode(_body, heard.body) if isinstance(heard, Reply) else None
        try:
            return read is not None and float(read.data.available_credit) <= 0
        except (TypeError, ValueError):
            return False

    async def _is_gone(self, profile_id: str) -> bool:
        heard = await self._telnyx.read(f"verify_profiles/{profile_id}")
        return isinstance(heard, Reply) and not heard.success and sort_fault(heard)[0] == "unknown"
