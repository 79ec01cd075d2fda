"""policy outcomes: what became of the numbers that rules stopped, or would have, by client and rule.

Reads recorded decisions alone; changes nothing. Its table is also a part of `policy backtest`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import click
import msgspec

from service.cli.lengths import Length
from service.cli.running import run
from service.db.engine import Database
from service.operators.reports.observations import ObservationReport, Observations, word_period, word_report
from service.operators.reports.outcomes import Outcome, Outcomes
from service.policy import loading
from service.settings import DatabaseSettings

# As long as decisions are kept.
EVERYTHING = timedelta(days=31)
# Seconds. A million requests take about one minute.
LIMIT = 1800.0
WHAT_IS_KNOWN = (
    "Verified: any code for the number was right within a day of the request, whichever way it took. Of numbers that a",
    "rule stopped this is the least that can be known: people who got no code and gave up are not among them. Of those",
    "that a rule only observed it is nearly all. Open: not verified, and the day is not over.",
)


@click.command()
@click.option("--since", type=Length(), metavar="LENGTH", help="Only requests of this last period, such as 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def outcomes(since: timedelta | None, *, as_json: bool) -> None:
    """Tell whom rules stopped, or would have, and who of them were people.

    Needs DATABASE_URL. For each client and rule: the numbers that it stopped (enforce) or would have stopped (observe),
    and how many of them were verified within a day. First a report on each client whose rules only observe, or did
    within the last weeks (enforce_from in POLICY_FILE, or keys create --observe).
    """
    policies = loading.load(os.environ.get("POLICY_FILE"))

    async def read(database: Database, _: object) -> tuple[list[ObservationReport], list[Outcome]]:
        observations = Observations(database, policies, limit=LIMIT)
        reports = [await observations.report(one) for one in await observations.list()]
        return reports, await read_outcomes(database, since)

    reports, found = run(DatabaseSettings, read, writes=False)
    if as_json:
        told: dict[str, Any] = {"observed": reports, "outcomes": found}
        click.echo(msgspec.json.encode(told).decode())
        return
    for report in reports:
        click.echo(f"{word_period(report.observation)} {word_report(report)}\n")
    click.echo("\n".join(tabulate(found)))


async def read_outcomes(database: Database, since: timedelta | None) -> list[Outcome]:
    """Read the outcomes of a period that ends now, None for all that is kept. Raises Unavailable."""
    return await Outcomes(database, limit=LIMIT).read(min(since or EVERYTHING, EVERYTHING))


def tabulate(found: Sequence[Outcome]) -> Iterator[str]:
    """Write the outcomes as a table, with what can be known of them."""
    if not found:
        yield "No rule stopped a number, or would have."
        return
    yield f"{'client':<20}{'rule':<20}{'mode':<9}{'numbers':>9}{'verified':>9}{'share':>8}{'open':>9}"
    for one in found:
        share = f"{one.verified / one.numbers:.1%}"
        yield (
            f"{one.client:<20}{one.rule or '(any)':<20}{one.mode:<9}{one.numbers:>9,}{one.verified:>9,}{share:>8}"
            f"{one.open:>9,}"
        )
    yield from WHAT_IS_KNOWN
