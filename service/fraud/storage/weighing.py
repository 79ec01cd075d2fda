"""Weighs sends against their histories: many in one call, so that a busy country's history is locked once for them.

Called by fraud.storage.store; its values are read by fraud.judge and fraud.gathering. Never held across a call to the
outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from service.db.calls import Columns, FunctionCall
from service.db.pool import Pool
from service.fraud.decision import Decision
from service.fraud.facts import UnconvertedCodes
from service.fraud.histories.history import History, count, without_failed
from service.fraud.histories.subjects import Subject
from service.fraud.storage.resolving import BLOCK_REMEMBERED
from service.phone import NumberKind

KEEP = 48
# In how long a history's counts of a day and of a fortnight fade; their sums in the database were made with these.
A_DAY, A_FORTNIGHT = timedelta(days=1), timedelta(days=14)
# A signal that a client's events carried within this time is expected of them, and so is one that has been missing for
# less: a quiet client's first event after a while must not be a stranger's that lacks it on purpose.
EXPECTED_FOR = timedelta(days=7)
# What is noted of a client's signals is written again after this.
NOTED_FOR = timedelta(hours=1)
HISTORIES = msgspec.json.Decoder(list[History | None])
# Of a subject in which nothing was counted yet.
NO_HISTORY = History([], [], [], 0.0, 0.0, 0.0, 0.0, 0.0, None)


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
    "weigh_v6", ("counted", "bound", "recent", "in_a_row", "others", "subjects"),
    now=datetime, keep=int, day=timedelta, fortnight=timedelta, block_remembered=timedelta,
    expected_for=timedelta, noted_for=timedelta, codes_within=timedelta,
    items=Columns(Weighing, only=("id", "ordinal", "client_id", "phone_hash", "event", "numbers")),
    subjects=Columns(_Distinct, "d"), places=Columns(_Placed, "s", of_items=True),
    signals=Columns(SeenSignal, "g", of_items=True),
)  # fmt: skip


async def weigh(pool: Pool, now: datetime | None, items: Sequence[Weighing]) -> list[Weighed | Decision]:
    """Weigh sends, each counted for those after it; a decision for one that was decided before. Raises Unavailable."""
    subjects = dict.fromkeys(subject.hash for item in items for subject in item.subjects)
    places = {subject: place for place, subject in enumerate(subjects)}
    [row] = await pool.fetch(*WEIGH(
        now=now, keep=KEEP, day=A_DAY, fortnight=A_FORTNIGHT, block_remembered=BLOCK_REMEMBERED,
        expected_for=EXPECTED_FOR, noted_for=NOTED_FOR, codes_within=A_DAY, items=items,
        subjects=[_Distinct(subject) for subject in places],
        places=[
            (n, _Placed(places[subject.hash] + 1, subject.mark))
            for n, item in enumerate(items, 1) for subject in item.subjects
        ],
        signals=[(n, signal) for n, item in enumerate(items, 1) for signal in item.signals],
    ))  # fmt: skip
    counted, bound, recent, in_a_row, others, subjects = row
    histories = [history or NO_HISTORY for history in HISTORIES.decode(subjects)]
    also = OTHERS.decode(others) if others else [NO_OTHER] * len(items)
    counted = set(counted)
    found: list[Weighed | Decision] = []
    for n, (item, other) in enumerate(zip(items, also, strict=True)):
        by_kind = _count(item, histories, places, again=n + 1 not in counted)
        codes = UnconvertedCodes(recent[n], in_a_row[n])
        weighed = Weighed(bound[n], other.absent, item.subjects, without_failed(by_kind), other.line, codes)
        found.append(other.decided or weighed)
    return found


def _count(item: Weighing, histories: list[History], places: Mapping[UUID, int], *, again: bool) -> dict[str, History]:
    """Return what a send is weighed against, and count it for those after it, if it was not counted before."""
    found: dict[str, History] = {}
    for subject in item.subjects:
        place = places[subject.hash]
        found[subject.kind] = count(histories[place], subject.mark, KEEP, again=again)
        if not again:
            histories[place] = found[subject.kind]
    return found
