"""Money: what the ledger holds is the price of every send that Telnyx took, and of each that is in doubt.

A check of the balance. Pure. The difference between the ledger and Telnyx's journal is explained send by send.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.findings import Imbalance
from tests.chaos.policy import PRICES
from tests.chaos.sent import REAL, list_acted


def find_misbooked(evidence: Evidence) -> Iterator[Imbalance]:
    """Sends that cost and are not booked, or are and do not; and sums that differ from those of the sends."""
    for send in evidence.sends:
        # How far a process came that died, nobody knows: a send that is in doubt since then is booked if the process
        # had decided it, and only then can it have gone. What Telnyx took without that shows in the sum below.
        costs = send.state == "sent" and send.provider == REAL
        if costs != send.booked and send.state != "in_doubt":
            text = f"a send that is {send.state} by {send.provider} is {'' if send.booked else 'not '}booked"
            yield Imbalance(text, send.verification, evidence.rows[send.verification].phone)
        if send.booked and send.price != PRICES[send.by]:
            yield Imbalance(f"booked at {send.price} by {send.by}", send.verification)
    booked = [send for send in evidence.sends if send.booked]
    spent = math.fsum(PRICES[send.by] for send in booked)
    if evidence.ledger_sends != len(booked) or not math.isclose(evidence.ledger_spent, spent):
        yield Imbalance(
            f"the ledger holds {evidence.ledger_sends} sends at {evidence.ledger_spent}, the sends that are booked "
            f"are {len(booked)} at {spent}"
        )
    if (difference := explain(evidence)) != 0:
        yield Imbalance(f"Telnyx took {difference} more than the ledger and the sends in doubt explain")


def explain(evidence: Evidence) -> float:
    """Return what Telnyx took beyond the ledger, less what sends in doubt that never went are booked at."""
    acted = Counter((call.phone_number, call.channel) for call in list_acted(evidence))
    taken = math.fsum(PRICES[channel or ""] * many for (_, channel), many in acted.items())
    held = {send.provider_id for send in evidence.sends if send.provider_id is not None}
    loose = Counter(
        (call.phone_number, call.channel) for call in list_acted(evidence) if call.verification_id not in held
    )
    unsent = 0.0
    for send in evidence.sends:
        place = (evidence.rows[send.verification].phone, send.by)
        if send.state == "in_doubt" and send.booked:
            if loose[place]:
                loose[place] -= 1
            else:
                unsent += PRICES[send.by]
    return taken + unsent - evidence.ledger_spent
