"""Webhooks as a test wants them: signed or not, from wherever it says, with any body.

Used by the tests of the webhook's door and of what it steers.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from service.sandbox.telnyx.service import PROFILE_ID
from tests.support.gateway import Gateway
from tests.support.wire import Answer, speak, write_request

PATH = "/webhooks/verify"


def connect(gateway: Gateway) -> None:
    """Have the stand-in tell the gateway, whose address is known only now."""
    profile = gateway.telnyx.profiles.find(PROFILE_ID)
    assert profile is not None
    profile.fields["webhook_url"] = f"{gateway.url}/webhooks/verify"


def write_event(
    provider_id: str = "unknown", event_type: str = "verify.delivered", delivery: Any = "delivered", **more: Any
) -> bytes:
    """Write an event as Telnyx does, code and number included."""
    payload = {
        "id": provider_id, "delivery_status": delivery, "custom_code": "9182736455", "phone_number": "+442079460123",
        "profile_id": str(uuid4()), "status": "pending", "type": "sms",
    }  # fmt: skip
    event = {"id": str(uuid4()), "event_type": event_type, "record_type": "event", "payload": payload} | more
    return msgspec.json.encode({"data": event, "meta": {"attempt": 1}})


async def deliver(
    gateway: Gateway, body: bytes, *lines: str | bytes, signed: bool = True, timestamp: int | None = None
) -> Answer:
    """Deliver a webhook."""
    headers = gateway.telnyx.signer.sign(body, timestamp) if signed else {}
    signature = [f"{name}: {value}" for name, value in headers.items()]
    return await speak(gateway.url, write_request("POST", PATH, *signature, *lines, body=body))
