"""Exemptions set by operators: what is waived for a number, for a range of numbers that is safe, or for a country.

Called by api and cli. Those of a number act in admit_v4.sql, without a round trip of their own: what is waived when a
verification is requested stays with it. Those of ranges and countries are read by fraud.countries in every process.
Each change is audited in the same statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from service import phone
from service.db.asking import ask
from service.db.engine import Database
from service.errors import GatewayError, NotFound
from service.fraud.decision import ALL_RULES
from service.fraud.histories.subjects import country_of, number_of, prefix_of
from service.fraud.money import INSURANCE
from service.operators.explaining.verification_detail import VerificationDetail
from service.operators.overrides.table import Override, Overrides, OverrideTable
from service.policy.rules import Rules
from service.vault import Vault

ExemptionKind = Literal["number", "range", "country"]
# What may be waived besides single rules.
WIDE = ("limits", "lockouts")
RULES = frozenset(field.name for field in msgspec.structs.fields(Rules)) | {INSURANCE}
# Of a whole country only what judges the country: with more, whoever pumps it would be let through.
OF_COUNTRY = frozenset({INSURANCE, "country_conversion", "country_spike"})
# For one person who is trying now. A longer one would be forgotten, and stand open to an attack.
LONGEST_OF_PERSON = timedelta(hours=1)
LONGEST = timedelta(days=90)
PREFIX = re.compile(r"\+[1-9][0-9]{4,13}")
# Digits of a range after its calling code: with fewer it would be half a country.
LEAST_NATIONAL = 4
# The audit keeps whose number it was, until that is forgotten.
EXEMPTIONS = OverrideTable(
    "exemptions", "phone_hash", ("lifts", "kind", "digits"), "$7, $8, $9", sets="exempt", lifts="unexempt",
    audited="o.phone_hash",
)  # fmt: skip


class NotExemptable(GatewayError):
    """What cannot be exempted, or not so; `fields` names what is wrong."""

    def __init__(self, *fields: str, detail: str) -> None:
        super().__init__(detail)
        self.fields = fields


class ExemptionTarget(NamedTuple):
    """Whom an exemption is for. `label`: what operators see of it; `digits`: how many a range has in common."""

    kind: ExemptionKind
    subject: UUID
    label: str
    digits: int | None = None


NUMBER = "select phone_hash from verifications where id = $1"


class Exemption(Override, frozen=True, kw_only=True):
    """One exemption. `label`: its number, masked; `waived`: "limits", "lockouts", "rules" for all, names of rules."""

    kind: ExemptionKind
    waived: list[str] = msgspec.field(name="lifts")

    @property
    def number(self) -> str:
        """Its number, masked, the beginning of its range, or its country."""
        return self.label

    @property
    def rules(self) -> list[str]:
        """The rules that it waives by name."""
        return [name for name in self.waived if name not in (*WIDE, ALL_RULES)]

    @property
    def safe(self) -> bool:
        """Whether it waives every rule."""
        return ALL_RULES in self.waived

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

    async def of_number(self, phone_number: str) -> Sequence[Exemption]:
        """List a number's exemptions in force."""
        return await self.of([number_of(self._vault, phone_number)])

    async def set(
        self, key: int | None, target: ExemptionTarget, waived: Collection[str], reason: str, length: timedelta
    ) -> Exemption:
        """Exempt a target from now on, and audit it. What is requested meanwhile keeps a number's after it ends.

        Raises NotExemptable for what may not be waived for it, or not for so long.
        """
        _check(target, waived)
        longest = longest_of(target, waived)
        if length > longest:
            raise NotExemptable("duration", detail=f"At most {_word(longest)} for this.")
        names = sorted(set(waived))
        return await self.put(key, target.subject, target.label, reason, length, names, target.kind, target.digits)

    async def number_of(self, detail: VerificationDetail) -> ExemptionTarget:
        """Return the number of a verification as a target, though it may have been dropped. Raises NotFound."""
        for row in await ask(self._database, NUMBER, detail.id):
            return ExemptionTarget("number", row["phone_hash"], detail.number or f"{detail.country or '?'} number")
        raise NotFound

    def number(self, e164: str) -> ExemptionTarget:
        """Return a number as a target."""
        return ExemptionTarget("number", number_of(self._vault, e164), phone.mask(e164))

    def range(self, prefix: str) -> ExemptionTarget:
        """Return all numbers that begin so as a target. Raises NotExemptable."""
        plain = re.sub(r"[\s().-]", "", prefix)
        if not PREFIX.fullmatch(plain) or phone.count_national(plain) < LEAST_NATIONAL or not phone.calling_code(plain):
            raise NotExemptable(
                "prefix",
                detail=f"A plus, the calling code and at least {LEAST_NATIONAL} digits more, 14 digits at most.",
            )
        digits = len(plain) - 1
        label = f"{phone.show_beginning(plain)}… ({digits} digits)"
        return ExemptionTarget("range", prefix_of(self._vault, plain, digits), label, digits)

    def country(self, code: str) -> ExemptionTarget:
        """Return a country as a target. Raises NotExemptable."""
        if not phone.is_country(code):
            raise NotExemptable("country", detail="Not a country that has numbers, in ISO 3166 alpha-2.")
        return ExemptionTarget("country", country_of(self._vault, code), code)

    def choose(self, number: str | None, prefix: str | None, country: str | None) -> ExemptionTarget:
        """Return the one thing that is named. Raises NotExemptable, InvalidPhoneNumber."""
        named = {"phone_number": number, "prefix": prefix, "country": country}
        given = [name for name, value in named.items() if value is not None]
        if len(given) != 1:
            raise NotExemptable(*(given or named), detail="Name one: a number, the beginning of a range, or a country.")
        if number is not None:
            return self.number(phone.normalise(number))
        return self.range(prefix) if prefix is not None else self.country(country or "")


def longest_of(target: ExemptionTarget, waived: Collection[str]) -> timedelta:
    """Return for how long this may be waived: for a person an hour, for what is known to be safe longer."""
    return LONGEST if target.kind != "number" or set(waived) == {ALL_RULES} else LONGEST_OF_PERSON


def _check(target: ExemptionTarget, waived: Collection[str]) -> None:
    names = set(waived) - {*WIDE, ALL_RULES}
    if names - RULES:
        raise NotExemptable("rules", detail=f"There is no such rule. The rules are {', '.join(sorted(RULES))}.")
    if not waived:
        raise NotExemptable("rules", *WIDE, detail="Name what is to be waived: rules, limits or lockouts.")
    if target.kind != "number" and (wide := [name for name in WIDE if name in waived]):
        raise NotExemptable(*wide, detail="Limits and lockouts are waived for one number only.")
    if target.kind == "country" and not set(waived) <= OF_COUNTRY:
        raise NotExemptable("rules", detail=f"For a country: {', '.join(sorted(OF_COUNTRY))}.")


def _word(length: timedelta) -> str:
    return f"{length.days}d" if length.days else f"{length.seconds // 3600}h"
