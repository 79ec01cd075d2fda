"""Guesses, counted where they are compared: at Telnyx, by verification and by number, against the budgets.

Checks of the balance. Pure. A guess asks every send of its verification, so it is counted once for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.findings import Imbalance
from tests.chaos.policy import CODES, CODES_OF_NUMBER, CODES_OF_SOURCE
from tests.chaos.records import Source


def guesses_compared(evidence: Evidence) -> Counter[str]:
    """Count the guesses that Telnyx compared, by verification: the most that any one send of it was asked.

    Not what was asked when it was over, which is how decoys learn how Telnyx is.
    """
    holder = {send.provider_id: send.verification for send in evidence.sends if send.provider_id is not None}
    guesses = (call for call in evidence.check_calls if call.acted and call.phone_number and not call.over)
    asked = Counter(call.verification_id for call in guesses)
    found: Counter[str] = Counter()
    for provider_id, many in asked.items():
        if (verification := holder.get(provider_id or "")) is not None:
            found[verification] = max(found[verification], many)
    return found


def count_compared(evidence: Evidence) -> int:
    return sum(guesses_compared(evidence).values())


def count_numbers(evidence: Evidence) -> int:
    return len(_group(evidence))


def find_over_verification(evidence: Evidence) -> Iterator[Imbalance]:
    """More guesses than a verification has, at Telnyx or on record."""
    on_record = Counter(guess.verification for guess in evidence.guesses)
    compared = guesses_compared(evidence)
    for verification in on_record | compared:
        most = max(on_record[verification], compared[verification])
        if most > CODES:
            yield Imbalance(f"{most} guesses for one verification", verification)


def find_over_number(evidence: Evidence) -> Iterator[Imbalance]:
    """More guesses than a number has, of one source or of all, where no right code ever cleared its budgets."""
    compared, on_record = guesses_compared(evidence), Counter(guess.verification for guess in evidence.guesses)
    for whose, verifications in _group(evidence).items():
        if any(evidence.rows[verification].status == "verified" for verification in verifications):
            continue
        most = CODES_OF_NUMBER if whose[2] is None else CODES_OF_SOURCE
        made = sum(max(on_record[one], compared[one]) for one in verifications)
        if made > most:
            yield Imbalance(f"{made} guesses for one number, {most} is its budget", verifications[-1], whose[1])


def find_uncounted(evidence: Evidence) -> Iterator[Imbalance]:
    """More compared at Telnyx than is on record: a guess that was free."""
    on_record = Counter(guess.verification for guess in evidence.guesses)
    for verification, many in guesses_compared(evidence).items():
        if many > on_record[verification]:
            text = f"Telnyx compared {many} codes, {on_record[verification]} are on record"
            yield Imbalance(text, verification, evidence.rows[verification].phone)


def _group(evidence: Evidence) -> dict[tuple[str, str, str | None], list[str]]:
    """Group verifications by client and number (source None), and by client, number and source."""
    found: dict[tuple[str, str, str | None], list[str]] = {}
    for call in evidence.requests:
        if call.status == 202 and call.verification in evidence.rows:
            client, phone = call.source.client, call.source.phone
            for source in (None, _source(call.source)):
                group = found.setdefault((client, phone, source), [])
                if call.verification not in group:
                    group.append(call.verification)
    return found


def _source(source: Source) -> str:
    """Name the source of a wrong code. In a run an account always comes from one address, so either names it."""
    return source.account or source.address
