"""The device event of a request, sealed or by its id, in one form and without what names a person.

Called by fraud.judge. The only part of fraud that waits for Fingerprint.
"""

from __future__ import annotations

import time

import msgspec

from service.accounts import normalise
from service.fraud.facts import UNAVAILABLE, DeviceFacts, DeviceState, same_place
from service.fraud.question import Question
from service.policy.model import Policy
from service.providers.fingerprint.event import (
    DeviceEvent,
    Devices,
    EventAnswer,
    EventFound,
    EventMalformed,
    EventStale,
    EventUnavailable,
    EventUnknown,
    FingerprintAccountProblem,
    QuotaSpent,
    SealedEvents,
)
from service.providers.health_notes import HealthNotes

# How long a dispatch waits for Fingerprint (seconds): the lease still leaves time for the send.
PATIENCE = 3.0


class ReadEvent(msgspec.Struct, frozen=True):
    """The event as facts, and the two identifiers that are kept out of them."""

    device: DeviceFacts
    event_id: str | None = None
    visitor_id: str | None = None


class DeviceEvents:
    """Reads events, if a Fingerprint account is configured."""

    def __init__(
        self, devices: Devices | None, sealed: SealedEvents | None, health_notes: HealthNotes | None = None
    ) -> None:
        """`devices` looks ids up, `sealed` opens results; either may be None. `health_notes` is told of outages."""
        self._health_notes = health_notes or HealthNotes()
        self._devices = devices
        self._sealed = sealed

    def needs_call(self, question: Question) -> bool:
        """Return whether reading the request's event spends Fingerprint's quota."""
        sealed = question.sealed_result is not None and self._sealed is not None
        return not sealed and question.event_id is not None and self._devices is not None

    async def read(self, question: Question, policy: Policy) -> ReadEvent:
        """Read the request's event, in whichever form it came."""
        fresh_for = policy.rules.event_stale.after
        answer: EventAnswer | None = None
        if question.sealed_result is not None and self._sealed is not None:
            answer = self._sealed.read(question.sealed_result, now=question.asked_at, fresh_for=fresh_for)
        elif question.event_id is not None and self._devices is not None:
            deadline = time.monotonic() + PATIENCE
            answer = await self._devices.read(
                question.event_id, now=question.asked_at, deadline=deadline, fresh_for=fresh_for
            )
        if answer is not None:
            self._note(answer)
        return _read(answer, question, policy)

    def _note(self, answer: EventAnswer) -> None:
        """Note what operators must know. A single look-up without an answer is no incident; an open breaker is.

        So is an answer without what was asked for.
        """
        match answer:
            case QuotaSpent():
                self._health_notes.note(
                    "fingerprint_quota", "Fingerprint's quota is spent: events cannot be looked up."
                )
            case FingerprintAccountProblem(code):
                self._health_notes.note("fingerprint", f"Fingerprint does not take our calls: {code}.")
            case EventUnavailable("breaker_open"):
                self._health_notes.note("fingerprint", "Fingerprint does not answer.")
            case EventUnavailable("products_failed" | "state_not_ready" as code):
                self._health_notes.note("fingerprint", f"Fingerprint computes no events: {code}.")
            case EventFound(DeviceEvent(failed=failed)) if failed:
                self._health_notes.note("fingerprint", f"Fingerprint fails to compute {', '.join(failed)}.")


def _read(answer: EventAnswer | None, question: Question, policy: Policy) -> ReadEvent:
    if not isinstance(answer, EventFound):
        return ReadEvent(DeviceFacts(_state(answer)))
    event = answer.event
    device = DeviceFacts(
        state=UNAVAILABLE if any(getattr(policy.rules, one).mode == "enforce" for one in event.failed) else "found",
        event=msgspec.structs.replace(
            event, event_id="", visitor_id=None, ip_address=None, linked_id=None, networks=()
        ),
        age=(question.asked_at - event.observed_at).total_seconds(),
        same_place=same_place(event, question.ip_address),
        same_account=_same_account(event.linked_id, question.account_id),
    )
    return ReadEvent(device, event.event_id, event.visitor_id)


def _same_account(linked: str | None, given: str | None) -> bool:
    return linked is None or given is None or normalise(linked) == normalise(given)


def _state(answer: EventAnswer | None) -> DeviceState:
    match answer:
        case None:
            return "none"
        case EventMalformed():
            return "malformed"
        case EventStale():
            return "stale"
        case EventUnknown():
            return "unknown"
        case _:
            return UNAVAILABLE
