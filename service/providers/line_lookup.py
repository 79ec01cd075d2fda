"""What a look-up of a number's line must answer: its kind, or that nothing was learnt.

Used by fraud.gathering.line_types and fraud.judge; implemented by providers.telnyx.number_lookup. No implementation
raises for what the other side says.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from service.phone import NumberKind


class Missed(msgspec.Struct, frozen=True):
    """No answer. `outage`: another number would get none either."""

    code: str
    outage: bool


class LineLookup(Protocol):
    """Finds line types."""

    async def find(self, phone_number: str) -> NumberKind | Missed:
        """Ask about one number; `unknown` if the reply does not say. Raises nothing but cancellation."""

    async def aclose(self) -> None:
        """Give the connections back."""
