"""The ledger: each promise, how often it was put to the test, and every case in which it was not kept.

Called by run. Pure: judges evidence, and reads nothing else. What documents allow is explained case by case, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tests.chaos import endings, guessed, limited, money, requested, sent
from tests.chaos.evidence import Evidence
from tests.chaos.findings import Imbalance

Check = Callable[[Evidence], Iterator[Imbalance]]
Count = Callable[[Evidence], int]

PROMISES: list[tuple[str, Count, Check]] = [
    ("all came to rest", lambda e: len(e.rows), endings.find_unsettled),
    ("each 202 is one row", requested.count_accepted, requested.find_lost),
    ("no 503 is a row", requested.count_refused, requested.find_uninvited),
    ("one Idempotency-Key, one row", requested.count_keys, requested.find_repeated),
    ("no answer but those documented", lambda e: len(e.calls), requested.find_odd_answers),
    ("one send at most for a channel", lambda e: len(e.sends), sent.find_doubles),
    ("what Telnyx sent is on record", sent.count_acted, sent.find_unrecorded),
    ("what is on record Telnyx sent", sent.count_taken, sent.find_invented),
    ("none in doubt was lost", sent.count_wanted, sent.find_unsent),
    ("each send that did not go has its reason", sent.count_unsent, sent.find_unexplained),
    ("nothing goes to a decoy's number", sent.count_decoys, sent.find_betrayed),
    ("verified if and only if Telnyx took a code", endings.count_verified, endings.find_wrong_ends),
    ("canceled and fallen back only if asked for", endings.count_steps, endings.find_unasked),
    ("nothing is kept of what has ended", endings.count_ended, endings.find_kept),
    ("every delivery report is applied", lambda e: len(e.held), endings.find_unapplied),
    ("no guess beyond a verification's budget", guessed.count_compared, guessed.find_over_verification),
    ("no guess beyond a number's budgets", guessed.count_numbers, guessed.find_over_number),
    ("every compared guess is on record", guessed.count_compared, guessed.find_uncounted),
    ("no limit is passed", limited.count_places, limited.find_passed),
    ("nobody below a limit is refused", limited.count_alone, limited.find_wronged),
    ("the ledger is what was sent", lambda e: e.ledger_sends, money.find_misbooked),
]


class Line(msgspec.Struct, frozen=True):
    """One promise, after the run. `documented`: cases in which it is not given; they are shown and do not count."""

    promise: str
    counted: int
    imbalances: list[Imbalance]
    documented: list[Imbalance]


def balance(evidence: Evidence) -> list[Line]:
    """Put every promise to the evidence."""
    lines = []
    for promise, count, check in PROMISES:
        found = list(check(evidence))
        broken = [one for one in found if not one.documented]
        lines.append(Line(promise, count(evidence), broken, [one for one in found if one.documented]))
    return lines
