"""Verifications as Telnyx keeps them: made, checked, expired; all in memory.

Written by sandbox.telnyx.service, read by sandbox.telnyx.webhooks and the inbox. It does no I/O and knows no HTTP.
"""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from service.channels import Channel
from service.providers.verify.test_numbers import TestOutcome

MAX_WRONG = 5
KEPT = 100_000
"""Verifications held; the oldest is dropped for the next, so that a benchmark does not fill the memory."""


def write_time() -> str:
    """Return the present time as Telnyx writes it: naive, in UTC, to the microsecond."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


class TelnyxVerification(msgspec.Struct, kw_only=True):
    """One send and its code. `expires` and `arrives` are on the monotonic clock, in seconds."""

    id: str
    type: Channel
    phone_number: str
    profile_id: str
    timeout_secs: int
    custom_code: str | None
    code: str
    caller: str | None
    outcome: TestOutcome
    code_accepted: bool
    created_at: str
    updated_at: str
    expires: float
    arrives: float
    wrong: int = 0
    ended: Literal["accepted", "invalid"] | None = None

    def status(self) -> str:
        """Return the API's status; expiry is computed on reading."""
        if self.ended is not None:
            return self.ended
        return "expired" if time.monotonic() >= self.expires else "pending"

    def arrived(self) -> bool:
        """Return whether the code has reached the phone."""
        return self.outcome != "undelivered" and time.monotonic() >= self.arrives

    def describe(self) -> dict[str, Any]:
        """Return the API's record; it does not contain the code that Telnyx made."""
        return {
            "id": self.id,
            "type": self.type,
            "record_type": "verification",
            "phone_number": self.phone_number,
            "verify_profile_id": self.profile_id,
            "custom_code": self.custom_code,
            "timeout_secs": self.timeout_secs,
            "status": self.status(),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    def check(self, code: str) -> str:
        """Check a code and return Telnyx's response_code; five wrong ones close the verification."""
        status = self.status()
        if status == "expired":
            return "expired"
        if status == "invalid":
            return "max_attempts_exceeded"
        if status == "accepted":
            return "rejected"
        self.updated_at = write_time()
        if self.code_accepted and hmac.compare_digest(code.encode(), self.code.encode()):
            self.ended = "accepted"
            return "accepted"
        self.wrong += 1
        if self.wrong >= MAX_WRONG:
            self.ended = "invalid"
        return "rejected"


class Verifications:
    """All verifications by id, and by number, oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, TelnyxVerification] = {}
        self._by_phone: dict[str, list[TelnyxVerification]] = {}

    def add(self, verification: TelnyxVerification) -> None:
        """Add one; at the limit the oldest is dropped."""
        if len(self._by_id) >= KEPT:
            self._drop_oldest()
        self._by_id[verification.id] = verification
        self._by_phone.setdefault(verification.phone_number, []).append(verification)

    def find(self, verification_id: str) -> TelnyxVerification | None:
        """Return one by its id."""
        return self._by_id.get(verification_id)

    def list_by_phone(self, phone_number: str) -> list[TelnyxVerification]:
        """Return those of a number, newest first."""
        return self._by_phone.get(phone_number, [])[::-1]

    def list_newest(self, limit: int) -> list[TelnyxVerification]:
        """Return the newest of all numbers, newest first."""
        newest = reversed(self._by_id.values())
        return [verification for verification, _ in zip(newest, range(limit), strict=False)]

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._by_id.values()))
        del self._by_id[oldest.id]
        siblings = self._by_phone[oldest.phone_number]
        siblings.pop(0)
        if not siblings:
            del self._by_phone[oldest.phone_number]
