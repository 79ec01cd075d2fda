"""Faults on demand: which call goes wrong, how, and how often.

Set by tests and by the control API, taken by sandbox.stage once for each call. What a failed reply looks like is the
stand-in's business.
"""

from __future__ import annotations

import random
from typing import Annotated, Literal, Protocol

import msgspec

Operation = Literal["send", "check", "state", "lookup", "profile", "balance", "carrier", "event", "captcha"]

FaultKind = Literal[
    "refuse",
    "throttle",
    "unauthorized",
    "forbidden",
    "not_found",
    "no_funds",
    "spend_limit",
    "error500",
    "hang_before",
    "hang_after",
    "reset_before",
    "reset_after",
    "garbage",
    "gateway_timeout",
    "slow",
    "answer",
]
"""`…_before` fails without acting; `…_after`, `garbage` and `gateway_timeout` once it was acted upon; `slow` acts and
answers rightly, late; `answer` fails with a status and a code of one's choice; all others fail without acting."""


_dice = random.SystemRandom()


class Struck(Protocol):
    """What a fault can match in a call. `known`: whether its id is that of a verification; None if it has no id."""

    @property
    def operation(self) -> Operation: ...
    @property
    def phone_number(self) -> str | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def profile_id(self) -> str | None: ...
    @property
    def known(self) -> bool | None: ...


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault; what is left out matches everything. `times`: how often, or until cleared.

    `ids`: only checks and states of verifications that Telnyx knows, or only of others. `share`: the share of matching
    calls to which it applies, at random. `seconds`: the delay of `slow` (default 1), and the reset of `throttle`
    (default 1; a unix time is passed on as it is). `status` and `code`: what `answer` answers, in the shape of the
    service's own errors.
    """

    kind: FaultKind
    operations: tuple[Operation, ...] = ()
    phone_number: str | None = None
    channel: str | None = None
    profile_id: str | None = None
    ids: Literal["known", "unknown"] | None = None
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 400
    code: str = "10015"

    def matches(self, call: Struck) -> bool:
        """Return whether the fault matches a call."""
        return (
            (not self.operations or call.operation in self.operations)
            and self.phone_number in (None, call.phone_number)
            and self.channel in (None, call.channel)
            and self.profile_id in (None, call.profile_id)
            and (self.ids is None or call.known == (self.ids == "known"))
        )


class Faults:
    """The faults in force, in the order in which they were added: the first that matches applies."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> int:
        """Add one and return its id."""
        self._last_id += 1
        self._faults[self._last_id] = fault
        return self._last_id

    def clear(self, fault_id: int | None = None) -> None:
        """Clear one, or all; clearing one that does not exist does nothing."""
        if fault_id is None:
            self._faults.clear()
        else:
            self._faults.pop(fault_id, None)

    def list_all(self) -> dict[int, Fault]:
        """Return those in force by id, with the `times` that remain."""
        return dict(self._faults)

    def take(self, call: Struck) -> Fault | None:
        """Return the fault that applies to this call, and count it down; None for nearly all calls."""
        for fault_id, fault in self._faults.items():
            if fault.matches(call) and _dice.random() < fault.share:
                self._count_down(fault_id, fault)
                return fault
        return None

    def _count_down(self, fault_id: int, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            del self._faults[fault_id]
