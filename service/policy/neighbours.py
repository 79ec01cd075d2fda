"""Countries that share a calling code with an allowed one and are not allowed, such as Puerto Rico beside the US.

Called by cli.policies.policy and cli.process.startup. Changes nothing: whether they should be allowed is for the
operator to decide, who may not know that the numbering plan has them as countries of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from service import phone
from service.policy.model import Policies


class Neighbours(msgspec.Struct, frozen=True):
    """What one calling code is shared by. `client`: whose list of countries it is, None for the default policy's."""

    client: str | None
    code: int
    allowed: list[str]
    not_allowed: list[str]

    def __str__(self) -> str:
        """Say it in a sentence."""
        of = f" for {self.client}" if self.client else ""
        them = "it" if len(self.allowed) == 1 else "them"
        return (
            f"{', '.join(sorted(self.allowed))} allowed{of}, but not what shares +{self.code} with {them}: "
            f"{', '.join(self.not_allowed)}. Their numbers get no code unless countries.allow names them."
        )


def find_neighbours(policies: Policies) -> Iterator[Neighbours]:
    """Yield the calling codes of which some countries are allowed and others are not, list by list."""
    seen = policies.default.countries.allow
    yield from _find(None, seen)
    for client, policy in policies.clients.items():
        if policy.countries.allow != seen:
            yield from _find(client, policy.countries.allow)


def _find(client: str | None, allow: list[str]) -> Iterator[Neighbours]:
    for code, countries in phone.countries_by_code().items():
        allowed = [country for country in countries if country in allow]
        if allowed and len(allowed) < len(countries):
            yield Neighbours(client, code, allowed, [country for country in countries if country not in allow])
