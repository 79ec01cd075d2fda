"""Whose histories a send is counted in: its number's ranges, its country, the address that asked. As keyed hashes.

Called by fraud.judge. Pure but for the key; a range is known by its hash and the last digits within it.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from service import phone
from service.fraud.histories import RANGES, Kind
from service.vault import Vault


class Subject(msgspec.Struct, frozen=True):
    """One history that a send is counted in. `mark` tells the send's number from others there."""

    kind: Kind
    hash: UUID
    mark: int


def subjects_of(vault: Vault, e164: str, plan: phone.Plan, network: str | None) -> list[Subject]:
    """List the histories of a send: its number's ranges, its country, and the address that asked."""
    hashed = vault.hash(b"mark", e164).int
    marked = (hashed & 0x1FFFFF) | (min(phone.calling_code(e164), 999) << 21)
    found = [
        Subject(kind, vault.hash(b"history.range", e164[:-digits], str(digits)), int(e164[-digits:]))
        for kind, digits in RANGES.items()
        if len(e164) > digits + 3
    ]
    found.append(Subject("country", vault.hash(b"history.country", plan.country or ""), marked))
    if network is not None:
        found.append(Subject("ip", vault.hash(b"history.ip", network), marked))
    return found
