"""The provider of review numbers: a number and a code that an operator has fixed for a client, until a time.

Made by verification.core; used by senders for what admission has marked. It never sends anything, and accepts no code
of a review number that is over: each check asks the database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from typing_extensions import override

from service.db.asking import CLOCK, ask
from service.db.engine import Database
from service.errors import Unavailable
from service.providers.verify.protocol import (
    CheckAnswer,
    CodeCompared,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    SendAnswer,
    Sent,
    State,
)
from service.vault import Vault

# How a verification of a review number is marked among what is waived for it, before the review number's id.
MARK = "review:"
# And the newest of its client and number: of two that were set at the same time, only the last one counts.
IN_FORCE = f"""
with {CLOCK}
select r.phone_hash, r.code from review_numbers r, clock
where r.id = $2 and r.until > clock.now and r.lifted_at is null and not exists (
    select from review_numbers n where n.phone_hash = r.phone_hash and n.client = r.client and n.id > r.id
)
"""  # noqa: S608 (ours)


def hash_code(vault: Vault, phone_hash: UUID, code: str) -> UUID:
    """Return what is stored of a code: nothing, to whoever has no key."""
    return vault.hash(b"review", str(phone_hash), code)


def find_mark(waived: Sequence[str] | None) -> str | None:
    """Return the id of the review number that a verification is for, as its mark has it."""
    return next((name.removeprefix(MARK) for name in waived or () if name.startswith(MARK)), None)


class ReviewProvider(Provider):
    """`mark`: the id of the review number to which it sends; what was sent is checked by any of them."""

    name = "review"
    real = False

    def __init__(
        self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None, mark: str = ""
    ) -> None:
        """`now`: as in Store."""
        self._database = database
        self._vault = vault
        self._now = now
        self._mark = mark

    def sending_for(self, mark: str) -> ReviewProvider:
        """Return the provider of one review number's sends."""
        return ReviewProvider(self._database, self._vault, self._now, mark)

    @override
    async def send(self, order: Order) -> SendAnswer:
        """Send nothing."""
        return Sent(f"{self._mark}-{secrets.token_hex(16)}", "delivered")

    @override
    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Compare with the code that is in force now."""
        review, _, _ = provider_id.partition("-")
        try:
            rows = await ask(self._database, IN_FORCE, self._now(), int(review))
        except Unavailable:
            return NotCompared("database")
        return CodeCompared(any(row["code"] == hash_code(self._vault, row["phone_hash"], code) for row in rows))

    @override
    async def state(self, provider_id: str) -> State | NotCompared:
        """Return not accepted: a check leaves no trace, as with the test provider."""
        return State(accepted=False)

    @override
    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """Return nothing: an interrupted send is made again, which costs nothing."""
        return []

    @override
    async def aclose(self) -> None:
        """Do nothing: there are no connections of its own."""
