"""Read, press and cancel: what a caller may do with a verification beside guessing.

Called by api. What it tells is computed from the caller's own calls, the clock and the guesses counted.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from service.errors import Closed, Limited, NoChannelLeft, NotAuthorized, NotFound, TooEarly
from service.verification.callers import Caller
from service.verification.gate import Gate
from service.verification.rows import StatusRow
from service.verification.slots import Slots
from service.verification.states import Offer, Status, offer
from service.verification.store import Store


class View(msgspec.Struct, frozen=True):
    """A verification as its caller sees it."""

    id: UUID
    status: Status
    created_at: datetime
    expires_at: datetime
    verified_at: datetime | None
    remaining: int
    offer: Offer | None


class Views:
    """Reads and small changes, one statement each."""

    def __init__(self, store: Store, gate: Gate, slots: Slots) -> None:
        """Wire the parts."""
        self._store = store
        self._gate = gate
        self._slots = slots

    async def read(self, caller: Caller, row: UUID) -> View:
        """Return the verification. Raises NotAuthorized, NotFound."""
        found = await self._store.read(caller.key_id, caller.client_id, row, caller.policy)
        if found is None:
            raise NotAuthorized
        if found.status is None:
            raise NotFound
        return _view(caller, row, found)

    async def press(self, caller: Caller, row: UUID) -> View:
        """Use the next channel. Raises Unavailable, NotFound, Closed, NoChannelLeft, TooEarly, Limited."""
        self._gate.check_requests(caller.policy)
        found = await self._store.press(caller.key_id, caller.client_id, row, caller.policy)
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
            case _:
                self._slots.ask()
                return _view(caller, row, found)

    async def cancel(self, caller: Caller, row: UUID) -> View:
        """End a pending verification. Raises Closed when it had ended already."""
        canceled = await self._store.cancel(caller.key_id, caller.client_id, row, caller.policy)
        view = await self.read(caller, row)
        if not canceled:
            raise Closed(view.status)
        return view


def _view(caller: Caller, row: UUID, found: StatusRow) -> View:
    status = found.status or "pending"
    return View(
        id=row,
        status=status,
        created_at=found.created_at,
        expires_at=found.expires_at,
        verified_at=found.closed_at if status == "verified" else None,
        remaining=found.remaining,
        offer=offer(caller.policy.fallback, found.used, found.pressed_at) if status == "pending" else None,
    )
