"""The two statements of a decision: weigh a send against its histories, and resolve what was decided.

Called by fraud.judge; micro-batched, so that a busy country's history is locked once for many sends. Never held
across a call to the outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from service.db.batch import AFTER_REPLY, Batcher, Tick
from service.db.calls import Columns, FunctionCall, JsonText
from service.db.engine import Database
from service.fraud.decision import Decision, writable
from service.fraud.facts import UnconvertedCodes
from service.fraud.histories.history import History, count, without_failed
from service.fraud.histories.subjects import Subject
from service.fraud.money import Booking
from service.phone import NumberKind
from service.policy.units import Window

KEEP = 48
KEEP_LIMITS = 1000
# In how long a history's counts of a day and of a fortnight fade; their sums in the database were made with these.
A_DAY, A_FORTNIGHT = timedelta(days=1), timedelta(days=14)
# For how long a block that has ended makes the next one longer, and is told to the rules.
BLOCK_REMEMBERED = timedelta(days=1)
# A signal that a client's events carried within this time is expected of them, and so is one that has been missing for
# less: a quiet client's first event after a while must not be a stranger's that lacks it on purpose.
EXPECTED_FOR = timedelta(days=7)
# What is noted of a client's signals is written again after this.
NOTED_FOR = timedelta(hours=1)
# The detail of a limit's finding; counts are not recorded.
SPENT = "limit spent"
JSON = msgspec.json.Encoder()
HISTORIES = msgspec.json.Decoder(list[History])
DECISIONS = msgspec.json.Decoder(Decision)

KEEP_LINE = """
insert into lookups (phone_hash, kind, until)
select phone_hash, kind, coalesce($1::timestamptz, clock_timestamp()) + make_interval(secs => seconds)
from unnest($2::uuid[], $3::text[], $4::float8[]) as k(phone_hash, kind, seconds) order by phone_hash
on conflict (phone_hash) do update set kind = excluded.kind, until = excluded.until
"""
IS_SPENT = """
select w.item from unnest($2::int[], $3::uuid[], $4::int[], $5::float8[]) as w(item, subject, max, seconds)
join counters c on c.subject = w.subject
where c.hits[w.max] > coalesce($1::timestamptz, clock_timestamp()) - make_interval(secs => w.seconds)
"""


# A token's verdict serves two numbers: the one that was mistyped, and its correction.
KEEP_VERDICT = """
insert into captcha_verdicts as k (token, verdict, phone_hashes, at)
select token, verdict, array[phone_hash], coalesce($1::timestamptz, clock_timestamp())
from unnest($2::uuid[], $3::text[], $4::uuid[]) as v(token, verdict, phone_hash) order by token
on conflict (token) do update set verdict = excluded.verdict, at = excluded.at, phone_hashes = case
    when excluded.phone_hashes <@ k.phone_hashes then k.phone_hashes else k.phone_hashes || excluded.phone_hashes
end
"""
USE_VERDICT = """
update captcha_verdicts set phone_hashes = case
    when $3 = any (phone_hashes) then phone_hashes else phone_hashes || $3::uuid
end
where token = $2 and at > coalesce($1::timestamptz, clock_timestamp()) - make_interval(secs => $4)
  and ($3 = any (phone_hashes) or cardinality(phone_hashes) < $5)
returning verdict
"""


class SeenSignal(msgspec.Struct, frozen=True):
    """How one event stands to one signal. `unfamiliar`: it carried a value that this version does not know."""

    signal: str
    state: Literal["carried", "missing", "unfamiliar"]


class Weighing(msgspec.Struct, frozen=True):
    """One send to weigh. `event`: the device event's hash, if there is one; `numbers`: how many it may serve.

    `signals`: what is to be noted of the event, or asked about it.
    """

    id: UUID
    ordinal: int
    client_id: int
    phone_hash: UUID
    event: UUID | None
    subjects: list[Subject]
    numbers: int = 1
    signals: Sequence[SeenSignal] = ()


class Weighed(msgspec.Struct, frozen=True):
    """A send's histories, by kind; `bound`: whether the event belongs to this client and number (None: no event).

    `absent`: signals that the event lacks, and that the client's events never carry. `line`: the line type from an
    earlier look-up, while that is valid. `codes`: the number's that were not entered.
    """

    bound: bool | None
    absent: Sequence[str]
    subjects: list[Subject]
    histories: dict[str, History]
    line: NumberKind | None
    codes: UnconvertedCodes


class KeptLineType(msgspec.Struct, frozen=True):
    """A number's line type. `seconds`: how long it is kept."""

    phone_hash: UUID
    kind: NumberKind
    seconds: float


