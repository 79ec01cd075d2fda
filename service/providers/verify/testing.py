"""The provider of test clients: numbers behave as test_numbers says, and nothing ever leaves this process.

Used by verification in place of Telnyx for keys made with `--test`. It keeps no state, so that every process answers
alike; it must never open a connection.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import uuid

from typing_extensions import override

from service.providers.verify.protocol import (
    CheckAnswer,
    CodeCompared,
    ListedVerification,
    NotCompared,
    Order,
    Provider,
    Refused,
    SendAnswer,
    Sent,
    State,
)
from service.providers.verify.test_numbers import FIXED_CODE, SLOW_ANSWER, find_number, find_outcome

_TAG_BYTES = 7


class TestProvider(Provider):
    """`secret` prevents invented ids; it is the same in every process. `slow_answer`: seconds.

    A verification's id says, under a tag, whether its code is ever right: this is all that a check needs to know, in
    whatever process it runs.
    """

    __test__ = False  # pytest takes every class named Test* for one of its own
    name = "rehearsal"
    real = False

    def __init__(self, secret: bytes, slow_answer: float = SLOW_ANSWER) -> None:
        self._secret = secret
        self._slow_answer = slow_answer

    @override
    async def send(self, order: Order) -> SendAnswer:
        """Behave as the number's entry says; a number without an entry is delivered."""
        outcome = find_outcome(order.phone_number, order.channel)
        if outcome == "refused":
            return Refused("40309")
        if outcome == "slow":
            await asyncio.sleep(self._slow_answer)
        number = find_number(order.phone_number)
        provider_id = self._make_id(code_accepted=number is None or number.code_accepted)
        if outcome == "delivered":
            return Sent(provider_id, "delivered")
        return Sent(provider_id, "failed" if outcome == "undelivered" else "sent")

    @override
    async def check(self, provider_id: str, code: str) -> CheckAnswer:
        """Accept the fixed code, unless the id says that no code is right, or was not made here."""
        right = hmac.compare_digest(code.encode(), FIXED_CODE.encode())
        return CodeCompared(right and self._read_id(provider_id))

    @override
    async def state(self, provider_id: str) -> State | NotCompared:
        """Return not accepted: a check leaves no trace, and only our own crash can leave one in doubt.

        A guess in doubt is then settled as wrong, and the right code may be entered again.
        """
        return State(accepted=False)

    @override
    async def look_up(self, phone_number: str) -> list[ListedVerification] | NotCompared:
        """Return nothing, since nothing is kept: an interrupted send is made again, which costs nothing."""
        return []

    @override
    async def aclose(self) -> None:
        """Do nothing: there are no connections."""

    def _make_id(self, *, code_accepted: bool) -> str:
        # Version and variant are set before the tag is computed: a UUID of another version than 8 is not ours.
        head = bytearray(secrets.token_bytes(16 - _TAG_BYTES))
        head[6] = 0x80 | code_accepted
        head[8] = 0x80 | (head[8] & 0x3F)
        return str(uuid.UUID(bytes=bytes(head) + self._sign(bytes(head))))

    def _read_id(self, provider_id: str) -> bool:
        try:
            raw = uuid.UUID(provider_id).bytes
        except ValueError:
            return False
        head, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        return hmac.compare_digest(tag, self._sign(head)) and bool(head[6] & 1)

    def _sign(self, head: bytes) -> bytes:
        return hmac.new(self._secret, b"rehearsal" + head, hashlib.sha256).digest()[:_TAG_BYTES]
