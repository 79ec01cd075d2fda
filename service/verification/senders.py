"""Which provider makes a send: Telnyx, the test provider, the decoy, or that of review numbers.

Made by verification.core; used by sends and checks. The only place that reports Telnyx's answers to ProviderHealth.
"""

from __future__ import annotations

import msgspec

from service.policy.model import Policies, Policy
from service.providers.verify.decoy import DecoyProvider
from service.providers.verify.health import ProviderHealth
from service.providers.verify.protocol import CheckAnswer, Order, Provider, SendAnswer
from service.providers.verify.testing import TestProvider
from service.providers.verify.timings import Timed, Timings
from service.vault import Vault
from service.verification.ended_verifications import Ended
from service.verification.gate import profiles_of
from service.verification.review import ReviewProvider


class Senders(msgspec.Struct, frozen=True):
    """The providers, and the health of the real one. `profile_id`: for clients that have none of their own.

    `decoy` takes as long as Telnyx does now; `idle`, for test clients' decoys, asks nobody and needs no Telnyx.
    """

    real: Provider
    decoy: Provider
    test: Provider
    idle: Provider
    health: ProviderHealth
    profile_id: str
    review: ReviewProvider | None = None

    def choose(self, *, test: bool, allow: bool, review: str | None = None) -> Provider:
        """Choose the provider for a send; `review`: the id of the review number that it is for."""
        if self.review is not None and review is not None and allow:
            return self.review.sending_for(review)
        if test:
            return self.test if allow else self.idle
        return self.real if allow else self.decoy

    def profile_of(self, policy: Policy) -> str:
        """Return the Verify profile of whom this policy is for."""
        return policy.client.verify_profile_id or self.profile_id

    def named(self, name: str | None) -> Provider | None:
        """Return the provider of this name, if it can have sent a code; None for a decoy."""
        if self.review is not None and name == self.review.name:
            return self.review
        return {self.real.name: self.real, self.test.name: self.test}.get(name or "")

    async def send(self, provider: Provider, order: Order) -> SendAnswer:
        """Send, and note the answer in the provider's health."""
        answer = await provider.send(order)
        # Only the real one: a decoy's sends always succeed, and would hide an outage.
        if provider is self.real:
            self.health.note(answer, order.profile_id)
        return answer

    async def check(self, provider: Provider, provider_id: str, code: str) -> CheckAnswer:
        """Check, and note the answer, a decoy's too: else what failing checks lead to would show that they are real."""
        answer = await provider.check(provider_id, code)
        if provider in (self.real, self.decoy):
            self.health.note_check(answer)
        return answer


def make_senders(
    provider: Provider, ended: Ended, vault: Vault, policies: Policies, profile_id: str, review: ReviewProvider
) -> Senders:
    """Put them around the real provider."""
    timings = Timings()
    return Senders(
        real=Timed(provider, timings),
        decoy=DecoyProvider(timings, provider, ended.pick),
        test=TestProvider(vault.hash(b"rehearsal", "").bytes),
        # Timings of its own: test clients must not shape what decoys copy, nor need a Telnyx.
        idle=DecoyProvider(Timings()),
        health=ProviderHealth(profiles_of(policies, profile_id)),
        profile_id=profile_id,
        review=review,
    )
