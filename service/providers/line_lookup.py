"""What a look-up of a number's line must answer: its kind, or that nothing was learnt.

Used by fraud.gathering.line_types and fraud.judge; implemented by providers.telnyx.number_lookup. No implementation
raises for what the other side says.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from service.phone import Kind


class Missed(msgspec.Struct, frozen=True):
    """Nothing was learnt. `outage`: nor is there any from another number."""

    code: str
    outage: bool


class LookUp(Protocol):
    """Who knows what kind of line a number is."""

    async def find(self, phone_number: str) -> Kind | Missed:
        """Ask about one number; `unknown` where the answer does not say. Raises nothing but cancellation."""

    async def aclose(self) -> None:
        """Give the connections back."""
