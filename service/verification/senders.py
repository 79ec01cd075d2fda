"""Which provider answers for a send: Telnyx, its stand-in for test clients, or a silent one.

Made by app; used by dispatch and check. The only place that tells how Telnyx is doing to whoever keeps its health.
"""

from __future__ import annotations

import msgspec

from service.providers.verify.health import ProviderHealth
from service.providers.verify.protocol import CheckAnswer, Order, Provider, SendAnswer


class Senders(msgspec.Struct, frozen=True):
    """The providers, and the health of the real one. `profile_id` where a client has none of its own.

    `silent` is silent as Telnyx is now; `idle`, for test clients, asks nobody: their decoys work without a Telnyx.
    """

    real: Provider
    silent: Provider
    rehearsal: Provider
    idle: Provider
    health: ProviderHealth
    profile_id: str

    def choose(self, *, test: bool, allow: bool) -> Provider:
        """Choose who makes a send."""
        if test:
            return self.rehearsal if allow else self.idle
        return self.real if allow else self.silent

    def named(self, name: str | None) -> Provider | None:
        """Return the provider that may have sent a code under this name; None for a silent one."""
        return {self.real.name: self.real, self.rehearsal.name: self.rehearsal}.get(name or "")

    async def send(self, provider: Provider, order: Order) -> SendAnswer:
        """Send, and note how it went."""
        answer = await provider.send(order)
        if provider is self.real:
            self.health.note(answer, order.profile_id)
        return answer

    async def check(self, provider: Provider, provider_id: str, code: str) -> CheckAnswer:
        """Check, and note how it went: a decoy's too, or what failing checks lead to would tell that they were real."""
        answer = await provider.check(provider_id, code)
        if provider in (self.real, self.silent):
            self.health.note_check(answer)
        return answer
