"""Which provider answers for a send: Telnyx, its stand-in for test clients, or a silent one.

Made by app; used by dispatch and check. The only place that tells the breaker how Telnyx is doing.
"""

from __future__ import annotations

import msgspec

from service.providers.base import CheckAnswer, Order, Provider, SendAnswer
from service.providers.breaker import Breaker


class Senders(msgspec.Struct, frozen=True):
    """The providers, and the breaker of the real one. `profile_id` where a client has none of its own.

    `silent` is silent as Telnyx is now; `idle`, for test clients, asks nobody: their decoys work without a Telnyx.
    """

    real: Provider
    silent: Provider
    rehearsal: Provider
    idle: Provider
    breaker: Breaker
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
        """Send, and tell the breaker."""
        answer = await provider.send(order)
        if provider is self.real:
            self.breaker.note(answer)
        return answer

    async def check(self, provider: Provider, provider_id: str, code: str) -> CheckAnswer:
        """Check, and tell the breaker."""
        answer = await provider.check(provider_id, code)
        if provider is self.real:
            self.breaker.note_check(answer)
        return answer
