"""Read, use a fallback, cancel: what a caller may do with a verification beside checking codes.

Called by api. The reply is computed from the caller's own calls, the clock and the guesses counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from service.clients.caller import Caller
from service.db.batch import Waiting
from service.db.insisting import insist
from service.errors import Closed, Limited, NoChannelLeft, NotAuthorized, NotFound, TooEarly, Unclear
from service.vault import new_token
from service.verification.gate import Gate
from service.verification.slots import Slots
from service.verification.states import Offer, Status, offer
from service.verification.storage.rows import HeldRow, StatusRow
from service.verification.storage.store import PATIENCE, Store


class VerificationView(msgspec.Struct, frozen=True):
    """A verification as its caller sees it."""

    id: UUID
    status: Status
    created_at: datetime
    expires_at: datetime
    verified_at: datetime | None
    remaining: int
    offer: Offer | None


class VerificationActions:
    """Reads and small changes, each in one statement."""

    def __init__(self, store: Store, gate: Gate, slots: Slots) -> None:
        self._store = store
        self._gate = gate
        self._slots = slots

    async def read(self, caller: Caller, row: UUID) -> VerificationView:
        """Return the verification. Raises NotAuthorized, NotFound."""
        found = await self._store.read(caller.key_id, caller.client_id, row, caller.policy)
        if found is None:
            raise NotAuthorized
        if found.status is None:
            raise NotFound
        return _view(caller, row, found)

    async def use_fallback(self, caller: Caller, row: UUID, waiting: Waiting | None = None) -> VerificationView:
        """Use the next channel; `waiting`: the caller that waits for it.

        Raises Unavailable, NotFound, Closed, NoChannelLeft, TooEarly, Limited.
        """
        self._gate.check_requests(caller.policy)
        # An id from before the statement: by it an unclear fallback is asked about again, and taken back.
        fallback = new_token()
        found = await self._store.use_fallback(
            caller.key_id, caller.client_id, row, caller.policy, fallback=fallback, waiting=waiting
        )
        match found.outcome:
            case "unauthorized":
                raise NotAuthorized
            case "unknown":
                raise NotFound
            case "closed":
                raise Closed(found.status or "expired")
            case "exhausted":
                raise NoChannelLeft
            case "early":
                raise TooEarly(found.wait or 1.0)
            case "limited":
                raise Limited(found.wait or 1.0)
            case "used":
                # Until here its send is held: begun earlier, it could go out for a caller who is told 503.
                self._store.owed.fallbacks_to_release.put(HeldRow(row, fallback, self._slots.ask))
                return _view(caller, row, found)

    async def cancel(self, caller: Caller, row: UUID, waiting: Waiting | None = None) -> VerificationView:
        """End a pending verification. Raises Closed if it had already ended."""
        named = (caller.key_id, caller.client_id, row, caller.policy)
        unclear = False

        async def cancel() -> StatusRow[Literal["canceled"]] | StatusRow[Literal["read"]] | None:
            nonlocal unclear
            try:
                # What ended it meanwhile is read in a second statement, so that a cancel that came too late names the
                # real end.
                return await self._store.cancel(*named) or await self._store.read(*named)
            except Unclear:
                unclear = True
                raise

        found = await insist(cancel, PATIENCE.answer, waiting)
        if found is None:
            raise NotAuthorized
        if found.status is None:
            raise NotFound
        # When asked again after an unclear end, it may be this call that ended it.
        if found.outcome == "canceled" or (unclear and found.status == "canceled"):
            return _view(caller, row, found)
        raise Closed(found.status)


def _view(caller: Caller, row: UUID, found: StatusRow[Any]) -> VerificationView:
    status = found.status or "pending"
    return VerificationView(
        id=row,
        status=status,
        created_at=found.created_at,
        expires_at=found.expires_at,
        # A lock and a cancel close it too, and neither is a time of verification.
        verified_at=found.closed_at if status == "verified" else None,
        remaining=found.remaining,
        # From the channels that the caller used: what followed by itself tells how the sends went.
        offer=offer(caller.policy.fallback, found.used, found.channel_used_at) if status == "pending" else None,
    )
