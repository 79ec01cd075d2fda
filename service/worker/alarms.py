"""The alarm round: what is wrong now becomes an incident, reported once for all processes, and its end once.

Run by worker.loop. Never delays a send, and never waits for a webhook that does not accept an alert. Its texts contain
counts, countries and short codes, but nobody's number or address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID, uuid4

from service import telemetry
from service.callbacks.endpoints import list_troubles, word_trouble
from service.db.calls import FunctionCall
from service.db.engine import Database
from service.fraud.tally import Tally
from service.operators.device_signals import list_absent, list_unfamiliar, word_absent
from service.operators.records import ALERT_KINDS
from service.operators.reports.observations import Observations
from service.policy.model import Policies
from service.providers.alerts import Alerts
from service.providers.health_notes import HealthNotes
from service.providers.verify.health import ProviderHealth
from service.settings import MAX_UNKNOWN
from service.verification.gate import OTHERS
from service.verification.storage.store import EVENTS_KEPT
from service.worker.countries import CountryWatch
from service.worker.observed import REPORT_LIMIT, ObservedClients
from service.worker.signs import Signs, read_signs
from service.worker.suppressed import LOOKED_BACK, Suppressions
from service.worker.traffic import SPANS, Traffic, find_unusual

# Seconds between two rounds of one process, and of all together.
LOOK_EVERY = 2.0
MINUTE = 60

WATCH = FunctionCall(
    "watch_traffic_v2", Traffic._fields,
    now=datetime, every=timedelta, recent=timedelta, usual=timedelta, days=int, settled=timedelta, window=timedelta,
    caught_up=timedelta,
)  # fmt: skip
BLOCKS = """
select label, min(reason) as reason from blocks
where until > coalesce($1::timestamptz, clock_timestamp()) and lifted_at is null and set_by = 'rule'
group by label
"""
# How many events about unknown sends have come since the oldest one that is still kept.
UNKNOWN = """
select 1 + (select max(unknown_no) from webhook_events) - unknown_no
from webhook_events
where unknown_no = (select min(unknown_no) from webhook_events)
  and received_at > coalesce($1::timestamptz, clock_timestamp()) - make_interval(secs => $2)
"""
# An alert rings at this share of the most that are kept, before the first is dropped.
MANY_UNKNOWN = 0.9
RING = FunctionCall(
    "ring_alerts_v2", ("event", "kind", "text", "seconds"),
    now=datetime, ring=UUID, kinds=list[str], texts=list[str], quiet=timedelta,
)  # fmt: skip


class Incident(NamedTuple):
    """What is to be told of one: that it began, that it ended, or that it is open. `seconds`: since it began."""

    event: Literal["began", "ended", "open"]
    kind: str
    text: str
    seconds: float


class Watched(NamedTuple):
    """What this process's decisions found, and its watch over countries."""

    tally: Tally
    countries: CountryWatch | None = None


