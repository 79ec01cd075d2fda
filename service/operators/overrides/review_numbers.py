"""Review numbers: a number and a code that are fixed for one client until a time, for those who review its app.

Called by api and cli. What is requested for one is marked in admit_v4.sql, sent by verification.review, and never
leaves. The code leaves once, when it is set: the database holds its keyed hash. Each change is audited in the same
statement.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

from service import phone
from service.db.asking import ask
from service.db.engine import Database
from service.errors import GatewayError
from service.fraud.histories.subjects import number_of
from service.operators.overrides.table import Override, Overrides, OverrideTable
from service.policy.model import Policies
from service.vault import Vault
from service.verification.review import hash_code

LONGEST = timedelta(days=90)
# Numbers that their countries keep for fiction. A code for somebody's own number would let whoever knows the code, and
# whoever may set one, sign in as that person.
FICTION = re.compile(
    r"\+1[2-9]\d\d55501\d\d"  # North America: 555-0100 to 555-0199 in every area
    r"|\+447700900\d{3}"  # Britain: 07700 900000 to 900999
    r"|\+3363998\d{4}"  # France: 06 39 98 00 00 to 99 99
    r"|\+467017406(?:0[5-9]|[1-9]\d)"  # Sweden: 070-174 06 05 to 06 99
)
# What is replaced is lifted: else its code would be right again once the new one is lifted or has ended. Two that are
# set at the same time do not see each other: see verification.review.
REPLACE = """replaced as (
    update review_numbers o set lifted_at = clock.now from clock
    where o.client = $7 and o.phone_hash = $3 and o.lifted_at is null and o.until > clock.now
),"""
REVIEW_NUMBERS = OverrideTable(
    "review_numbers", "phone_hash", ("client", "code"), "$7, $8", sets="set_review_number", lifts="lift_review_number",
    audited="o.phone_hash", first=REPLACE,
)  # fmt: skip
CLIENT = "select test from clients where name = $1"


class NotReviewable(GatewayError):
    """What cannot be a review number; `field` names what is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class ReviewNumber(Override, frozen=True, kw_only=True):
    """One review number. `label`: the number, masked."""

    client: str

    @property
    def number(self) -> str:
        """The number, masked."""
        return self.label


class ReviewNumbers(Overrides[ReviewNumber]):
    """The review numbers of one database."""

    def __init__(
        self, database: Database, vault: Vault, policies: Policies, now: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """Hash numbers with the vault's key, as admission does; codes are as long as the policy says."""
        super().__init__(database, REVIEW_NUMBERS, ReviewNumber, now)
        self._database = database
        self._vault = vault
        self._policies = policies

    async def set(
        self, key: int | None, client: str, e164: str, reason: str, length: timedelta, code: str | None = None
    ) -> tuple[ReviewNumber, str]:
        """Fix a code for a client's number from now on; return it, and the code: the one given, or a random one.

        One that is set again replaces the last one. Raises NotReviewable.
        """
        if length > LONGEST:
            raise NotReviewable("duration", f"At most {LONGEST.days}d.")
        if not FICTION.fullmatch(e164):
            raise NotReviewable(
                "phone_number",
                "Only a number that is kept for fiction and belongs to nobody: +1 AREA 555 0100 to 0199, "
                "+44 7700 900000 to 900999, +33 6 39 98 0000 to 9999, +46 70 174 0605 to 0699.",
            )
        found = await ask(self._database, CLIENT, client)
        if not found or found[0]["test"]:
            raise NotReviewable("client", "There is no production client of this name.")
        digits = self._policies.of(client).verification.code_length
        code = _choose(digits) if code is None else code
        _check(code, digits)
        subject = number_of(self._vault, e164)
        own = (client, hash_code(self._vault, subject, code))
        return await self.put(key, subject, phone.mask(e164), reason, length, *own), code


def _check(code: str, digits: int) -> None:
    if not re.fullmatch(rf"[0-9]{{{digits}}}", code):
        raise NotReviewable("code", f"A code of {digits} digits, as the client's own codes are.")
    if _is_simple(code):
        raise NotReviewable("code", "A stranger would try this one first.")


def _choose(digits: int) -> str:
    while _is_simple(code := f"{secrets.randbelow(10**digits):0{digits}}"):
        pass
    return code


def _is_simple(code: str) -> bool:
    """Return whether all steps from digit to digit are the same: 000000, 123456, 987654."""
    return len({(int(b) - int(a)) % 10 for a, b in pairwise(code)}) == 1
