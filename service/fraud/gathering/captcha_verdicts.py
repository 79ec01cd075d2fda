"""A captcha token's verdict, for the same person's next try: a retry, or the number with its mistake corrected.

Called by fraud.gathering.captchas. Providers verify a token once, so whoever submits a form again brings a spent one.
The database holds a keyed hash of it, never the token, and decides which numbers a verdict serves.
"""

from __future__ import annotations

import asyncio
from typing import Literal
from uuid import UUID

from service import accounts, telemetry
from service.errors import Unavailable
from service.fraud.facts import UNAVAILABLE
from service.fraud.question import Question
from service.fraud.storage.store import FraudStore, TokenVerdict
from service.vault import Vault

CaptchaVerdict = Literal["passed", "unread"]
# Seconds for which a verdict serves, and the numbers that it serves.
GOOD_FOR = 120.0
NUMBERS = 2
# Seconds to wait before each look: a try of the same moment may be about to keep what it heard.
LOOKS = (0.0, 0.1, 0.3, 0.6)


class CaptchaVerdicts:
    """The verdicts of all processes, for the client and the address that brought a token."""

    def __init__(self, vault: Vault, store: FraudStore) -> None:
        self._vault = vault
        self._store = store

    async def keep(self, question: Question, verdict: CaptchaVerdict) -> None:
        """Keep a verdict. Once: without it, only a second try with the same token is turned away."""
        try:
            await self._store.keep_verdict(TokenVerdict(self._name(question), verdict, question.phone_hash))
        except Unavailable:
            telemetry.log.info("captcha_verdict_not_kept")

    async def use(self, question: Question) -> CaptchaVerdict | None:
        """Return a spent token's verdict, if it serves this number too. Raises Unavailable."""
        name = self._name(question)
        for wait in LOOKS:
            await asyncio.sleep(wait)
            found = await self._store.use_verdict(name, question.phone_hash, GOOD_FOR, NUMBERS)
            if found is not None:
                return "passed" if found == "passed" else UNAVAILABLE
        return None

    def _name(self, question: Question) -> UUID:
        place = question.network or accounts.normalise(question.account_id or "")
        return self._vault.hash(b"captcha", str(question.client_id), place, question.captcha_token or "")
