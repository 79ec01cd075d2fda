"""Which rules stop an unusual share of a client's requests, or would: what of it rings, and in which words.

Called by worker.alarms. Pure but for `Suppressions`, which stores and reads the counts. A rule is silent to callers, so
nobody who is stopped by mistake can say so: this says it for them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from service.db.pool import Pool
from service.fraud.tally import Counted, Tally
from service.policy.model import AlertRules

# Counts are kept by the quarter of an hour: `hour` reaches back for one hour and up to a quarter more.
QUARTER, HOUR, DAY, WEEK = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
LOOKED_BACK = HOUR + QUARTER
COUNT = """
insert into rule_counts as r (at, client, country, rule, mode, finding, count)
select date_bin($2::interval, coalesce($1::timestamptz, clock_timestamp()), 'epoch'), x.*
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[])
    as x(client, country, rule, mode, finding, count)
order by 2, 3, 4, 5, 6
on conflict (at, client, country, rule, mode, finding) do update set count = r.count + excluded.count
"""
READ = """
select client, country, rule, mode, finding, sum(count)::int
from rule_counts where at > coalesce($1::timestamptz, clock_timestamp()) - $2::interval
group by 1, 2, 3, 4, 5
"""
# Of one rule and of all decisions, within the day and in the week before it.
SHARES = """
with clock as (select coalesce($1::timestamptz, clock_timestamp()) as now)
select coalesce(sum(r.count) filter (where r.rule <> '' and r.at > now - $5::interval), 0)::int,
       coalesce(sum(r.count) filter (where r.rule = '' and r.at > now - $5::interval), 0)::int,
       coalesce(sum(r.count) filter (where r.rule <> '' and r.at <= now - $5::interval), 0)::int,
       coalesce(sum(r.count) filter (where r.rule = '' and r.at <= now - $5::interval), 0)::int
from rule_counts r, clock
where r.client = $2 and r.country = any ($4::text[]) and (r.rule = '' or r.rule = $3 and r.mode = $6)
  and r.at > now - $5::interval - $7::interval
