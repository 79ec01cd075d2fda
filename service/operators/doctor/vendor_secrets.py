"""Whether Fingerprint and the captcha's provider accept our secrets: each is asked once, about what cannot exist.

Called by operators.doctor.gathering. It must never show a secret, nor take an answer about something else for one.
"""

from __future__ import annotations

import time

import msgspec

from service.operators.doctor.diagnosis import Unknown
from service.providers.captcha.siteverify import CaptchaPassed, CaptchaUnavailable
from service.providers.fingerprint.errors import NOT_FOUND, sort_fault
from service.providers.fingerprint.event import EventUnavailable, EventUnknown, FingerprintAccountProblem
from service.providers.http.reply import HttpResult, NoReply
from service.providers.vendors import make_captcha, make_fingerprint_api
from service.settings import Settings

# Seconds.
CALL = 5.0
# An event of 2001, before there were any; a token that no page was given.
NO_EVENT, NO_TOKEN = "1000000000000.doctor", "doctor"
# A provider may blame our keys for a made-up token in other words as well; these are about the secret alone.
WRONG_SECRET = frozenset({"invalid-input-secret", "missing-input-secret"})


class SecretAnswer(msgspec.Struct, frozen=True):
    """What a vendor said of a secret of ours. `code`: its own, or `passed` for a made-up token that it took."""

    accepted: bool
    code: str


async def ask_fingerprint(settings: Settings) -> SecretAnswer | Unknown | None:
    """Ask for an event that cannot exist; None if no key is set."""
    api = make_fingerprint_api(settings, 1)
    if api is None:
        return None
    try:
        await api.start()
        return _read_fingerprint(await api.ask(NO_EVENT, CALL))
    finally:
        await api.aclose()


async def ask_captcha(settings: Settings) -> SecretAnswer | Unknown | None:
    """Have a made-up token verified; None if there is no captcha."""
    captcha = make_captcha(settings, 1)
    if captcha is None:
        return None
    try:
        answer = await captcha.verify(NO_TOKEN)
    finally:
        await captcha.aclose()
    if isinstance(answer, CaptchaPassed):
        return SecretAnswer(accepted=False, code="passed")
    if not isinstance(answer, CaptchaUnavailable):
        return SecretAnswer(accepted=True, code=answer.code)
    if answer.code in WRONG_SECRET:
        return SecretAnswer(accepted=False, code=answer.code)
    return Unknown(f"{settings.captcha_provider} gave no verdict on CAPTCHA_SECRET ({answer.code}).")


def _read_fingerprint(heard: HttpResult) -> SecretAnswer | Unknown:
    answer = EventUnavailable(heard.code) if isinstance(heard, NoReply) else sort_fault(heard, time.time())
    if answer == EventUnknown(NOT_FOUND):
        return SecretAnswer(accepted=True, code=NOT_FOUND)
    if isinstance(answer, FingerprintAccountProblem):
        return SecretAnswer(accepted=False, code=answer.code)
    code = answer.code if isinstance(answer, EventUnknown | EventUnavailable) else "quota_spent"
    return Unknown(f"Fingerprint did not say whether it accepts FINGERPRINT_SECRET_KEY ({code}).")
