"""What stands in for the outside while a trace is played: phones that ring at once, and the trace's device events.

Made by player. Never opens a connection; what a verdict of the trace leaves out is missing, not clean.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from service.providers.fingerprint.event import FRESH_FOR, Answer, DeviceEvent, Unknown, judge_time
from service.providers.fingerprint.event import Found as FoundEvent
from service.providers.verify.protocol import CheckAnswer, Found, Judged, NotJudged, Order, SendAnswer, Sent, State
from service.simulation.trace import Device


class Phones:
    """Implements `Provider`: every send is taken at once. `sent`: how many."""

    def __init__(self, name: str) -> None:
        """Begin with no send; `name` as it stands in the database."""
        self.name = name
        self.sent = 0
        self._ids = count(1)

    async def send(self, order: Order) -> SendAnswer:  # noqa: ARG002 (the protocol's)
        """Take it."""
        self.sent += 1
        return Sent(f"{self.name}-{next(self._ids)}", "delivered")

    async def check(self, provider_id: str, code: str) -> CheckAnswer:  # noqa: ARG002 (as above)
        """Find every code wrong: the player says itself which of a trace's codes are right."""
        return Judged(accepted=False)

    async def state(self, provider_id: str) -> State | NotJudged:  # noqa: ARG002 (as above)
        """Know of no code that was taken."""
        return State(accepted=False)

    async def look_up(self, phone_number: str) -> list[Found] | NotJudged:  # noqa: ARG002 (as above)
        """Find nothing: no send is ever in doubt."""
        return []

    async def aclose(self) -> None:
        """Have nothing to close."""


class EventBook:
    """Implements `Devices`: the events that lines of the trace brought, by their id."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[str, DeviceEvent] = {}

    def show(self, device: Device, now: datetime) -> None:
        """Know an event from now on, as the line that brings it tells it."""
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

    async def read(
        self,
        event_id: str,
        *,
        now: datetime,
        deadline: float,  # noqa: ARG002 (the protocol's)
        fresh_for: float = FRESH_FOR,
    ) -> Answer:
        """Answer at once."""
        event = self._held.get(event_id)
        if event is None:
            return Unknown("not_found")
        return judge_time(event.observed_at, now, fresh_for) or FoundEvent(event)

    async def aclose(self) -> None:
        """Have nothing to close."""
