"""Which signals a client's device events carry: a plan or a platform without one must not stop the whole client.

Called by fraud.judge, which has the database count them with the send. The database decides what never comes
(migrations/functions/weigh_v6.sql); this process only saves it from being told the same thing again and again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from service.fraud.facts import VERDICTS, DeviceFacts
from service.fraud.storage.weighing import SeenSignal
from service.policy.model import Policy
from service.providers.fingerprint.event import DeviceEvent, DeviceSignal

SIGNALS: tuple[DeviceSignal, ...] = get_args(DeviceSignal)
# Seconds for which a process does not repeat that a signal was carried; well below NOTED_FOR.
TOLD_FOR = 600.0


class SignalTracker:
    """One process's memory of what it has told. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[int, str], float] = {}

    def list_new(self, client_id: int, device: DeviceFacts, policy: Policy) -> list[SeenSignal]:
        """List what the database must be told of an event, or asked about it: whatever is missing, each time."""
        if device.event is None:
            return []
        now = self._clock()
        return [
            seen
            for seen in _list_seen(device.event, policy)
            if seen.state != "carried" or self._told.get((client_id, seen.signal), -TOLD_FOR) <= now - TOLD_FOR
        ]

    def note(self, client_id: int, told: Sequence[SeenSignal]) -> None:
        """Remember what the database has been told."""
        now = self._clock()
        for seen in told:
            if seen.state == "carried":
                self._told[client_id, seen.signal] = now


def _list_seen(event: DeviceEvent, policy: Policy) -> Iterator[SeenSignal]:
    """Say of each signal whether the event carries it, or lacks it though an enforced rule looks at it."""
    if event.complete and event.source == "device" and not event.failed:
        yield SeenSignal(VERDICTS, "carried")
    elif not event.complete and not event.partial:
        yield SeenSignal(VERDICTS, "missing")
    for signal in SIGNALS:
        if getattr(event, signal) is not None:
            yield SeenSignal(signal, "carried")
        elif event.complete and event.lacks(signal) and getattr(policy.rules, signal).mode == "enforce":
            yield SeenSignal(signal, "missing")
    yield from (SeenSignal(name, "unfamiliar") for name in event.unfamiliar)
