"""What operators can look at: a verification with its decisions, a number's verifications, a window's sums.

Called by api, for operators only. Changes nothing but the audit log; shows nobody's whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from service import phone
from service.db.asking import ask
from service.db.engine import Database
from service.errors import NotFound
from service.fraud.histories.subjects import number_of
from service.operators.explaining import statements as sql
from service.operators.explaining.verification_detail import (
    ExplainedDecision,
    FindingCount,
    Group,
    GuessDetail,
    Ledger,
    LedgerEntry,
    Match,
    SendDetail,
    Summary,
    VerificationDetail,
    explain,
    tell,
)
from service.operators.pages import MOST_LISTED, LedgerPlace, MatchPlace, Page, cut, micros_of, moment_of
from service.vault import Vault, first_id
from service.verification.callers import Evidence

EVIDENCE = msgspec.msgpack.Decoder(Evidence)
SENDS = msgspec.json.Decoder(list[SendDetail])
DECISION = msgspec.json.Decoder(ExplainedDecision)
GUESSES = msgspec.json.Decoder(list[GuessDetail])
GROUPS = msgspec.json.Decoder(list[Group])
FOUND = msgspec.json.Decoder(list[FindingCount])
# If a process's clock is behind the database's by more than this, a short window misses its newest requests.
CLOCKS_DIFFER = timedelta(minutes=5)


class OperatorQueries:
    """The operators' reads of one database."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime | None] = lambda: None) -> None:
        """The vault opens sealed numbers, so that they can be masked."""
        self._database = database
        self._vault = vault
        self._now = now

    async def read(self, row: UUID) -> VerificationDetail:
        """Read one verification of any client. Raises NotFound, Unavailable."""
        for found in await ask(self._database, sql.READ, self._now(), row):
            return self._dossier(found)
        raise NotFound

    async def explain(self, client: int, row: UUID) -> ExplainedDecision | None:
        """Return the newest decision on a test client's own verification; None before it is made, and for any other."""
        # On the callers' connections: a test client that polls must not keep operators from looking.
        found = await self._database.pool.fetch(sql.EXPLAIN, row, client)
        return DECISION.decode(found[0]["decision"]) if found else None

    async def search(
        self, key: int, phone_number: str, most: int, after: MatchPlace | None = None
    ) -> Page[Match, MatchPlace]:
        """List a number's verifications of every client, the newest first; audited under the operator's key."""
        phone_hash = number_of(self._vault, phone_number)
        begin = (moment_of(after.created_at), after.id) if after else (None, None)
        rows = await ask(self._database, sql.SEARCH, self._now(), key, phone_hash, *begin, most + 1)
        return cut(
            rows, most, lambda row: Match(**row), lambda row: MatchPlace(micros_of(row["created_at"]), row["id"])
        )

    async def summarise(self, window: timedelta) -> Summary:
        """Sum up what was requested within a window that ends now. Raises Unavailable if that takes too long."""
        begin = (self._now() or datetime.now(UTC)) - window - CLOCKS_DIFFER
        [row] = await ask(self._database, sql.SUMMARY, self._now(), window, first_id(begin))
        return Summary(**row | {"groups": GROUPS.decode(row["groups"]), "findings": FOUND.decode(row["findings"])})

    async def account(self, window: timedelta, most: int = MOST_LISTED, after: LedgerPlace | None = None) -> Ledger:
        """Read the ledger of the days of a window that ends now, the newest first. Raises Unavailable."""
        begin = msgspec.structs.astuple(after) if after else (None, None, None, None)
        rows = await ask(self._database, sql.LEDGER, self._now(), window, *begin, most + 1)
        lines = cut([row for row in rows if row["day"]], most, lambda row: msgspec.convert(row, LedgerEntry), _line)
        return Ledger(rows[0]["all_spent"], rows[0]["all_saved"], lines)

    def _dossier(self, row: dict[str, Any]) -> VerificationDetail:
        sends, guesses = SENDS.decode(row["sends"]), GUESSES.decode(row["guesses"])
        return VerificationDetail(
            id=row["id"],
            client=row["client"],
            test=row["test"],
            deliver=row["deliver"],
            status=row["status"],
            number=self._masked(row),
            country=_country(sends),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            closed_at=row["closed_at"],
            wrong_codes=row["guesses_wrong"],
            sends=[explain(send) for send in sends],
            events=tell(row["created_at"], row["closed_at"], row["status"], sends, guesses, deliver=row["deliver"]),
        )

    def _masked(self, row: dict[str, Any]) -> str | None:
        plain = self._vault.unseal(row["id"], row["sealed"]) if row["sealed"] else None
        return phone.mask(EVIDENCE.decode(plain).phone_number) if plain else None


def _country(sends: list[SendDetail]) -> str | None:
    for send in sends:
        if send.decision:
            number = send.decision.facts.get("number")
            return number.get("country") if isinstance(number, dict) else None
    return None


def _line(row: dict[str, Any]) -> LedgerPlace:
    return LedgerPlace(row["day"], row["client"], row["country"], row["channel"])
