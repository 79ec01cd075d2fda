"""Clients whose rules only observe for a while, and the report of what would have been stopped meanwhile.

Called by api, cli and worker.observed. Changes nothing: verification.admission decides whether a request is observed,
when it admits it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from service.db.asking import ask
from service.db.engine import Database
from service.operators.reports.outcomes import Outcome, Outcomes, Scope
from service.policy.model import Policies, Policy
from service.policy.rules import Rules

# Decisions are kept for 30 days: of what ended longer ago nothing can be told.
TOLD_FOR = timedelta(days=29)
CLIENTS = """
select id, name, created_at, observed_from, observed_until from clients where not test order by name
"""


class Observation(msgspec.Struct, frozen=True):
    """A period in which a client's rules only observe. `set_by`: the policy's enforce_from, or --observe at a key."""

    client_id: int
    client: str
    since: datetime
    until: datetime
    set_by: Literal["policy", "key"]
    over: bool


class ObservationReport(msgspec.Struct, frozen=True):
    """What would have been stopped in a period, under the modes in force now.

    `numbers`: all that were requested; `suppressed`: those to which a rule objected that is enforced from its end on;
    `verified`, `open`: of these, as in Outcome. `rules`: the same for each of these rules.
    """

    observation: Observation
    numbers: int
    suppressed: int
    verified: int
    open: int
    rules: list[Outcome]


class Observations:
    """The periods of one database's clients."""

    def __init__(
        self, database: Database, policies: Policies, now: Callable[[], datetime | None] = lambda: None,
        limit: float | None = None,
    ) -> None:  # fmt: skip
        """`now`, `limit`: as in Outcomes."""
        self._database = database
        self._policies = policies
        self._outcomes = Outcomes(database, now, limit)
        self._now = now

    async def list(self) -> list[Observation]:
        """List the periods that are under way or ended within the last weeks. Raises Unavailable."""
        now = self._now() or datetime.now(UTC)
        found = []
        for row in await ask(self._database, CLIENTS):
            until = self._policies.observed_until(row["name"], row["observed_until"])
            if until is None or until < max(row["created_at"], now - TOLD_FOR):
                continue
            since = max(row["observed_from"] or row["created_at"], min(until, now) - TOLD_FOR)
            by_policy = self._policies.of(row["name"]).client.enforce_from.at is not None
            set_by: Literal["policy", "key"] = "policy" if by_policy else "key"
            found.append(Observation(row["id"], row["name"], min(since, until), until, set_by, over=until <= now))
        return found

    async def report(self, observation: Observation) -> ObservationReport:
        """Sum up what would have been stopped. Raises Unavailable if that takes too long."""
        enforced = list_enforced(self._policies.of(observation.client))
        scope = Scope(observation.since, observation.until, observation.client_id, enforced)
        found = [one for one in await self._outcomes.read_scope(scope) if one.mode == "observe"]
        total = next((one for one in found if one.rule is None), None)
        return ObservationReport(
            observation=observation,
            numbers=await self._outcomes.count_numbers(scope),
            suppressed=total.numbers if total else 0,
            verified=total.verified if total else 0,
            open=total.open if total else 0,
            rules=[one for one in found if one.rule is not None],
        )


def list_enforced(policy: Policy) -> list[str]:
    """List the rules that stop a client once they are enforced."""
    return [rule.name for rule in msgspec.structs.fields(Rules) if getattr(policy.rules, rule.name).mode == "enforce"]


def word_period(one: Observation) -> str:
    """Say until when a client is observed, and by what."""
    by = "enforce_from in the policy" if one.set_by == "policy" else "keys create --observe"
    verb = "only observed" if one.over else "only observe"
    return f"{one.client}'s rules {verb} until {one.until:%Y-%m-%d %H:%M} UTC ({by}); limits and lockouts hold."


def word_report(report: ObservationReport) -> str:
    """Say what would have been stopped."""
    one = report.observation
    if not report.suppressed:
        return f"Of {report.numbers:,} numbers that {one.client} requested, the rules would have stopped none."
    rules = "; ".join(f"{rule.rule}: {rule.numbers:,}, {rule.verified:,} verified" for rule in report.rules)
    return (
        f"Of {report.numbers:,} numbers that {one.client} requested, the rules would have stopped "
        f"{report.suppressed:,}; {report.verified:,} of these numbers were verified within a day: people ({rules})."
    )
