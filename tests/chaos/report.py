"""A run in words: what was done, the ledger's table, and of each imbalance everything that led to it.

Called by the command and by the test. Numbers in it are the run's own and nobody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.chaos.run import Outcome
from tests.chaos.timeline import write_timeline

SHOWN = 12  # imbalances told in full


def write_report(outcome: Outcome) -> str:
    """Write all of it."""
    return "\n".join([*_summary(outcome), "", *_table(outcome), *_details(outcome)])


def _summary(outcome: Outcome) -> Iterator[str]:
    evidence = outcome.evidence
    statuses = Counter(
        call.status or ("without an answer" if call.reached else "to closed doors") for call in evidence.requests
    )
    kinds = Counter(strike.partition(" ")[0] for strike in outcome.strikes)
    states = Counter(send.state for send in evidence.sends)
    acted = sum(call.acted for call in evidence.send_calls)
    yield f"Seed {outcome.seed}, {outcome.seconds:.0f} s, {outcome.starts} starts of processes."
    yield f"Strikes: {len(outcome.strikes)} ({_list(kinds)})."
    yield f"Requests: {len(evidence.requests)} ({_list(statuses)}); calls in all: {len(evidence.calls)}."
    yield f"Rows: {len(evidence.rows)}; sends: {_list(states)}; Telnyx sent {acted}."
    yield f"Every process took requests again {outcome.back:.1f} s after the last strike."


def _list(counted: Mapping[Any, int]) -> str:
    return ", ".join(f"{many} {name}" for name, many in sorted(counted.items(), key=str))


def _table(outcome: Outcome) -> Iterator[str]:
    width = max(len(line.promise) for line in outcome.lines)
    yield f"{'Promise':{width}}  {'counted':>8}  {'broken':>7}  {'documented':>10}"
    for line in outcome.lines:
        yield f"{line.promise:{width}}  {line.counted:>8}  {len(line.imbalances):>7}  {len(line.documented):>10}"


def _details(outcome: Outcome) -> Iterator[str]:
    for line in outcome.lines:
        for one in line.documented[:SHOWN]:
            yield f"\n{line.promise}: {one.text} [{one.verification}], as documented in {one.documented}"
        for imbalance in line.imbalances[:SHOWN]:
            yield f"\n{line.promise}: {imbalance.text} [{imbalance.verification or '-'}, {imbalance.phone or '-'}]"
            yield from write_timeline(outcome.evidence, imbalance)
