"""Webhooks as Telnyx sends them: signed, repeated until answered, doubled and out of order on demand.

Used by service, which starts them for each verification. The payload contains the code in clear text, as the real one
does: it goes to the configured address and into no log.
"""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.sandbox.telnyx.state import TelnyxVerification

ANSWER_LIMIT = 2.0
"""Seconds within which a webhook must be answered with 2xx, or it is sent again."""
ATTEMPTS = 3
# Statuses that end the attempts.
TAKEN = range(200, 300)


class Manners(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How webhooks are sent; all waits in seconds after the send.

    `duplicates`: further copies of each event. `disorder`: the delivery report comes before `sent`.
    `reports`: false withholds the delivery report. `same_id`: data.id is the verification's, as in an older sample of
    Telnyx's. `retry_after`: the wait before another attempt. `undelivered`: beginnings of numbers that no message
    reaches: an outage of a route.
    """

    sent_after: float = 0.1
    delivered_after: float = 1.0
    slow_after: float = 10.0
    retry_after: float = 1.0
    duplicates: int = 0
    disorder: bool = False
    reports: bool = True
    signed: bool = True
    same_id: bool = False
    undelivered: tuple[str, ...] = ()


class Attempt(msgspec.Struct, frozen=True):
    """One attempted delivery. `status` is None if there was no reply in time."""

    event_type: str
    event_id: str
    verification_id: str
    attempt: int
    status: int | None


class Signer:
    """Signs as Telnyx does: Ed25519 over `{timestamp}|{body}`. `seed`: 32 bytes of a private key; made if missing."""

    def __init__(self, seed: bytes | None = None) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        """The 32-byte public key in base64, as TELNYX_PUBLIC_KEY expects it."""
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, body: bytes, timestamp: int | None = None) -> dict[str, str]:
        """Return the two headers for a body, signed now or at a unix time."""
        stamp = str(int(time.time()) if timestamp is None else timestamp)
        signature = self._key.sign(stamp.encode() + b"|" + body)
        return {"telnyx-signature-ed25519": base64.b64encode(signature).decode(), "telnyx-timestamp": stamp}


class Courier:
    """Delivers webhooks in the background between `open` and `close`; otherwise nothing is sent.

    `manners` may be replaced at any time.
    """

    def __init__(self, signer: Signer, manners: Manners) -> None:
        self.manners = manners
        self.attempts: deque[Attempt] = deque(maxlen=10_000)
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the connection pool; needs the running loop."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_LIMIT)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)

    async def close(self) -> None:
        """Drop what has not been delivered yet."""
        session, self._session = self._session, None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if session is not None:
            await session.close()

    def announce(self, verification: TelnyxVerification, url: str | None) -> None:
        """Plan the webhooks of one verification, if there is an address for them."""
        if url is None or self._session is None:
            return
        manners = self.manners
        sent_after, report_after = manners.sent_after, manners.delivered_after
        if verification.outcome == "slow":
            report_after = manners.slow_after
        if manners.disorder:
            sent_after, report_after = report_after, sent_after
        self._plan(sent_after, "verify.sent", "sent", verification, url)
        if manners.reports and verification.outcome != "unreported":
            failed = verification.outcome == "undelivered"
            event, status = ("verify.failed", "delivery_failed") if failed else ("verify.delivered", "delivered")
            self._plan(report_after, event, status, verification, url)

    def _plan(self, wait: float, event_type: str, status: str, verification: TelnyxVerification, url: str) -> None:
        task = asyncio.create_task(self._deliver(wait, event_type, status, verification, url))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, wait: float, event_type: str, status: str, verification: TelnyxVerification, url: str
    ) -> None:
        await asyncio.sleep(wait)
        event_id = verification.id if self.manners.same_id else str(uuid.uuid4())
        event = _describe(event_type, status, verification, event_id)
        for _ in range(1 + self.manners.duplicates):
            await self._repeat(event, verification.id, url)

    async def _repeat(self, event: dict[str, Any], verification_id: str, url: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            body = msgspec.json.encode({"data": event, "meta": {"attempt": attempt, "delivered_to": url}})
            status = await self._post(url, body)
            self.attempts.append(Attempt(event["event_type"], event["id"], verification_id, attempt, status))
            if status in TAKEN:
                return
            await asyncio.sleep(self.manners.retry_after)

    async def _post(self, url: str, body: bytes) -> int | None:
        headers = {"content-type": "application/json", "user-agent": "telnyx-webhooks"}
        if self.manners.signed:
            headers |= self._signer.sign(body)
        if self._session is None:
            return None
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return None


def _describe(event_type: str, delivery_status: str, verification: TelnyxVerification, event_id: str) -> dict[str, Any]:
    return {
        "event_type": event_type,
        "id": event_id,
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "payload": {
            "created_at": verification.created_at,
            "custom_code": verification.code,
            "delivery_status": delivery_status,
            "extension": None,
            "failed_attempts": verification.wrong,
            "id": verification.id,
            "mccmnc": None,
            "phone_number": verification.phone_number,
            "profile_id": verification.profile_id,
            "record_type": "verification",
            "status": verification.status(),
            "timeout_secs": verification.timeout_secs,
            "type": verification.type,
            "updated_at": verification.updated_at,
        },
        "record_type": "event",
    }
