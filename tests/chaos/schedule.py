"""What will go wrong, when and for how long: drawn from the seed before anything starts, the same for the same seed.

Read by strikes. Pure. Each class of fault strikes in its turn, so that a short run has some of each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import msgspec

from service.sandbox.faults import FaultKind, Operation

OF_IDS: set[Operation] = {"check", "state"}  # what names a verification
# Telnyx acts within the time limit of a send or not at all (docs/decisions/0005): it stands still for less.
LONGEST_STANDSTILL_OF_TELNYX = 4.0
# A process that stands still for longer than its lease: others take over what it was sending.
PAST_LEASE = (18.0, 22.0)
QUIET_END = 0.15  # this share of the time at the end brings no strike that takes long to get over
FAULTS: tuple[FaultKind, ...] = (
    "refuse", "throttle", "error500", "hang_before", "hang_after", "reset_before", "reset_after", "garbage",
    "gateway_timeout", "slow",
)  # fmt: skip
OPERATIONS: tuple[tuple[Operation, ...], ...] = (
    ("send",), ("send",), ("check",), ("check", "state"), ("lookup",), ("send", "lookup"),
    ("send", "check", "state", "lookup"),
)  # fmt: skip


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `target`: a gateway's number, where it is one's; `seconds`: how long it lasts.

    Of Telnyx's: `known`: only what asks for a verification that it holds; `share`: of the calls, by chance.
    """

    at: float
    kind: str
    target: int = 0
    seconds: float = 0.0
    amount: float = 0.0
    fault: FaultKind | None = None
    operations: tuple[Operation, ...] = ()
    known: bool = False
    share: float = 1.0

    def __str__(self) -> str:
        words = [self.kind, f"gateway {self.target + 1}" if self.kind in GATEWAY_KINDS else ""]
        words += [self.fault or "", "+".join(self.operations), "known ids" if self.known else ""]
        words += [f"{self.share:.0%}" if self.share < 1 else "", f"{self.seconds:.1f} s" if self.seconds else ""]
        return " ".join(word for word in words if word)


GATEWAY_KINDS = ("kill", "stop", "stop_past_lease", "end", "cut", "freeze", "lag", "lose")
# Each with how often it comes, as a share of its class.
PROCESS = {"kill": 5, "stop": 4, "stop_past_lease": 1, "end": 1}
NETWORK = {"cut": 1, "freeze": 1, "lag": 1, "lose": 3}
DATABASE = {
    "restart_fast": 1, "restart_immediate": 1, "restart_kill": 1, "standstill": 3, "standby_standstill": 2,
    "failover_kill": 1, "failover_standstill": 1,
}  # fmt: skip
# What takes long to get over.
LONG = ("kill", "stop_past_lease", "failover_kill", "failover_standstill", "restart_kill")


def draw_schedule(seed: int, seconds: float, gateways: int, pause: float = 1.2) -> list[Strike]:
    """Draw every strike of a run, in order of time."""
    dice = random.Random(f"strikes {seed}")
    strikes: list[Strike] = []
    turn: list[Draw] = []
    at = 0.5
    while at < seconds:
        turn = turn or dice.sample(CLASSES, len(CLASSES))
        strike = turn.pop()(dice, at, gateways)
        if at < seconds * (1 - QUIET_END) or strike.kind not in LONG:
            strikes.append(strike)
        at += dice.expovariate(1 / pause)
    return strikes


def _draw_gateway(dice: random.Random, at: float, gateways: int) -> Strike:
    target = dice.randrange(gateways)
    match _choose(dice, PROCESS):
        case "stop":
            return Strike(at=at, kind="stop", target=target, seconds=dice.uniform(0.3, 5.0))
        case "stop_past_lease":
            return Strike(at=at, kind="stop_past_lease", target=target, seconds=dice.uniform(*PAST_LEASE))
        case kind:
            return Strike(at=at, kind=kind, target=target, seconds=dice.uniform(0.0, 1.5))


def _draw_network(dice: random.Random, at: float, gateways: int) -> Strike:
    kind = _choose(dice, NETWORK)
    return Strike(
        at=at, kind=kind, target=dice.randrange(gateways), seconds=dice.uniform(0.2, 4.0),
        amount=dice.uniform(0.01, 0.3) if kind == "lag" else dice.randint(1, 4),
    )  # fmt: skip


def _draw_database(dice: random.Random, at: float, gateways: int) -> Strike:
    return Strike(at=at, kind=_choose(dice, DATABASE), seconds=dice.uniform(0.5, 5.0))


def _draw_telnyx(dice: random.Random, at: float, gateways: int) -> Strike:
    if dice.random() < 0.15:
        return Strike(at=at, kind="telnyx_standstill", seconds=dice.uniform(0.3, LONGEST_STANDSTILL_OF_TELNYX))
    fault = dice.choice(FAULTS)
    operations = dice.choice(OPERATIONS) if fault != "refuse" else ("send",)  # a read is refused nobody
    return Strike(
        at=at, kind="telnyx", fault=fault, operations=operations, seconds=dice.uniform(0.5, 5.0),
        amount=dice.uniform(0.2, 3.0) if fault in ("slow", "throttle") else 0.0,
        known=set(operations) <= OF_IDS and dice.random() < 0.5, share=dice.choice([1.0, 1.0, 0.5]),
    )  # fmt: skip


def _draw_webhooks(dice: random.Random, at: float, gateways: int) -> Strike:
    return Strike(at=at, kind="webhooks", target=dice.randrange(gateways), amount=dice.randint(0, 3))


def _choose(dice: random.Random, weights: Mapping[str, int]) -> str:
    return dice.choices(list(weights), list(weights.values()))[0]


Draw = Callable[[random.Random, float, int], Strike]
CLASSES: list[Draw] = [_draw_gateway, _draw_network, _draw_database, _draw_telnyx, _draw_telnyx, _draw_webhooks]
