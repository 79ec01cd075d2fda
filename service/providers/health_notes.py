"""What is wrong with the outside and with the money, as those notice who ask; emptied by whoever rings the alarm.

Written by fraud.gathering.device_events, fraud.gathering.captchas, fraud.judge and api.refusals, read by worker.alarms,
each in its own process. Holds a few fixed sentences and short codes, never a text of the other side.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "fingerprint", "fingerprint_quota", "captcha", "budget",
    "webhooks address", "webhooks https", "webhooks signature",
]  # fmt: skip


class HealthNotes:
    """The newest sentence of each kind since they were last taken."""

    def __init__(self) -> None:
        """Begin with none."""
        self._noted: dict[str, str] = {}

    def note(self, kind: Kind, text: str) -> None:
        """Note one. `text` stands for itself in a channel of operators: no number, no address, no key."""
        self._noted[kind] = text

    def take(self) -> dict[str, str]:
        """Return what was noted, and begin again."""
        noted, self._noted = self._noted, {}
        return noted

    def give_back(self, noted: dict[str, str]) -> None:
        """Note again what was taken and could not be told; what was noted meanwhile is newer."""
        self._noted = noted | self._noted