class Alarms:
    """One process's alarm round."""

    def __init__(
        self, database: Database, policies: Policies, alerts: Alerts, health_notes: HealthNotes, health: ProviderHealth,
        now: Callable[[], datetime | None] = lambda: None, max_unknown: int = MAX_UNKNOWN,
        watched: Watched | None = None,
    ) -> None:  # fmt: skip
        """`now`: as in Store."""
        rules = policies.default.alerts
        tally, self._countries = watched or Watched(Tally())
        self._observed = ObservedClients(Observations(database, policies, now, REPORT_LIMIT), now)
        self._suppressions = Suppressions(database.pool, tally, rules, now)
        self._pool = database.pool
        self._rules = rules
        self._alerts = alerts
        self._health_notes = health_notes
        self._health = health
        self._now = now
        self._max_unknown = max_unknown
        self._posts: set[asyncio.Task[None]] = set()
        # The id of one call, until its reply has come: a repeated call with the same id gets the same reply.
        self._unanswered: UUID | None = None

    async def look(self) -> None:
        """Look once at everything, and report what began and what is over."""
        noted = self._health_notes.take()
        incidents: list[Incident] | None = None
        try:
            await self._suppressions.store()
            signs = await read_signs(self._pool, self._now(), LOOKED_BACK)
            incidents = await self._take_in(noted, signs)
        finally:
            # Nobody was told of these: without them a trouble that is over by the next look would never be heard of.
            if incidents is None:
                self._health_notes.give_back(noted)
        # Its answer was heard: asking under the old id would have everything that began told a second time.
        self._unanswered = None
        still = {one.kind.partition(" ")[0] for one in incidents if one.event == "open"}
        for kind in ALERT_KINDS:
            telemetry.ALERT_OPEN.labels(kind).set(float(kind in still))
        for event, kind, text, seconds in incidents:
            if event != "open":
                self._tell(event, kind.partition(" ")[0], text if event == "began" else _word_end(text, seconds))
        # Last: an incident that began or ended is told once, whatever is wrong with the database now.
        if self._countries is not None:
            opened = [one.kind for one in incidents if one.event == "open"]
            await self._countries.keep_up(
                opened, alarmed=signs.alerts or signs.blocks or bool(opened), waived=signs.exemptions
            )

    async def _take_in(self, noted: dict[str, str], signs: Signs) -> list[Incident]:
        wrong = dict(noted)
        wrong |= _word_troubles(self._health)
        wrong |= await self._watch(signs)
        if not wrong and not signs.alerts and self._unanswered is None:
            return []
        self._unanswered = self._unanswered or uuid4()
        kinds, quiet = sorted(wrong), timedelta(seconds=self._rules.ends_after)
        texts = [wrong[kind] for kind in kinds]
        call = RING(now=self._now(), ring=self._unanswered, kinds=kinds, texts=texts, quiet=quiet)
        return [Incident(*row) for row in await self._pool.fetch(*call)]

    async def stop(self) -> None:
        """Wait for the posts under way; each ends within seconds."""
        await asyncio.gather(*self._posts, return_exceptions=True)

    async def _watch(self, signs: Signs) -> dict[str, str]:
        """Look at the whole service, unless another process has just done so: at what there are signs of."""
        every = timedelta(seconds=LOOK_EVERY * 0.9)
        row = await self._pool.fetchrow(*WATCH(now=self._now(), every=every, **SPANS))
        if row is None:
            return {}
        found = await self._observed.find()
        if signs.blocks:
            blocks = await self._pool.fetch(BLOCKS, self._now())
            found |= {f"block {label}": f"A rule has blocked {label}: {reason}." for label, reason in blocks}
        if signs.unknown:
            found |= await self._watch_unknown()
        if signs.endpoints:
            found |= {f"callbacks {one.client}": word_trouble(one) for one in await list_troubles(self._pool)}
        if signs.signals:
            found |= await self._watch_signals()
        found |= await self._suppressions.find(objections=signs.objections)
        if self._countries is not None:
            found |= await self._countries.find()
        return found | find_unusual(Traffic(*row), self._rules)

    async def _watch_unknown(self) -> dict[str, str]:
        unknown = await self._pool.fetchval(UNKNOWN, self._now(), EVENTS_KEPT) or 0
        if unknown <= MANY_UNKNOWN * self._max_unknown:
            return {}
        text = (
            f"{unknown:,} webhooks within 15 minutes told of verifications that are not ours. Beyond "
            f"{self._max_unknown:,} the oldest are dropped. Does another service share the Verify profile?"
        )
        return {"webhooks unknown": text}

    async def _watch_signals(self) -> dict[str, str]:
        """Tell of what device events never carry, for as long as they do not: once, however seldom they come."""
        found = {
            f"signals {client}": f"{word_absent(client, signals)} Is it part of the plan at Fingerprint?"
            for client, signals in (await list_absent(self._pool, self._now())).items()
        }
        for name in await list_unfamiliar(self._pool, self._now()):
            text = f"Fingerprint gives {name} a value that this version does not know: it counts as none."
            found[f"signals new {name}"] = text
        return found

    def _tell(self, event: str, kind: str, text: str) -> None:
        telemetry.ALERTS.labels(kind, event).inc()
        telemetry.log.warning("alert", kind=kind, incident=event, text=text)
        task = asyncio.create_task(self._post(kind, text))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def _post(self, kind: str, text: str) -> None:
        if self._alerts.wanted and not await self._alerts.post(f"verify-gateway: {text}"):
            telemetry.log.warning("alert_not_posted", kind=kind)


def _word_troubles(health: ProviderHealth) -> dict[str, str]:
    """Word what Telnyx does not accept: one incident for everybody, one for each profile's clients."""
    found = {}
    if (trouble := health.trouble()) is not None:
        found["telnyx"] = f"Telnyx takes nothing ({trouble.reason}). Requests are answered 503."
    for profile_id, reason in health.reasons_of_profiles().items():
        whose = ", ".join(health.owners[profile_id]).replace(OTHERS, "all clients without one of their own")
        text = f"Telnyx takes nothing for the Verify profile of {whose} ({reason}). Their requests are answered 503."
        found[f"telnyx_profile {whose}"] = text
    return found


def _word_end(text: str, seconds: float) -> str:
    return f"Over after {max(1, round(seconds / MINUTE)):,} min: {text}"
