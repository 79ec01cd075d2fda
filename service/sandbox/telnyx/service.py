"""Telnyx Verify's state: sends, checks, profiles, codes and what phones received.

Called by the modules beside it for HTTP, and by tests in the same process, which read codes from it. It knows neither
HTTP nor faults.
"""

from __future__ import annotations

import secrets
import time
import uuid

import msgspec

from service.channels import CHANNELS, Channel
from service.providers.verify.test_numbers import FIXED_CODE, SLOW_ANSWER, TestOutcome, find_number, find_outcome
from service.sandbox.telnyx.profiles import ChannelSettings, Profile, ProfileChange, Profiles, WhatsAppSettings
from service.sandbox.telnyx.state import TelnyxVerification, Verifications, write_time
from service.sandbox.telnyx.webhooks import Courier, Manners, Signer

PROFILE_ID = "5a9dbeef-0000-4000-8000-000000000001"
"""The Verify profile that is there from the start: six digits, five minutes, every country."""

_CALLER_PREFIX = "+12025"


class TelnyxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The stand-in's settings. `signing_seed`: 32 bytes; made if missing.

    `fixed_code`: used for every code, for load generators that cannot read an inbox. `flashcall_digits`: how many of
    the calling number's last digits are the code; 0 means the whole number.
    """

    api_key: str = "KEY_SANDBOX"
    profile_id: str = PROFILE_ID
    webhook_url: str | None = None
    signing_seed: bytes | None = None
    fixed_code: str | None = None
    flashcall_digits: int = 6
    slow_answer: float = SLOW_ANSWER
    manners: Manners = msgspec.field(default_factory=Manners)


class OrderedSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send that passed validation."""

    channel: Channel
    phone_number: str
    profile_id: str
    timeout_secs: int | None
    custom_code: str | None


class SimulatedTelnyx:
    """All of Telnyx that the gateway uses."""

    def __init__(self, settings: TelnyxSettings | None = None) -> None:
        self.settings = settings or TelnyxSettings()
        self.signer = Signer(self.settings.signing_seed)
        self.courier = Courier(self.signer, self.settings.manners)
        self.available_credit = 100.0
        self.verifications = Verifications()
        self.profiles = Profiles()
        channel = ChannelSettings(app_name="Sandbox", code_length=6, default_verification_timeout_secs=300)
        whatsapp = WhatsAppSettings(code_length=6, default_verification_timeout_secs=300)
        change = ProfileChange(name="Sandbox", language="en-US", sms=channel, call=channel, whatsapp=whatsapp)
        if self.settings.webhook_url is not None:
            change.webhook_url = self.settings.webhook_url
        self.profiles.create(change, self.settings.profile_id)

    @property
    def public_key(self) -> str:
        """What TELNYX_PUBLIC_KEY must be for the webhooks of this stand-in."""
        return self.signer.public_key

    def find_code(self, verification_id: str) -> str:
        """Return the code of one verification, arrived or not; KeyError for an unknown id."""
        found = self.verifications.find(verification_id)
        if found is None:
            raise KeyError(verification_id)
        return found.code

    def send(self, order: OrderedSend, profile: Profile) -> TelnyxVerification:
        """Make a verification and announce it."""
        outage = order.phone_number.startswith(self.courier.manners.undelivered)
        outcome = "undelivered" if outage else find_outcome(order.phone_number, order.channel)
        verification = self._make(order, profile, outcome)
        self.verifications.add(verification)
        self.courier.announce(verification, profile.fields.get("webhook_url"))
        return verification

    def _make(self, order: OrderedSend, profile: Profile, outcome: TestOutcome) -> TelnyxVerification:
        number = find_number(order.phone_number)
        fixed = FIXED_CODE if number is not None else self.settings.fixed_code
        code, caller = self._make_code(order, fixed, profile.code_length(order.channel))
        timeout = order.timeout_secs or profile.timeout_secs(order.channel)
        now, clock, manners = write_time(), time.monotonic(), self.courier.manners
        return TelnyxVerification(
            id=str(uuid.uuid4()),
            type=order.channel,
            phone_number=order.phone_number,
            profile_id=order.profile_id,
            timeout_secs=timeout,
            custom_code=order.custom_code,
            code=code,
            caller=caller,
            outcome=outcome,
            code_accepted=number is None or number.code_accepted,
            created_at=now,
            updated_at=now,
            expires=clock + timeout,
            arrives=clock + (manners.slow_after if outcome == "slow" else manners.delivered_after),
        )

    def _make_code(self, order: OrderedSend, fixed: str | None, length: int) -> tuple[str, str | None]:
        if not CHANNELS[order.channel].typed:
            # The code is the calling number: only that number's last six digits can be fixed.
            caller = _CALLER_PREFIX + (fixed or _draw_digits(6))[-6:].zfill(6)
            return caller[-self.settings.flashcall_digits :].lstrip("+"), caller
        return order.custom_code or fixed or _draw_digits(length), None


def _draw_digits(length: int) -> str:
    return str(secrets.randbelow(10**length)).zfill(length)
