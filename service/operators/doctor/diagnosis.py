"""What one point of the doctor's list comes to: pass, warn or fail, what was seen, and what to do.

Made by operators.doctor.guide, operators.doctor.deployment and operators.doctor.server. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Status = Literal["pass", "warn", "fail"]
_RANK: dict[Status, int] = {"pass": 0, "warn": 1, "fail": 2}


class Diagnosis(msgspec.Struct, frozen=True):
    """One judgement. `remedy`: what to do, in a sentence; None where there is nothing to do."""

    status: Status
    seen: str
    remedy: str | None = None


class Unknown(msgspec.Struct, frozen=True):
    """A fact that could not be learnt, and why."""

    reason: str


def fit(seen: str) -> Diagnosis:
    """Nothing is wrong."""
    return Diagnosis("pass", seen)


def doubtful(seen: str, remedy: str) -> Diagnosis:
    """Something may be wrong, or is not known."""
    return Diagnosis("warn", seen, remedy)


def unfit(seen: str, remedy: str) -> Diagnosis:
    """Something is wrong."""
    return Diagnosis("fail", seen, remedy)


def not_known(unknown: Unknown) -> Diagnosis:
    """Say of a point that what it depends on could not be learnt."""
    return doubtful(f"Not known: {unknown.reason}", "Correct that, then run doctor again.")


def rank(status: Status) -> int:
    """Return how bad a status is; doctor's exit code is that of the worst."""
    return _RANK[status]


def worst(found: Iterable[Diagnosis], otherwise: str) -> Diagnosis:
    """Join several judgements of one point: all that is wrong, and all that there is to do. `otherwise`: if none.

    The worst comes first.
    """
    wrong = sorted(found, key=lambda one: -rank(one.status))
    wrong = [one for one in wrong if one.status != "pass"]
    if not wrong:
        return fit(otherwise)
    remedies = dict.fromkeys(one.remedy for one in wrong if one.remedy)
    return Diagnosis(wrong[0].status, " ".join(dict.fromkeys(one.seen for one in wrong)), " ".join(remedies))