class TokenVerdict(msgspec.Struct, frozen=True):
    """What a captcha's provider said of a token, given as a hash, when it was brought for a number."""

    token: UUID
    verdict: str
    phone_hash: UUID


class SendLimit(msgspec.Struct, frozen=True):
    """A limit in which an allowed send reserves a place.

    `total`: where it is set, `windows` count what was not converted, and these everything. `apart`: a known source
    has a count of its own.
    """

    name: str
    subject: UUID
    windows: list[Window]
    total: list[Window] | None = None
    apart: bool = False


class RuleBlock(msgspec.Struct, frozen=True):
    """A block to raise. `label` is for operators, without a number; `least`: seconds that it lasts at least."""

    subject: UUID
    kind: str
    label: str
    reason: str
    first: float
    longest: float
    least: float = 0.0


class Resolution(msgspec.Struct, frozen=True):
    """How one send was decided, and whether it goes out. `booking`: None for a decoy, which costs and saves nothing.

    `strike`: a subject against which this send counts even if it is suppressed.
    """

    id: UUID
    ordinal: int
    goes: bool
    decision: Decision
    limits: Sequence[SendLimit] = ()
    blocks: Sequence[RuleBlock] = ()
    booking: Booking | None = None
    strike: UUID | None = None


class _Resolved(msgspec.Struct, frozen=True):
    """A resolution as the function takes it, but for what there may be several of."""

    id: UUID
    ordinal: int
    goes: bool
    decision: JsonText
    strike: UUID | None


class _SendLimitWindow(msgspec.Struct, frozen=True):
    """One window of a limit. `given_back`: it counts what was not converted."""

    name: str
    subject: UUID
    max: int
    seconds: float
    given_back: bool
    apart: bool


class _Distinct(msgspec.Struct, frozen=True):
    """A subject that is weighed against, once for all sends of a call."""

    subject: UUID


class _Placed(msgspec.Struct, frozen=True):
    """A send's place in a history: which of the subjects, from 1, and its mark there."""

    place: int
    mark: int


class _Other(msgspec.Struct, frozen=True, array_like=True):
    """What few sends have. `decided`: in an earlier call, by a process that died or in a call whose end was unclear."""

    absent: list[str]
    line: NumberKind | None
    decided: Decision | None


OTHERS = msgspec.json.Decoder(list[_Other])
NO_OTHER = _Other([], None, None)
WEIGH = FunctionCall(
    "weigh_v5", ("counted", "bound", "recent", "in_a_row", "others", "subjects"),
    now=datetime, keep=int, day=timedelta, fortnight=timedelta, block_remembered=timedelta,
    expected_for=timedelta, noted_for=timedelta, codes_within=timedelta,
    items=Columns(Weighing, only=("id", "ordinal", "client_id", "phone_hash", "event", "numbers")),
    subjects=Columns(_Distinct, "d"), places=Columns(_Placed, "s", of_items=True),
    signals=Columns(SeenSignal, "g", of_items=True),
)  # fmt: skip
RESOLVE = FunctionCall(
    "resolve_v5", ("item", "decided"),
    now=datetime, keep=int, spent=str, block_remembered=timedelta,
    items=Columns(_Resolved), limits=Columns(_SendLimitWindow, "l", of_items=True),
    blocks=Columns(RuleBlock, "b", of_items=True), bookings=Columns(Booking, "m", of_items=True),
)  # fmt: skip
CREDIT = FunctionCall("credit", now=datetime, ids=list[UUID])


