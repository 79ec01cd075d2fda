"""Stand-ins for the outside while a trace is played: phones that are reached at once, and the trace's device events.

Made by player. Never opens a connection; a verdict that the trace leaves out is missing, not clean.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from typing_extensions import override

from service.providers.fingerprint.event import FRESH_FOR, DeviceEvent, Devices, EventAnswer, EventUnknown, check_time
from service.providers.fingerprint.event import EventFound as FoundEvent
from service.providers.verify.protocol import (
    CheckAnswer,
    CodeCompared,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    SendAnswer,
    Sent,
    State,
)
from service.simulation.trace import TraceDevice


class Phones(Provider):
    """Every send is accepted at once. `sent`: how many; `reaches`: whether the next will be delivered."""

    def __init__(self, name: str, *, real: bool) -> None:
        """`name` and `real`: as they stand in the database."""
        self.name = name
        self.real = real
        self.sent = 0
        self.reaches = True
        self.last = ""
        self._ids = count(1)

    @override
    async def send(self, order: Order) -> SendAnswer:
        """Accept the send. That it could not be delivered is told later, by a delivery event for `last`."""
        self.sent += 1
        self.last = f"{self.name}-{next(self._ids)}"
        return Sent(self.last, "delivered" if self.reaches else "sent")

    @override
    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Find every code wrong: the player itself knows which of a trace's codes are right."""
        return CodeCompared(accepted=False)

    @override
    async def state(self, provider_id: str) -> State | NotCompared:
        """Report that no code was accepted."""
        return State(accepted=False)

    @override
    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """Find nothing: no send is ever in doubt."""
        return []

    @override
    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class EventBook(Devices):
    """The events that lines of the trace brought, by their id."""

    def __init__(self) -> None:
        self._held: dict[str, DeviceEvent] = {}

    def show(self, device: TraceDevice, now: datetime) -> None:
        """Add an event, as the line that brings it describes it."""
        self._held[device.event_id] = DeviceEvent(
            event_id=device.event_id,
            observed_at=now - timedelta(seconds=device.age),
            complete=True,
            visitor_id=device.visitor_id,
            confidence=1.0,
            replayed=device.replayed,
            ip_address=device.ip_address,
            linked_id=None,
            bot=device.bot,
            suspect_score=device.suspect_score,
            tampering=None,
            vpn=None,
            proxy=None,
            tor=None,
            virtual_machine=None,
            incognito=None,
        )

    @override
    async def read(self, event_id: str, *, now: datetime, deadline: float, fresh_for: float = FRESH_FOR) -> EventAnswer:
        """Return the event at once."""
        event = self._held.get(event_id)
        if event is None:
            return EventUnknown("not_found")
        return check_time(event.observed_at, now, fresh_for) or FoundEvent(event)

    @override
    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
