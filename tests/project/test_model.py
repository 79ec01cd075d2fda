"""Whatever callers do, in whatever order, and whoever crashes: what they are told is what the model calls lawful.

MODEL_EXAMPLES plays so many examples, newly drawn, instead of those that are always the same.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import RULES, Machine
from tests.model.rig import open_rig

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 30,
    stateful_step_count=30,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    # Shrinking a failure takes minutes: only for those who hunt one. Without it a case has this many steps at most.
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# What the examples must have met for this test to say anything.
MET = {
    "pending", "verified", "locked", "expired", "canceled", "request limited", "fallback 202", "fallback 409",
    "fallback 429", "cancel 200", "cancel 409", "adopted", "from a known source",
}  # fmt: skip


def test_what_callers_are_told_is_lawful_whatever_they_do_and_whoever_crashes(database_url: str) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        opened = open_rig(database_url, RULES)
        Machine.loop, Machine.rig = loop, loop.run_until_complete(opened.__aenter__())
        Machine.seen = Counter()
        try:
            run_state_machine_as_test(Machine, settings=SETTINGS)
        finally:
            loop.run_until_complete(opened.__aexit__(None, None, None))
    assert not MET - Machine.seen.keys(), Machine.seen
