"""The captcha of a request: verified once, with one word as the result.

Called by fraud.judge, after the reply. A token can be verified once: a known result is never asked for again, and a
token that our own crash, or the same person's first try, has spent is never held against them.
"""

from __future__ import annotations

import msgspec

from service import telemetry
from service.errors import SettingsError
from service.fraud.facts import UNAVAILABLE, CaptchaState
from service.fraud.gathering.captcha_verdicts import CaptchaVerdicts
from service.fraud.question import Question
from service.policy.model import Policies
from service.policy.rules import CaptchaRule
from service.providers.captcha.siteverify import (
    SPENT,
    Captcha,
    CaptchaAnswer,
    CaptchaFailed,
    CaptchaPassed,
    CaptchaUnavailable,
)
from service.providers.health_notes import HealthNotes
from service.providers.http.circuit_breaker import CircuitBreaker


class CaptchaResult(msgspec.Struct, frozen=True):
    """How the captcha of a request was solved; `told`: what of it the policy does not accept."""

    state: CaptchaState
    told: str | None = None


class Captchas:
    """Verifies tokens, if a provider is configured. After five outages in a row nobody waits for it."""

    def __init__(
        self, captcha: Captcha | None, verdicts: CaptchaVerdicts, health_notes: HealthNotes | None = None
    ) -> None:
        """Use the provider; with None nothing is known of any token."""
        self._verdicts = verdicts
        self._breaker = CircuitBreaker()
        self._health_notes = health_notes or HealthNotes()
        self._captcha = captcha

    async def read(self, question: Question, rule: CaptchaRule) -> CaptchaResult:
        """Return the result of a request's captcha. Raises Unavailable, once its token is known to be spent."""
        if self._captcha is None or question.captcha_token is None:
            return CaptchaResult("none")
        if question.captcha is not None:
            return CaptchaResult(question.captcha)
        result = await self._ask(self._captcha, question.captcha_token, question, rule)
        telemetry.CAPTCHAS.labels(result.state).inc()
        return result

    async def _ask(self, captcha: Captcha, token: str, question: Question, rule: CaptchaRule) -> CaptchaResult:
        if not self._breaker.admit():
            self._health_notes.note("captcha", f"The captcha's provider ({captcha.name}) does not answer.")
            return CaptchaResult(UNAVAILABLE)
        answer = await self._breaker.watch(captcha.verify(token, question.ip_address))
        self._breaker.note(outage=isinstance(answer, CaptchaUnavailable) and not answer.ours and not answer.undecided)
        return await self._weigh(captcha, answer, question, rule)

    async def _weigh(
        self, captcha: Captcha, answer: CaptchaAnswer, question: Question, rule: CaptchaRule
    ) -> CaptchaResult:
        match answer:
            case CaptchaUnavailable():
                telemetry.log.warning("captcha_unavailable", provider=captcha.name, code=answer.code, ours=answer.ours)
                text = f"The captcha's provider ({captcha.name}) does not judge: {answer.code}."
                self._health_notes.note("captcha", text)
                # Asked again with this token, it may call it spent.
                if not answer.ours:
                    await self._verdicts.keep(question, UNAVAILABLE)
                return CaptchaResult(UNAVAILABLE)
            case CaptchaPassed():
                if (told := _find_fault(answer, rule)) is not None:
                    return CaptchaResult("failed", told)
                await self._verdicts.keep(question, "passed")
                return CaptchaResult("passed")
            case CaptchaFailed(code) if code in SPENT:
                # Verifying a token spends it: an earlier try of ours did, if it ended before it was recorded.
                if question.captcha_begun:
                    return CaptchaResult(UNAVAILABLE)
                return CaptchaResult(await self._verdicts.use(question) or "failed")
            case _:
                return CaptchaResult("failed")


def _find_fault(passed: CaptchaPassed, rule: CaptchaRule) -> str | None:
    """Say what the policy does not accept of a captcha that was solved; what the provider does not tell is no fault."""
    if passed.score is not None and passed.score < rule.least_score:
        return f"score {passed.score:.1f}"
    if passed.action is not None and rule.actions and passed.action not in rule.actions:
        return "another action"
    hostnames = [name.lower() for name in rule.hostnames]
    if passed.hostname is not None and hostnames and passed.hostname.lower() not in hostnames:
        return "another hostname"
    return None


def check_provider(policies: Policies, *, configured: bool) -> None:
    """Raise SettingsError if a client must send captchas and no provider is configured."""
    if configured:
        return
    named = [("client", policies.default), *((f"clients.{name}", policy) for name, policy in policies.clients.items())]
    wanting = [f"{where}.captcha_required" for where, policy in named if policy.client.captcha_required]
    wanting += [f"{where}.step_up" for where, policy in named if policy.client.step_up != "off"]
    if wanting:
        lines = ["These settings need attention:", f"  CAPTCHA_PROVIDER: is missing; the policy sets {wanting[0]}"]
        raise SettingsError("\n".join(lines))
