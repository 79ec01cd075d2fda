"""Exemptions set by operators: for an hour at most, chosen rules, limits or lockouts are waived for a number.

Called by api. They act in admit_v3.sql, without a round trip of their own: what is waived when a verification is
requested stays with it. Each change is audited in the same statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from service import phone
from service.db.engine import Database
from service.fraud.histories.subjects import number_of
from service.operators.overrides import Override, Overrides, OverrideTable
from service.vault import Vault

# What may be waived besides single rules.
WIDE = ("limits", "lockouts")
# The audit keeps whose number it was, until that is forgotten.
EXEMPTIONS = OverrideTable(
    "exemptions", "phone_hash", ("lifts",), "$7", sets="exempt", lifts="unexempt", audited="o.phone_hash"
)


class Exemption(Override, frozen=True, kw_only=True):
    """One exemption. `label`: its number, masked; `waived`: "limits", "lockouts", names of rules."""

    waived: list[str] = msgspec.field(name="lifts")

    @property
    def number(self) -> str:
        """Its number, masked."""
        return self.label

    @property
    def rules(self) -> list[str]:
        """The rules that it waives by name."""
        return [name for name in self.waived if name not in WIDE]

    @property
    def limits(self) -> bool:
        """Whether it waives every limit."""
        return "limits" in self.waived

    @property
    def lockouts(self) -> bool:
        """Whether it waives the budgets of wrong codes."""
        return "lockouts" in self.waived


class Exemptions(Overrides[Exemption]):
    """The exemptions of one database."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None) -> None:
        """Hash numbers with the vault's key, as admission does."""
        super().__init__(database, EXEMPTIONS, Exemption, now)
        self._vault = vault

    async def set(
        self, key: int, phone_number: str, waived: Sequence[str], reason: str, length: timedelta
    ) -> Exemption:
        """Exempt a number from now on, and audit it. What is requested meanwhile keeps the exemption after it ends."""
        subject, label = number_of(self._vault, phone_number), phone.mask(phone_number)
        return await self.put(key, subject, label, reason, length, [*waived])
