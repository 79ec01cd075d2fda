"""policy backtest: read recorded decisions, decide them again, and report what changes.

A module apart from the other commands on the policy, which need no database.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import click
import msgspec

from service.cli.lengths import Length
from service.cli.policies.outcomes import read_outcomes, tabulate
from service.cli.running import run
from service.db.engine import Database
from service.operators.backtesting.backtest import NOT_DECIDED_AGAIN, Backtest, Changes, RuleChange
from service.operators.backtesting.backtest_input import read_decisions
from service.operators.reports.outcomes import Outcome
from service.policy import loading
from service.policy.model import Policies
from service.settings import DatabaseSettings

# A run shorter than this (seconds) shows no progress bar.
SHORT = 1.0
STEPS = 1000


class Bar:
    """A progress bar on standard error, if that is a terminal and the run takes long."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._begun = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        """Return the bar itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the line, if one was shown."""
        if self._bar is not None:
            self._bar.render_finish()

    def show(self, share: float) -> None:
        """Show the progress, 0 to 1."""
        if self._bar is None and sys.stderr.isatty() and time.monotonic() - self._begun > SHORT:
            self._bar = click.progressbar(length=STEPS, label="deciding", file=sys.stderr)
        if self._bar is not None:
            self._bar.update(round(share * STEPS) - self._bar.pos)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--since", type=Length(), metavar="LENGTH", help="Only sends of this last period, such as 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backtest(file: str, since: timedelta | None, *, as_json: bool) -> None:
    """Decide recorded sends again under another policy file.

    Needs DATABASE_URL. Shows what FILE would have suppressed and let through, by rule, and how many of those were
    people; and for each client and rule, how many of the numbers that it stopped were verified within a day all the
    same. Changes nothing.
    """
    policies = loading.load(file)
    changes, measured = run(DatabaseSettings, lambda database, _: _decide(database, policies, since), writes=False)
    if as_json:
        extra = {"not_decided_again": NOT_DECIDED_AGAIN, "outcomes": measured}
        click.echo(msgspec.json.encode(msgspec.to_builtins(changes) | extra).decode())
    else:
        click.echo("\n".join([*_write(changes), "", "As it was decided then:", *tabulate(measured)]))


async def _decide(database: Database, policies: Policies, since: timedelta | None) -> tuple[Changes, list[Outcome]]:
    again = Backtest(policies)
    with Bar() as bar:
        async for page in read_decisions(database, since):
            again.add(page.rows)
            bar.show(page.share)
    return again.changes, await read_outcomes(database, since)


def _write(changes: Changes) -> Iterator[str]:
    yield f"Decided again under policy {changes.policy}: {changes.decided:,} sends."
    if changes.undecodable:
        yield f"Left out: {changes.undecodable:,} decisions of another version, which cannot be read."
    yield f"Suppressed by rules: {changes.suppressed_before:,} then, {changes.suppressed_after:,} under this policy."
    yield (
        f"Newly suppressed: {changes.newly_suppressed:,}. {changes.newly_suppressed_sent:,} of them went out then, and "
        f"{changes.newly_suppressed_verified:,} of those verified: people."
    )
    yield f"Newly let through: {changes.newly_released:,}{_doubt(changes)}."
    yield ""
    yield from _tabulate(changes.rules)
    yield ""
    yield (
        f"Money: {changes.saved:,.2f} {changes.currency} less, {changes.saved_verified:,.2f} of it on people; "
        f"{changes.added:,.2f} more for what is let through. By the policy's list: {changes.priced}."
    )
    yield "Not decided again:"
    yield from (f"  {line}" for line in NOT_DECIDED_AGAIN)


def _doubt(changes: Changes) -> str:
    if not changes.unasked:
        return ""
    return f"; {changes.unasked:,} of them were suppressed before the other rules were asked, which might object"


def _tabulate(rules: dict[str, RuleChange]) -> Iterator[str]:
    if not rules:
        yield "No rule suppresses anything, then or now."
        return
    yield f"{'suppressed by':<20}{'then':>9}{'now':>9}{'gained':>9}{'sent':>9}{'verified':>9}{'lost':>9}{'let out':>9}"
    for rule, change in sorted(rules.items(), key=lambda item: (-item[1].gained - item[1].lost, item[0])):
        counts = msgspec.structs.astuple(change)
        yield f"{rule:<20}" + "".join(f"{count:>9,}" for count in counts)