"""
# That a client's requests bring no device event is known to whoever lets the rule only observe, and of all of them.
EXPECTED = {("no_event", "observe")}
MOST_NAMED = 5
UNTOLD = "usual"
ADVICE = {
    "country": "If you serve them, name them in countries.allow: `policy check` lists what shares a calling code.",
    "number": "If these are people, look at rules.number.kinds.",
    "number_unknown": "If these are people, renew the numbering plan (docs/operations.md).",
    "captcha": "Look whether the captcha's secret is that of the site key that the client shows.",
}
USUAL = "If these are people, let the rule observe for this client while you look: [clients.{client}.rules.{rule}]."
OBSERVED = "Nobody was stopped: the rule only observes. If these are people, leave it so."


class Suppression(msgspec.Struct, frozen=True):
    """What one rule did to one client's requests within the hour. `countries`, `findings`: the most frequent first.

    `of`: the countries whose requests are counted in `asked`.
    """

    client: str
    rule: str
    mode: str
    suppressed: int
    asked: int
    of: list[str]
    countries: list[str]
    findings: list[tuple[str, int]]

    @property
    def kind(self) -> str:
        """Name the incident."""
        return f"suppressed {self.client} {self.rule} {self.mode}"


class Shares(NamedTuple):
    """What the rule stopped within the day and in the week before, each of how many."""

    day: int
    of_day: int
    week: int
    of_week: int


def find_suppressions(counts: Iterable[tuple[Counted, int]], rules: AlertRules) -> Iterator[Suppression]:
    """Yield the rules that stopped at least the share that rings, of a country's requests or of all."""
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    suppressed: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    findings: dict[tuple[str, str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for one, count in counts:
        if not one.rule:
            asked[one.client][one.country] += count
        elif one.mode in ("enforce", "observe") and (one.rule, one.mode) not in EXPECTED:
            key = (one.client, one.rule, one.mode)
            suppressed[key][one.country] += count
            findings[key][one.country, one.finding] += count
    for (client, rule, mode), by_country in suppressed.items():
        per, everywhere = asked[client], _rings(by_country.total(), asked[client].total(), rules)
        named = [one for one, many in by_country.most_common() if everywhere or _rings(many, per[one], rules)]
        if named:
            of = sorted(per) if everywhere else named
            found = Counter[str]()
            for (country, finding), many in findings[client, rule, mode].items():
                found[finding] += many if country in named else 0
            yield Suppression(
                client, rule, mode, sum(by_country[one] for one in named), sum(per[one] for one in of), of, named,
                found.most_common(MOST_NAMED),
            )  # fmt: skip


def _rings(suppressed: int, asked: int, rules: AlertRules) -> bool:
    return suppressed >= rules.suppressed_least_requests and suppressed >= rules.suppressed_least_share * asked


def word(one: Suppression, shares: Shares) -> str:
    """Say it in sentences: what was stopped, where, by what kind of finding, and what to do."""
    did = "stopped" if one.mode == "enforce" else "would have stopped"
    named = ", ".join(one.countries[:MOST_NAMED]) + (" and others" if len(one.countries) > MOST_NAMED else "")
    usually = f"usually {shares.week / shares.of_week:.0%}" if shares.of_week else "what is usual is not known yet"
    kinds = ", ".join(f"{finding}: {many / max(1, one.suppressed):.0%}" for finding, many in one.findings if many)
    observes = one.mode != "enforce"
    advice = (OBSERVED if observes else ADVICE.get(one.rule, USUAL)).format(client=one.client, rule=one.rule)
    return (
        f"The rule {one.rule} {did} {_share(one.suppressed, one.asked)} of {one.client}'s requests of the last "
        f"hour ({one.suppressed:,} of {one.asked:,}; {named}), {_share(shares.day, shares.of_day)} of the day's; "
        f"{usually}. It found: {kinds}. {advice}"
    )


def _share(part: int, whole: int) -> str:
    return f"{min(1.0, part / whole):.0%}" if whole else "none"


class Suppressions:
    """Stores this process's tally, and reads what all processes counted."""

    def __init__(self, pool: Pool, tally: Tally, rules: AlertRules, now: Callable[[], datetime | None]) -> None:
        """`now`: as in Store."""
        self._pool = pool
        self._tally = tally
        self._rules = rules
        self._now = now
        self._known: dict[str, str] = {}

    async def store(self) -> None:
        """Add what was counted since the last time. Raises Unavailable, and keeps it then."""
        counts = self._tally.take()
        if not counts:
            return
        columns = [list(column) for column in zip(*((*one, many) for one, many in counts.items()), strict=True)]
        try:
            await self._pool.execute(COUNT, self._now(), QUARTER, *columns)
        except BaseException:
            self._tally.give_back(counts)
            raise

    async def find(self, *, objections: bool) -> dict[str, str]:
        """Return a sentence for each rule that rings, by the incident's kind. `objections`: whether there are any."""
        rows = await self._pool.fetch(READ, self._now(), LOOKED_BACK) if objections else []
        found = find_suppressions(((Counted(*row[:5]), row[5]) for row in rows), self._rules)
        # What rang before is asked about once: only the words with which it began are told.
        self._known = {one.kind: self._known.get(one.kind) or await self._word(one) for one in found}
        return {kind: text for kind, text in self._known.items() if text != UNTOLD}

    async def _word(self, one: Suppression) -> str:
        named = (self._now(), one.client, one.rule, one.of, DAY, one.mode, WEEK)
        row = await self._pool.fetchrow(SHARES, *named)
        shares = Shares(*row) if row else Shares(0, 0, 0, 0)
        return UNTOLD if _is_usual(one, shares) else word(one, shares)


def _is_usual(one: Suppression, shares: Shares) -> bool:
    """Say whether a rule that only observes finds what it did all week: it stops nobody, and was told of before."""
    return one.mode == "observe" and shares.week * one.asked > shares.of_week * one.suppressed / 2
