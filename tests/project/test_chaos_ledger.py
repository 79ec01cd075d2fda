"""The ledger of a chaos run sees what it is there to see: what is spoilt breaks the promise that names it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.chaos.balance import PROMISES
from tests.chaos.evidence import Evidence
from tests.chaos.records import Lapse, Source
from tests.chaos.schedule import DATABASE, FAULTS, NETWORK, PROCESS, draw_schedule
from tests.chaos.small_world import (
    NOON,
    SOURCE,
    add_request,
    broken_by,
    change_row,
    change_send,
    make_guess,
    make_request,
    make_row,
    make_send,
    make_telnyx_call,
)
from tests.chaos.telnyx import Held

Spoil = Callable[[Evidence], object]


def lose_a_send(evidence: Evidence) -> None:
    change_send(evidence, state="in_doubt", provider_id=None)
    evidence.send_calls.clear()


def lose_the_row(evidence: Evidence) -> None:
    evidence.rows.clear()
    evidence.sends.clear()
    evidence.guesses.clear()


def add_keyed_rows(evidence: Evidence) -> None:
    evidence.calls[0].idem = "k"
    again = make_request("v2", story=1)
    again.idem = "k"
    evidence.calls.append(again)
    evidence.rows["v2"] = make_row("v2")


def answer_503_to_a_row(evidence: Evidence) -> None:
    evidence.calls.append(make_request(status=503))
    evidence.rows["v2"] = make_row("v2")
    evidence.sends.append(make_send("v2", "t2"))


def spend_the_number(evidence: Evidence) -> None:
    for number in range(2, 5):
        source = msgspec.structs.replace(SOURCE, address=f"10.0.0.{number}", account=None)
        add_request(evidence, f"v{number}", source, after=100.0 * number)
        evidence.guesses += [make_guess(f"v{number}")] * 4


def decoy(evidence: Evidence) -> None:
    change_row(evidence, deliver=False)
    evidence.calls[0].source = msgspec.structs.replace(SOURCE, deliver=False)


def pass_a_limit(evidence: Evidence) -> None:
    for number in range(2, 6):
        add_request(evidence, f"v{number}", Source("shop", f"+1312220000{number}", f"10.0.0.{number}", "user 1"), 14.9)


SPOILT: list[tuple[str, Spoil]] = [
    ("all came to rest", lambda e: e.unsettled.update(sends=1)),
    ("each 202 is one row", lose_the_row),
    ("no 503 is a row", answer_503_to_a_row),
    ("one Idempotency-Key, one row", add_keyed_rows),
    ("no answer but those documented", lambda e: setattr(e.calls[1], "status", 500)),
    ("one send at most for a channel", lambda e: e.send_calls.append(make_telnyx_call("t2"))),
    ("what Telnyx sent is on record", lambda e: e.send_calls.append(make_telnyx_call("t2", "+13122209999"))),
    ("what is on record Telnyx sent", lambda e: e.send_calls.clear()),
    ("none in doubt was lost", lose_a_send),
    ("each send that did not go has its reason", lambda e: change_send(e, state="refused", provider_id=None)),
    ("each send that did not go has its reason", lambda e: change_send(e, state="abandoned", provider_id=None)),
    ("nothing goes to a decoy's number", decoy),
    ("verified if and only if Telnyx took a code", lambda e: change_row(e, status="verified")),
    (
        "verified if and only if Telnyx took a code",
        lambda e: e.held.append(Held("t1", "sms", SOURCE.phone, "accepted")),
    ),
    ("verified if and only if Telnyx took a code", lambda e: setattr(e.calls[1], "verified", True)),
    ("canceled and fallen back only if asked for", lambda e: change_row(e, status="canceled")),
    ("canceled and fallen back only if asked for", lambda e: change_row(e, used=["sms", "call"])),
    ("nothing is kept of what has ended", lambda e: change_row(e, status="expired")),
    ("every delivery report is applied", lambda e: e.unapplied.append("t1")),
    (
        "no guess beyond a verification's budget",
        lambda e: e.check_calls.extend([make_telnyx_call(code="000001")] * 5),
    ),
    ("no guess beyond a number's budgets", spend_the_number),
    ("every compared guess is on record", lambda e: e.guesses.clear()),
    ("no limit is passed", pass_a_limit),
    ("nobody below a limit is refused", lambda e: e.calls.append(make_request(status=429))),
    ("the ledger is what was sent", lambda e: change_send(e, booked=False)),
    ("the ledger is what was sent", lambda e: setattr(e, "ledger_spent", 0.5)),
    ("the ledger is what was sent", lambda e: e.send_calls.append(make_telnyx_call("t2", "+13122209999"))),
]


@pytest.mark.parametrize(("promise", "spoil"), SPOILT)
def test_what_is_spoilt_breaks_the_promise_that_names_it(promise: str, spoil: Spoil) -> None:
    assert promise in broken_by(spoil)


def test_what_is_not_spoilt_balances() -> None:
    assert broken_by(lambda _: None) == set()


def test_every_promise_can_be_broken() -> None:
    assert {promise for promise, _ in SPOILT} == {promise for promise, _, _ in PROMISES}


def test_a_request_that_nobody_answered_may_be_a_row() -> None:
    def spoil(evidence: Evidence) -> None:
        answer_503_to_a_row(evidence)
        evidence.calls[-1].status = None

    assert "no 503 is a row" not in broken_by(spoil)


@pytest.mark.parametrize(("after", "broken"), [(5.0, False), (25.0, True)])
def test_a_row_of_a_503_is_documented_only_where_its_process_died_before_it_could_take_it_back(
    after: float, *, broken: bool,
) -> None:  # fmt: skip
    def spoil(evidence: Evidence) -> None:
        answer_503_to_a_row(evidence)
        evidence.lapses.append(Lapse("http://1", NOON.timestamp() + after))

    assert ("no 503 is a row" in broken_by(spoil)) is broken


def test_a_send_in_doubt_explains_one_code_that_nobody_holds_and_costs_what_it_may_have_cost() -> None:
    assert broken_by(lambda e: change_send(e, state="in_doubt", provider_id=None)) == set()


def test_a_seed_draws_the_same_strikes_each_time_and_another_seed_draws_others() -> None:
    assert draw_schedule(7, 600, 3) == draw_schedule(7, 600, 3)
    assert draw_schedule(7, 600, 3) != draw_schedule(8, 600, 3)


def test_each_kind_of_strike_comes_within_ten_minutes() -> None:
    kinds = {strike.fault or strike.kind for strike in draw_schedule(1, 600, 3)}
    assert kinds == {*PROCESS, *NETWORK, *DATABASE, *FAULTS, "telnyx_standstill", "webhooks"}
