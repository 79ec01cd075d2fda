"""The histories that a send is weighed against, and what can be counted in them.

Filled by fraud.storage.weighing; read by fraud.judge and fraud.rules.history. Pure: histories come as values, time
as ages.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")
SubjectKind = Literal["block_10k", "block_100k", "block_1m", "country", "ip", "network", "device"]

# How many last digits tell a number from others in its range.
RANGES: dict[SubjectKind, int] = {"block_10k": 4, "block_100k": 5, "block_1m": 6}
# How many numbers share all digits but the last four.
BLOCK = 10_000
# How many marks one part of a subject has: a range's tenth, a country's range of a million.
PARTS: dict[str, int] = {"block_100k": BLOCK, "block_1m": 10 * BLOCK, "country": 1 << 21}
# In a mark of an address, a network or a device, the bits above these are the number's calling code.
CODE_BITS = 21
MINUTE = 60
HOUR = 3600
DAY = 86_400
# If a block ended before anybody came again, the next is so many times as long as that pause. PROBE: the first who
# came, and the next, who is not sent to.
PAUSES, PROBE = 8.0, 2


class History(msgspec.Struct, frozen=True, array_like=True):
    """The newest sends of one subject, newest first, this one included; counts that fade; a block in force.

    `ages` in seconds; `converted`: whether the send did; day (24 h), long and peak (14 days) are faded counts.
    `lifted`: seconds since the last block within a day ended. `firm`: an operator set the block in force. `failed`:
    whether a send's delivery failed, None if none did. Names given to fields are those of the table, which operators
    see.
    """

    ages: list[int]
    marks: list[int]
    converted: list[bool] = msgspec.field(name="goods")
    day_sends: float
    day_converted: float = msgspec.field(name="day_good")
    long_sends: float
    long_converted: float = msgspec.field(name="long_good")
    peak: float
    block: int | None
    lifted: float | None = None
    firm: bool = False
    failed: list[bool] | None = None


def count(history: History, mark: int, keep: int, *, again: bool) -> History:
    """Return a history with a send on top that comes now: a number that asks again takes its own place.

    The same is done in the database (migrations/functions/weigh_v6.sql), of which `keep` sends are kept. `again`: the
    send was counted in an earlier call, so that the sums have it already.
    """
    gone = history.marks.index(mark) if mark in history.marks else keep
    if gone < keep and history.converted[gone]:
        gone = keep
    more = 0 if again else 1
    return History(
        ages=_put([0], history.ages, gone, keep),
        marks=_put([mark], history.marks, gone, keep),
        converted=_put([False], history.converted, gone, keep),
        day_sends=history.day_sends + more,
        day_converted=history.day_converted,
        long_sends=history.long_sends + more,
        long_converted=history.long_converted,
        peak=max(history.peak, history.day_sends - history.day_converted),
        block=history.block,
        lifted=history.lifted,
        firm=history.firm,
        failed=_put([False], history.failed, gone, keep) if history.failed else None,
    )


def _put(first: list[T], others: list[T], gone: int, keep: int) -> list[T]:
    if gone == keep:
        return [*first, *others[: keep - 1]]
    return [*first, *others[:gone], *others[gone + 1 :]][:keep]


def without_failed(histories: Mapping[str, History]) -> dict[str, History]:
    """Return a send's histories without the sends that were not delivered, where people have read codes before.

    There a failed delivery is the route's trouble, and says nothing of who asked; elsewhere it may be a number that
    nobody has. A range is one where people have read, if a larger one around it is.
    """
    ranges_read = any(any(histories[kind].converted) for kind in RANGES if kind in histories)
    return {
        kind: _without_failed(one) if any(one.converted) or (kind in RANGES and ranges_read) else one
        for kind, one in histories.items()
    }


def _without_failed(history: History) -> History:
    failed = history.failed
    if not failed:
        return history
    kept = [place for place, gone in enumerate(failed) if not gone or history.converted[place]]
    return msgspec.structs.replace(
        history,
        ages=[history.ages[place] for place in kept],
        marks=[history.marks[place] for place in kept],
        converted=[history.converted[place] for place in kept],
        failed=None,
    )


def is_known(history: History) -> bool:
    """Return whether this send's own number was converted before, by its mark."""
    own = history.marks[0]
    if not history.converted[0] and history.marks.count(own) == 1:
        return False  # nearly always so, and this is called for each of a send's histories
    return any(done and mark == own for mark, done in zip(history.marks, history.converted, strict=True))


def is_converting(history: History) -> bool:
    """Return whether any send converted, and at least a third of those that are old enough."""
    old = sum(1 for age, done in zip(history.ages, history.converted, strict=True) if done or age > MINUTE)
    return any(history.converted) and sum(history.converted) * 3 >= old


def unconverted_marks(history: History) -> list[int]:
    """Return the marks of a day's unconverted sends, the newest first."""
    return [
        m for m, age, done in zip(history.marks, history.ages, history.converted, strict=True) if age < DAY and not done
    ]


def numbers_of(history: History, least: int = 0) -> tuple[int, int]:
    """Return how many numbers were requested within a day, and how many of them have an unconverted send.

    `least`: the age (s) from which an unconverted send counts.
    """
    sends = zip(history.marks, history.ages, history.converted, strict=True)
    day = [(mark, done) for mark, age, done in sends if age < DAY and (done or age >= least)]
    return len({mark for mark, _ in day}), len({mark for mark, done in day if not done})


def countries_of(history: History) -> int:
    """Return how many calling codes an address requested within a day, unconverted."""
    return len({mark >> CODE_BITS for mark in unconverted_marks(history)})


def without_marks(kind: str, history: History) -> History:
    """Return a history as a decision stores it: which sends share a number or a part, but none of the real marks.

    For a range of 10,000, the rules need how far the others are from the send's own number.
    """
    marks = history.marks
    if kind == "block_10k":
        kept = [(mark - marks[0]) % BLOCK for mark in marks]
    else:
        part = PARTS.get(kind, 1 << CODE_BITS)
        parts: dict[int, int] = {}
        names: dict[int, int] = {}
        kept = [
            parts.setdefault(mark // part, len(parts)) * part + names.setdefault(mark, len(names)) for mark in marks
        ]
    return msgspec.structs.replace(history, marks=kept)


def rush(history: History) -> int:
    """Return how many requests came within a minute, if none of the newest converted; else 0."""
    return 0 if any(history.converted) else bisect_left(history.ages, MINUTE)


def pause(history: History) -> float:
    """Return for how long (s) nobody came after the last block, if nobody since then converted; else 0."""
    since = bisect_right(history.ages, history.lifted or -1.0)
    return history.lifted or 0.0 if since <= PROBE and not any(history.converted[:since]) else 0.0
