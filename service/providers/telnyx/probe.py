"""The gateway's own probes of Telnyx: whether it would accept a send or compare a code.

Made by app, for the health of providers, which asks only while something is wrong. No probe can send anything to
anybody, cost money or spend a guess; none reveals anything about a number.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from service.channels import DEFAULT
from service.providers.http.reply import HttpReply, decode
from service.providers.telnyx.client import TelnyxProvider
from service.providers.telnyx.errors import NOT_FOUND, concerns_funds, sort_fault
from service.providers.verify.protocol import AccountProblem, CodeCompared, Order, Refused, Sent

# No numbering plan has this number (area codes do not begin with 0), and no account this profile: a send to it can only
# be refused. The reason tells whether another send would be accepted.
NO_NUMBER = "+10000000000"
NO_PROFILE = "00000000-0000-4000-8000-000000000000"


class _Balance(msgspec.Struct):
    available_credit: Any = None


class _BalanceBody(msgspec.Struct):
    data: _Balance


_body = msgspec.json.Decoder(_BalanceBody)


class TelnyxProbe:
    """Implements `Prober`. `ended`: returns the id of an ended verification, if there is one."""

    def __init__(self, telnyx: TelnyxProvider, ended: Callable[[], str | None]) -> None:
        """Share the connections of the provider, which the caller closes."""
        self._telnyx = telnyx
        self._ended = ended

    async def can_send(self, reason: str, profile_id: str | None) -> bool:
        """Try an impossible send; first check the balance or the profile, if that was the trouble."""
        code = reason.removeprefix("ours_")
        if concerns_funds(code) and await self._is_broke():
            return False
        if profile_id is not None and code == NOT_FOUND and await self._is_gone(profile_id):
            return False
        answer = await self._telnyx.send(Order(NO_NUMBER, DEFAULT, profile_id or NO_PROFILE, 60))
        if isinstance(answer, AccountProblem):
            return profile_id is None and answer.of_profile
        return isinstance(answer, Sent | Refused)

    async def can_check(self) -> bool:
        """Check a code of an ended verification, or of an id that does not exist."""
        answer = await self._telnyx.check(self._ended() or str(uuid.uuid4()), "000000")
        return isinstance(answer, CodeCompared)

    async def _is_broke(self) -> bool:
        """Return whether Telnyx says that there is no credit; False if its reply cannot be decoded."""
        heard = await self._telnyx.read("balance")
        if isinstance(heard, HttpReply) and not heard.success:
            fault, code = sort_fault(heard)
            return fault == "ours" and concerns_funds(code)
        read = decode(_body, heard.body) if isinstance(heard, HttpReply) else None
        try:
            return read is not None and float(read.data.available_credit) <= 0
        except (TypeError, ValueError):
            return False

    async def _is_gone(self, profile_id: str) -> bool:
        heard = await self._telnyx.read(f"verify_profiles/{profile_id}")
        return isinstance(heard, HttpReply) and not heard.success and sort_fault(heard)[0] == "unknown"