class FraudStore:
    """The statements, bound to one database and one clock."""

    def __init__(
        self, database: Database, now: Callable[[], datetime | None] = lambda: None, tick: Tick = AFTER_REPLY
    ) -> None:
        self._pool = database.pool
        self._now = now
        self.weigh = Batcher(self._weigh, tick=tick).submit
        # What was weighed together is resolved together, without waiting.
        self.resolve = Batcher(self._resolve).submit
        self.credit = Batcher(self._credit, tick=tick).submit
        self.keep_line = Batcher(self._keep_line).submit
        self.is_spent = Batcher(self._is_spent).submit
        self.keep_verdict = Batcher(self._keep_verdict).submit

    async def use_verdict(self, token: UUID, phone_hash: UUID, seconds: float, numbers: int) -> str | None:
        """Take a number's place in a token's verdict; None if it has none, or no place. Raises Unavailable."""
        found: str | None = await self._pool.fetchval(USE_VERDICT, self._now(), token, phone_hash, seconds, numbers)
        return found

    async def _weigh(self, items: Sequence[Weighing]) -> list[Weighed | Decision]:
        subjects = dict.fromkeys(subject.hash for item in items for subject in item.subjects)
        places = {subject: place for place, subject in enumerate(subjects)}
        [row] = await self._pool.fetch(*WEIGH(
            now=self._now(), keep=KEEP, day=A_DAY, fortnight=A_FORTNIGHT, block_remembered=BLOCK_REMEMBERED,
            expected_for=EXPECTED_FOR, noted_for=NOTED_FOR, codes_within=A_DAY, items=items,
            subjects=[_Distinct(subject) for subject in places],
            places=[
                (n, _Placed(places[subject.hash] + 1, subject.mark))
                for n, item in enumerate(items, 1) for subject in item.subjects
            ],
            signals=[(n, signal) for n, item in enumerate(items, 1) for signal in item.signals],
        ))  # fmt: skip
        counted, bound, recent, in_a_row, others, subjects = row
        histories = HISTORIES.decode(subjects)
        also = OTHERS.decode(others) if others else [NO_OTHER] * len(items)
        counted = set(counted)
        found: list[Weighed | Decision] = []
        for n, (item, other) in enumerate(zip(items, also, strict=True)):
            by_kind = _count(item, histories, places, again=n + 1 not in counted)
            codes = UnconvertedCodes(recent[n], in_a_row[n])
            weighed = Weighed(bound[n], other.absent, item.subjects, without_failed(by_kind), other.line, codes)
            found.append(other.decided or weighed)
        return found

    async def _resolve(self, items: Sequence[Resolution]) -> list[Decision]:
        rows = await self._pool.fetch(*RESOLVE(
            now=self._now(), keep=KEEP_LIMITS, spent=SPENT, block_remembered=BLOCK_REMEMBERED,
            items=[
                _Resolved(i.id, i.ordinal, i.goes, JsonText(JSON.encode(writable(i.decision)).decode()), i.strike)
                for i in items
            ],
            limits=[
                (n, window) for n, item in enumerate(items, 1) for limit in item.limits for window in _windows(limit)
            ],
            blocks=[(n, block) for n, item in enumerate(items, 1) for block in item.blocks],
            bookings=[(n, item.booking) for n, item in enumerate(items, 1) if item.booking is not None],
        ))  # fmt: skip
        others = {item: DECISIONS.decode(told) for item, told in rows if told}
        return [others.get(n, item.decision) for n, item in enumerate(items, 1)]

    async def _credit(self, rows: Sequence[UUID]) -> list[None]:
        await self._pool.execute(*CREDIT(now=self._now(), ids=list(rows)))
        return [None] * len(rows)

    async def _keep_line(self, lines: Sequence[KeptLineType]) -> list[None]:
        newest = {line.phone_hash: (line.phone_hash, line.kind, line.seconds) for line in lines}
        await self._pool.execute(KEEP_LINE, self._now(), *_columns(list(newest.values()), 3))
        return [None] * len(lines)

    async def _keep_verdict(self, verdicts: Sequence[TokenVerdict]) -> list[None]:
        newest = {one.token: (one.token, one.verdict, one.phone_hash) for one in verdicts}
        await self._pool.execute(KEEP_VERDICT, self._now(), *_columns(list(newest.values()), 3))
        return [None] * len(verdicts)

    async def _is_spent(self, limits: Sequence[SendLimit]) -> list[bool]:
        lines = [(n, limit.subject, w.max, w.seconds) for n, limit in enumerate(limits, 1) for w in limit.windows]
        rows = await self._pool.fetch(IS_SPENT, self._now(), *_columns(lines, 4))
        spent = {row[0] for row in rows}
        return [n in spent for n in range(1, len(limits) + 1)]


def _windows(limit: SendLimit) -> Iterator[_SendLimitWindow]:
    for given_back, windows in ((limit.total is not None, limit.windows), (False, limit.total or ())):
        for window in windows:
            yield _SendLimitWindow(limit.name, limit.subject, window.max, window.seconds, given_back, limit.apart)


def _count(item: Weighing, histories: list[History], places: Mapping[UUID, int], *, again: bool) -> dict[str, History]:
    """Return what a send is weighed against, and count it for those after it, if it was not counted before."""
    found: dict[str, History] = {}
    for subject in item.subjects:
        place = places[subject.hash]
        found[subject.kind] = count(histories[place], subject.mark, KEEP, again=again)
        if not again:
            histories[place] = found[subject.kind]
    return found


def _columns(lines: Sequence[tuple[object, ...]], width: int) -> list[list[object] | None]:
    return [list(column) for column in zip(*lines, strict=True)] if lines else [None] * width
