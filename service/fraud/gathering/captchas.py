"""The captcha of a request: verified once, with one word as the result.

Called by fraud.judge, after the reply. A token can be verified once: a known result is never asked for again, and a
token that our own crash may have spent is never held against a person.
"""

from __future__ import annotations

from service import telemetry
from service.errors import SettingsError
from service.fraud.facts import UNAVAILABLE, CaptchaState
from service.fraud.question import Question
from service.policy.model import Policies
from service.providers.captcha.siteverify import Captcha, CaptchaFailed, CaptchaUnavailable
from service.providers.health_notes import HealthNotes
from service.providers.http.circuit_breaker import CircuitBreaker

# The three providers' codes for a token that was used before.
SPENT = frozenset({"timeout-or-duplicate", "already-seen-response", "invalid-or-already-seen-response"})


class Captchas:
    """Verifies tokens, if a provider is configured. After five outages in a row nobody waits for it."""

    def __init__(self, captcha: Captcha | None, health_notes: HealthNotes | None = None) -> None:
        """Use the provider; with None nothing is known of any token."""
        self._breaker = CircuitBreaker()
        self._health_notes = health_notes or HealthNotes()
        self._captcha = captcha

    async def read(self, question: Question) -> CaptchaState:
        """Return the result of a request's captcha. Raises nothing but cancellation."""
        if self._captcha is None or question.captcha_token is None:
            return "none"
        if question.captcha is not None:
            return question.captcha
        state = await self._ask(self._captcha, question.captcha_token, question)
        telemetry.CAPTCHAS.labels(state).inc()
        return state

    async def _ask(self, captcha: Captcha, token: str, question: Question) -> CaptchaState:
        if not self._breaker.admit():
            self._health_notes.note("captcha", f"The captcha's provider ({captcha.name}) does not answer.")
            return UNAVAILABLE
        answer = await self._breaker.watch(captcha.verify(token, question.ip_address))
        self._breaker.note(outage=isinstance(answer, CaptchaUnavailable) and not answer.ours)
        if isinstance(answer, CaptchaUnavailable):
            telemetry.log.warning("captcha_unavailable", provider=captcha.name, code=answer.code, ours=answer.ours)
            self._health_notes.note(
                "captcha", f"The captcha's provider ({captcha.name}) does not judge: {answer.code}."
            )
            return UNAVAILABLE
        # Verifying a token spends it: an earlier try of ours did, if it ended before it was recorded.
        if isinstance(answer, CaptchaFailed):
            return UNAVAILABLE if question.captcha_begun and answer.code in SPENT else "failed"
        return "passed"


def check_provider(policies: Policies, *, configured: bool) -> None:
    """Raise SettingsError if a client must send captchas and no provider is configured."""
    if configured:
        return
    wanting = ["client.captcha_required"] if policies.default.client.captcha_required else []
    wanting += [f"clients.{n}.captcha_required" for n, p in policies.clients.items() if p.client.captcha_required]
    if wanting:
        lines = ["These settings need attention:", f"  CAPTCHA_PROVIDER: is missing; the policy sets {wanting[0]}"]
        raise SettingsError("\n".join(lines))
