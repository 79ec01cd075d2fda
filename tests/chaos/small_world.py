"""A run of one request, by hand, whose ledger balances: tests spoil one thing in it and look which promise sees that.

Used by test_chaos_ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from service.sandbox.journal import JournalEntry as TelnyxCall
from tests.chaos.balance import balance
from tests.chaos.evidence import Evidence, Guess, Row, Send
from tests.chaos.policy import PRICES
from tests.chaos.records import Call, Source
from tests.chaos.telnyx import Held

NOON = datetime(2031, 5, 5, 12, tzinfo=UTC)
SOURCE = Source("shop", "+13122200001", "10.0.0.1", "user 1")


def make_request(verification: str = "v1", source: Source = SOURCE, status: int | None = 202, story: int = 1) -> Call:
    told = verification if status == 202 else None
    return Call(
        kind="request", story=story, source=source, gateway="http://1", at=NOON.timestamp(), status=status,
        verification=told,
    )  # fmt: skip


def make_row(verification: str = "v1", source: Source = SOURCE, after: float = 0.0) -> Row:
    return Row(
        id=verification, client=source.client, phone=source.phone, status="pending", deliver=source.deliver,
        used=["sms"], created_at=NOON + timedelta(seconds=after), closed_at=None, guesses_wrong=0, guesses_open=0,
        sealed=True, leased=False,
    )  # fmt: skip


def make_send(verification: str = "v1", provider_id: str | None = "t1", state: str = "sent") -> Send:
    return Send(
        verification=verification, ordinal=1, channel="sms", by="sms", cause="request", state=state, wanted_at=NOON,
        ended_at=NOON + timedelta(seconds=1), provider="telnyx", provider_id=provider_id, error=None,
        price=PRICES["sms"], booked=True,
    )  # fmt: skip


def make_telnyx_call(provider_id: str = "t1", phone: str = SOURCE.phone, code: str | None = None) -> TelnyxCall:
    return TelnyxCall(
        sequence=1, at=NOON.timestamp(), operation="check" if code else "send", channel="sms", phone_number=phone,
        verification_id=provider_id, code=code, acted=True, status=200,
    )  # fmt: skip


def make_guess(verification: str = "v1") -> Guess:
    return Guess(verification, "wrong", NOON)


def make_evidence() -> Evidence:
    """Return what one request leaves behind that was sent, and of which one wrong code was compared."""
    check = Call(
        kind="verify", story=1, source=SOURCE, gateway="http://1", at=NOON.timestamp(), status=200, verification="v1",
        code="000000", verified=False,
    )  # fmt: skip
    return Evidence(
        calls=[make_request(), check], rows={"v1": make_row()}, sends=[make_send()], guesses=[make_guess()],
        ledger_sends=1, ledger_spent=PRICES["sms"], send_calls=[make_telnyx_call()],
        check_calls=[make_telnyx_call(code="000000")], lookup_calls=[],
        held=[Held("t1", "sms", SOURCE.phone, "pending")],
        unapplied=[], unsettled={},
    )  # fmt: skip


def add_request(evidence: Evidence, verification: str, source: Source, after: float = 0.0) -> None:
    """Add a decoy's request, which leaves nothing at Telnyx."""
    evidence.calls.append(make_request(verification, source, story=len(evidence.calls) + 1))
    evidence.rows[verification] = make_row(verification, source, after)
    decoy = msgspec.structs.replace(make_send(verification), provider="silent", provider_id=None, booked=False)
    evidence.sends.append(decoy)


def change_row(evidence: Evidence, **fields: object) -> None:
    evidence.rows["v1"] = msgspec.structs.replace(evidence.rows["v1"], **fields)


def change_send(evidence: Evidence, **fields: object) -> None:
    evidence.sends[0] = msgspec.structs.replace(evidence.sends[0], **fields)


def broken_by(spoil: Callable[[Evidence], object]) -> set[str]:
    """Spoil the small world, and return the promises that are not kept in it."""
    evidence = make_evidence()
    spoil(evidence)
    return {line.promise for line in balance(evidence) if line.imbalances}
