"""Plays a trace through the real gateway: its admission, decision, send and lockout code, in virtual time.

Called by cli and the tests, with a database of its own. Only the outside (Telnyx, Fingerprint, the clock) is simulated.
The gateway never sees a line's label.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from uuid import UUID

import msgspec

from service import phone
from service.api.request_body import read_request
from service.api.schemas.product import VerificationRequest
from service.clients.authenticator import Authenticator
from service.clients.caller import Caller
from service.clients.key_admin import KeyAdmin
from service.clients.store import KeyStore
from service.db.engine import Database
from service.errors import GatewayError, Limited
from service.fraud.countries import Countries
from service.fraud.decision import Decision
from service.fraud.gathering.captcha_verdicts import CaptchaVerdicts
from service.fraud.gathering.captchas import Captchas
from service.fraud.gathering.device_events import DeviceEvents
from service.fraud.judge import Gathered, Judge
from service.fraud.money import price_of
from service.fraud.question import Question
from service.fraud.storage.resolving import SPENT
from service.fraud.storage.store import FraudStore
from service.policy.model import Policies, Policy
from service.providers.verify.health import ProviderHealth
from service.simulation.report import CountryAlarm, LineOutcome, LineResult, Played
from service.simulation.stand_ins import EventBook, Phones
from service.simulation.trace import TraceLine
from service.vault import Vault, new_id
from service.verification.admission import Requests
from service.verification.callers import Ask
from service.verification.gate import Gate
from service.verification.senders import Senders
from service.verification.sends.dispatch import Dispatch
from service.verification.slots import Slots
from service.verification.states import GuessResult
from service.verification.storage.store import Store
from service.verification.storage.ticks import NO_TICKS
from service.verification.traces import Traces
from service.worker.countries import CountryWatch

CLIENT = "simulation"
# A trace knows of no captchas: whoever asks has solved one, and nobody is asked about it.
SOLVED = "solved"
# A trace begins at midnight UTC. The day and the keys are fixed, so that a trace always gives the same report.
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = bytes(32)
EXPIRE_EVERY = timedelta(minutes=1)
# Seconds after which the operator reports that a code could not be delivered.
FAILS_AFTER = 10
LOOK_EVERY = timedelta(minutes=15)
# Real seconds that one send may take, which waits only for the scratch database.
PATIENCE = 30.0


class Witness(Judge):
    """A judge that remembers its last decision."""

    last: Decision | None = None

    async def settle(self, question: Question, policy: Policy, gathered: Gathered) -> Decision:
        self.last = await super().settle(question, policy, gathered)
        return self.last


class Player:
    """One gateway on one scratch database, from the first line of a trace to the last."""

    def __init__(self, database: Database, policy: Policy) -> None:
        """Wire the parts as app does, with stand-ins for the outside and one clock."""
        self._now = self._expired = BEGIN
        self._policy = policy
        self._vault = Vault([SECRET], SECRET)
        self._keys = KeyAdmin(database, self._vault)
        self._store = Store(database, Policies(policy, {}), self._clock, ticks=NO_TICKS)
        self._key_store = KeyStore(database, self._clock)
        self._book, self._phones, self._slots = EventBook(), Phones("telnyx", real=True), Slots(1)
        fraud_store = FraudStore(database, self._clock, ticks=False)
        captchas = Captchas(None, CaptchaVerdicts(self._vault, fraud_store))
        self._countries = Countries(self._vault, database.pool, self._clock)
        self._watch = CountryWatch(database.pool, self._countries, policy, self._clock, every=0.0)
        self._watched = BEGIN
        self._judge = Witness(
            self._vault, fraud_store, DeviceEvents(self._book, None), captchas, countries=self._countries
        )
        health = ProviderHealth()
        decoy = Phones("silent", real=False)
        senders = Senders(real=self._phones, decoy=decoy, test=decoy, idle=decoy, health=health, profile_id=CLIENT)
        traces = Traces(database)
        dispatch = Dispatch(self._store, self._judge, senders, self._slots.ask, traces, spread=0.0)
        self._requests = Requests(self._store, self._vault, Gate(health), dispatch, self._slots, traces)
        self._guesses: list[tuple[float, int, UUID, TraceLine]] = []
        self._sent: set[UUID] = set()
        self._failures = deque[tuple[datetime, str]]()
        self.alarms: list[CountryAlarm] = []

    async def play(self, lines: Iterable[TraceLine]) -> AsyncIterator[Played]:
        """Play the lines in order of time, and return what became of each. What would follow the last is left out."""
        caller = await self._enter()
        for place, line in enumerate(sorted(lines, key=lambda line: line.t)):
            await self._type_until(line.t, caller)
            await self._fail_until(BEGIN + timedelta(seconds=line.t))
            self._now = BEGIN + timedelta(seconds=line.t)
            await self._expire()
            await self._look()
            row, outcome = await self._ask(line, caller)
            if row is not None and outcome.result == "sent":
                self._sent.add(row)
            # Whoever tapped twice types the code that the first tap brought.
            if row in self._sent and outcome.result in ("sent", "repeated"):
                heapq.heappush(self._guesses, (line.t + line.verify_after, place, row, line))
            yield line, outcome

    def _clock(self) -> datetime:
        return self._now

    async def _enter(self) -> Caller:
        authenticator = Authenticator(self._key_store, self._vault, Policies(self._policy, {}))
        return await authenticator.find(await self._keys.create(CLIENT))

    async def _ask(self, line: TraceLine, caller: Caller) -> tuple[UUID | None, LineOutcome]:
        self._judge.last, before = None, self._phones.sent
        self._phones.reaches = line.delivered
        try:
            taken = await self._requests.request(caller, self._read(line))
        except Limited:
            return None, LineOutcome(result="refused", cost=self._cost(line))
        except (GatewayError, msgspec.ValidationError):
            return None, LineOutcome(result="error")
        if taken.replayed:
            return taken.id, LineOutcome(result="repeated")
        await self._slots.drain(PATIENCE)
        if not line.delivered and self._phones.sent > before:
            self._failures.append((self._now + timedelta(seconds=FAILS_AFTER), self._phones.last))
        return taken.id, _outcome(self._judge.last, sent=self._phones.sent > before, cost=self._cost(line))

    def _cost(self, line: TraceLine) -> float:
        country = phone.describe(phone.normalise(line.phone_number)).country
        return price_of(self._policy, country, line.channel)

    def _read(self, line: TraceLine) -> Ask:
        """Read a line as api reads a body. Raises GatewayError or msgspec.ValidationError where api answers 422."""
        fields = {
            "phone_number": line.phone_number,
            "ip_address": line.ip_address,
            "account_id": line.account_id,
            "device_event_id": line.device.event_id if line.device is not None else None,
            "captcha_token": SOLVED,
            "channel": line.channel,
        }
        data = msgspec.convert(fields, VerificationRequest)
        ask = read_request(self._policy, data, private_addresses=True)
        if line.device is not None:
            self._book.show(line.device, self._now)
        return ask

    async def _type_until(self, t: float, caller: Caller) -> None:
        while self._guesses and self._guesses[0][0] <= t:
            at, _, row, line = heapq.heappop(self._guesses)
            self._now = BEGIN + timedelta(seconds=at)
            await self._type(row, line, caller)

    async def _type(self, row: UUID, line: TraceLine, caller: Caller) -> None:
        """Enter a line's codes, as long as the verification accepts any."""
        wrong: Iterator[GuessResult] = repeat("wrong", line.wrong_codes)
        right: Iterator[GuessResult] = repeat("right", line.verifies)
        for result in chain(wrong, right):
            guess = new_id()
            reserved = await self._store.reserve(caller, row, guess)
            if reserved.outcome != "reserved":
                return
            settled = await self._store.settle(guess, result, self._policy)
            if settled.verified:
                await self._judge.credit(row)

    async def _fail_until(self, end: datetime) -> None:
        """Report the failed deliveries until then, as a webhook would."""
        while self._failures and self._failures[0][0] <= end:
            self._now, provider_id = self._failures.popleft()
            await self._store.keep_event(self._phones.name, f"failed {provider_id}", "failed", provider_id)
            await self._store.apply_events()

    async def _look(self) -> None:
        """Look at the countries, as the alarm round does, and note what rings for the first time."""
        if self._now - self._watched < LOOK_EVERY:
            return
        self._watched = self._now
        await self._countries.read_usual()
        known = {alarm.kind for alarm in self.alarms}
        t = (self._now - BEGIN).total_seconds()
        found = await self._watch.find()
        self.alarms += [CountryAlarm(kind, t, text) for kind, text in found.items() if kind not in known]

    async def _expire(self) -> None:
        if self._now - self._expired >= EXPIRE_EVERY:
            self._expired = self._now
            while await self._store.expire():
                pass


def _outcome(decision: Decision | None, *, sent: bool, cost: float) -> LineOutcome:
    if decision is None or decision.allow != sent:
        return LineOutcome(result="error")
    enforced = [finding for finding in decision.findings if finding.mode == "enforce"]
    stopped: LineResult = "refused" if all(finding.detail == SPENT for finding in enforced) else "suppressed"
    rules = tuple(finding.rule for finding in enforced)
    return LineOutcome(result="sent" if sent else stopped, rules=rules, cost=cost)
