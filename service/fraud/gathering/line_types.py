"""A number's line type: looked up at Telnyx once in a long while, and kept under the number's hash.

Called by fraud.judge: after the reply, for a send that nothing else suppresses. It fails open: without an answer the
numbering plan decides, and storing an answer is tried only once.
"""

from __future__ import annotations

from uuid import UUID

from service import phone, telemetry
from service.errors import Unavailable
from service.fraud.storage.store import FraudStore, KeptLineType
from service.phone import NumberKind
from service.providers.http.circuit_breaker import CircuitBreaker
from service.providers.line_lookup import LineLookup, Missed

# How long "unknown" is kept: Telnyx may know tomorrow.
DAY = 86_400.0


class LineTypes:
    """One process's look-ups. After five outages in a row none is made for a while."""

    def __init__(self, look_up: LineLookup | None, store: FraudStore) -> None:
        """Without `look_up` no line type is ever known."""
        self._look_up = look_up
        self._store = store
        self._breaker = CircuitBreaker()

    async def read(self, phone_number: str, phone_hash: UUID, keep: float) -> NumberKind | None:
        """Ask about a number and keep the answer for `keep` seconds. Raises nothing but cancellation."""
        if self._look_up is None or not self._breaker.admit():
            return None
        found = await self._breaker.watch(self._look_up.find(phone_number))
        self._breaker.note(outage=isinstance(found, Missed) and found.outage)
        if isinstance(found, Missed):
            telemetry.LOOKUPS.labels("missed").inc()
            telemetry.log.info("look_up_missed", code=found.code)
            return None
        telemetry.LOOKUPS.labels(found).inc()
        kept = phone.tell_kind(phone.describe(phone_number).country, found)
        try:
            await self._store.keep_line(KeptLineType(phone_hash, kept, keep if found != "unknown" else min(keep, DAY)))
        except Unavailable:
            telemetry.log.info("look_up_not_kept")
        return found
