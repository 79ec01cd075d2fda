"""Counts webhooks that are refused in a row, so that an alert can say which check refuses them, and why.

Called by webhooks, once for each. It uses fixed sentences: nothing that a stranger wrote, and no address, which is only
in the log.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from netaddr import IPAddress

from service import telemetry
from service.providers.health_notes import HealthNotes, NoteKind
from service.providers.verify.protocol import SignatureFault

# Telnyx retries a refused webhook, so one send is enough for an alert. Anybody who finds the path can cause it, too.
IN_A_ROW = 3

Why = Literal["unreadable", "untrusted_proxy", "unlisted", "no_https"] | SignatureFault
WORDS: dict[Why, str] = {
    "unreadable": "the last hop of X-Forwarded-For, written by a proxy in TRUSTED_PROXIES, is no address",
    "untrusted_proxy": "the proxy that they come through is in neither TRUSTED_PROXIES nor WEBHOOK_ALLOWED_CIDRS",
    "unlisted": "their source address, which the log has, is not in WEBHOOK_ALLOWED_CIDRS",
    "no_https": "they did not come over HTTPS, or no proxy in TRUSTED_PROXIES wrote X-Forwarded-Proto: https",
    "no_signature": "they bear no signature",
    "stale": "their signature's time is more than 5 minutes from this host's clock",
    "other_key": "their signature does not fit TELNYX_PUBLIC_KEY, or their body was changed on the way",
}
# The name of each in the metrics and among the alerts.
SOURCE: tuple[str, NoteKind] = ("wrong_source", "webhooks address")
HTTPS: tuple[str, NoteKind] = ("no_https", "webhooks https")
SIGNATURE: tuple[str, NoteKind] = ("unsigned", "webhooks signature")
COUNTED: dict[Why, tuple[str, NoteKind]] = {
    "unreadable": SOURCE,
    "untrusted_proxy": SOURCE,
    "unlisted": SOURCE,
    "no_https": HTTPS,
    "no_signature": SIGNATURE,
    "stale": SIGNATURE,
    "other_key": SIGNATURE,
}


class WebhookRefusals:
    """One process's refusals since it last accepted a webhook, by the check that refused them."""

    def __init__(self, health_notes: HealthNotes) -> None:
        self._health_notes = health_notes
        self._row: Counter[NoteKind] = Counter()

    def count(self, why: Why, source: IPAddress | None) -> None:
        """Count one, and note it for an alert if there have been several."""
        outcome, kind = COUNTED[why]
        telemetry.WEBHOOKS.labels(outcome).inc()
        self._row[kind] += 1
        if self._row[kind] == IN_A_ROW:
            telemetry.log.warning("webhooks_refused", why=why, source=str(source))
        if self._row[kind] >= IN_A_ROW:
            self._health_notes.note(kind, f"Telnyx's webhooks are refused, {IN_A_ROW} or more in a row: {WORDS[why]}.")

    def end(self) -> None:
        """Reset: a webhook was accepted."""
        # All checks, not one: an accepted webhook has passed every one of them.
        self._row.clear()
