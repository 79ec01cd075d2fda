"""While the alarm of a country or a network is up, clients that ask for it get a captcha's verdict before the reply.

Called by verification.admission, before the database is asked anything. The country and the network alone decide who
is asked: nothing is looked up of a number, and the reply says nothing of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from service import phone, telemetry
from service.addresses import network_of
from service.clients.caller import Caller
from service.errors import ChallengeRequired
from service.fraud.countries import Countries
from service.fraud.facts import UNAVAILABLE
from service.fraud.gathering.captchas import Captchas
from service.fraud.histories.subjects import number_of
from service.fraud.question import Question
from service.vault import Vault, new_id
from service.verification.callers import Ask


class StepUp:
    """Asks for captchas, by what this process knows of alarms."""

    def __init__(
        self, vault: Vault, countries: Countries, captchas: Captchas, knows: Callable[[UUID], Awaitable[bool]]
    ) -> None:
        """`knows`: whether an Idempotency-Key was used; whoever only asks again is not asked for another token."""
        self._knows = knows
        self._vault = vault
        self._countries = countries
        self._captchas = captchas

    async def check(self, caller: Caller, ask: Ask) -> Ask:
        """Return the request with its captcha's verdict, if it needed one. Raises ChallengeRequired, Unavailable."""
        if caller.policy.client.step_up == "off" or caller.test:
            return ask
        evidence = ask.evidence
        network = network_of(evidence.ip_address) if evidence.ip_address else None
        if not self._countries.is_alarmed(phone.describe(evidence.phone_number).country, network):
            return ask
        if ask.idem is not None and await self._knows(ask.idem):
            return ask
        rule = caller.policy.rules.captcha
        result = await self._captchas.read(self._question(caller, ask, network), rule)
        good = result.state == "passed" or (result.state == UNAVAILABLE and rule.fail == "open")
        telemetry.CHALLENGES.labels(caller.client, "passed" if good else "required").inc()
        if not good:
            raise ChallengeRequired
        # Verified again after the reply, the token would be used before.
        return msgspec.structs.replace(ask, evidence=msgspec.structs.replace(evidence, captcha=result.state))

    def _question(self, caller: Caller, ask: Ask, network: str | None) -> Question:
        evidence = ask.evidence
        return Question(
            id=new_id(),
            ordinal=1,
            client_id=caller.client_id,
            phone_hash=number_of(self._vault, evidence.phone_number),
            phone_number=evidence.phone_number,
            channel=ask.channel,
            asked_at=datetime.now(UTC),
            counts=ask.deliver,
            ip_address=evidence.ip_address,
            network=network,
            account_id=evidence.account_id,
            captcha_token=evidence.captcha_token,
        )
