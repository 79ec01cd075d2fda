"""What this process has noticed to be wrong: vendors, webhooks, budgets. Emptied by the alarm round.

Written by fraud.gathering.device_events, fraud.gathering.captchas, fraud.judge and api.webhook_refusals, read by
worker.alarms. Holds a few fixed sentences and short codes, never a text of the other side.
"""

from __future__ import annotations

from typing import Literal

NoteKind = Literal[
    "fingerprint", "fingerprint_quota", "captcha", "budget",
    "webhooks address", "webhooks https", "webhooks signature",
]  # fmt: skip


class HealthNotes:
    """The newest note of each kind since they were last taken."""

    def __init__(self) -> None:
        self._noted: dict[str, str] = {}

    def note(self, kind: NoteKind, text: str) -> None:
        """Note one. `text` is shown to operators in a chat: no number, no address, no key."""
        self._noted[kind] = text

    def take(self) -> dict[str, str]:
        """Return what was noted, and forget it."""
        noted, self._noted = self._noted, {}
        return noted

    def give_back(self, noted: dict[str, str]) -> None:
        """Restore notes that were taken and could not be reported; anything noted meanwhile is newer."""
        self._noted = noted | self._noted
