"""The machine: rules that act on the gateway and on the model alike, and what has to hold after every one of them.

Run by test_model. Each example has numbers, addresses and accounts of its own, on one gateway for all examples.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.sandbox.faults import FaultKind
from tests.model.lawful import Expected, Lawful, Rules, Who
from tests.model.rig import CLIENTS, Rig
from tests.support.gateway import Calls, Reply

RULES = Rules()
TICK = 0.001
NEVER_RIGHT = "0000000"  # the codes of this Telnyx have six digits
T = TypeVar("T")

_examples = count()
# Few, and one of them most of the time: what is counted together has to meet its limits.
clients = st.sampled_from([CLIENTS[0], *CLIENTS])
numbers = st.sampled_from([0, 0, 0, 1])
addresses = st.sampled_from([1, 1, 2])
accounts = st.sampled_from([None, None, 1])
delivers = st.sampled_from([True, True, True, False])
# Counted from the newest: of what is over nothing new is to be seen.
which = st.sampled_from([0, 0, 0, 1, 1, 2, 5])
seldom = st.sampled_from([False, False, False, True])
READ = 5  # the newest, after each step


class Machine(RuleBasedStateMachine):
    """One example. The test sets `rig`, `loop` and `seen` for all of them; `seen` counts what was met."""

    rig: Rig
    loop: asyncio.AbstractEventLoop
    seen: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.example = next(_examples)
        self.lawful = Lawful(RULES)
        self.begun: list[Expected] = []
        self.keyed: list[tuple[str, Expected]] = []
        self.wrong_keys = count()
        self.rig.pass_time(700)  # whatever the example before left behind has ended

    # --- what callers do ---

    @rule(client=clients, number=numbers, address=addresses, account=accounts, deliver=delivers, keyed=st.booleans())
    def request(
        self, client: str, number: int, address: int, account: int | None, *, deliver: bool, keyed: bool
    ) -> None:
        self._request(self._who(client, number, address, account), deliver=deliver, keyed=keyed)
        self._run(self.rig.settle())

    @rule(client=clients, number=numbers, reached=st.booleans())
    def request_and_crash(self, client: str, number: int, *, reached: bool) -> None:
        """The process dies before its send reaches Telnyx, or after; somebody finds the row when it is due."""
        crash = self.rig.crashing(reached=reached)
        self._run(crash.__aenter__())
        self._request(self._who(client, number, 1, None), deliver=True, keyed=False)
        self._run(crash.__aexit__(None, None, None))

    @precondition(lambda self: self.keyed)
    @rule(one=which, same=st.booleans())
    def request_again_under_its_key(self, one: int, *, same: bool) -> None:
        key, first = self.keyed[one % len(self.keyed)]
        reply = self._post_request(first.who, deliver=first.deliver is same, key=key)
        if not same:
            assert reply.status == 422, reply
            return
        assert (reply.status, reply.body["id"]) == (202, first.id), reply
        assert reply.headers["idempotent-replayed"] == "true"

    @precondition(lambda self: self.begun)
    @rule(one=which, how=st.sampled_from(["together", "together", "again", "uncompared"]), many=st.integers(1, 5))
    def enter_wrong_codes(self, one: int, how: str, many: int) -> None:
        expected = self._choose(one)
        match how:
            case "together":
                self._enter_together(expected, many)
            case "again":
                self._enter_again(expected)
            case _:
                self._enter_uncompared(expected)

    @precondition(lambda self: self.begun)
    @rule(one=which, send=which, unheard=st.sampled_from([None, None, "reset_after", "garbage"]))
    def enter_a_right_code(self, one: int, send: int, unheard: FaultKind | None) -> None:
        """Heard or not, what Telnyx accepted is verified, if the verification was still to be compared."""
        expected = self._choose(one)
        held = self._run(self.rig.list_held(expected.id))
        code = self.rig.telnyx.find_code(held[send % len(held)]) if held else NEVER_RIGHT
        with self.rig.failing_checks(unheard):
            reply = self._run(self._calls(expected).verify(expected.id, code))
        self._expect_checked(expected, reply, right=bool(held))

    @precondition(lambda self: self.begun)
    @rule(one=which, patient=st.sampled_from([True, True, False]))
    def use_fallback(self, one: int, *, patient: bool) -> None:
        expected = self._choose(one)
        offered = self.lawful.offer(expected, self.rig.now)
        if patient and offered is not None:
            self.rig.pass_time(max(0.0, (offered[1] - self.rig.now).total_seconds()))
        status, wait = self.lawful.use_fallback(expected, self.rig.now)
        reply = self._run(self._calls(expected).use_fallback(expected.id))
        assert (reply.status, reply.headers.get("retry-after")) == (status, wait and str(wait)), reply
        self.seen[f"fallback {status}"] += 1
        self._run(self.rig.settle())

    @precondition(lambda self: self.begun)
    @rule(one=which, really=seldom)
    def cancel(self, one: int, *, really: bool) -> None:
        if not really:
            return
        expected = self._choose(one)
        status = self.lawful.cancel(expected, self.rig.now)
        reply = self._run(self._calls(expected).cancel(expected.id))
        self.seen[f"cancel {status}"] += 1
        assert reply.status == status, reply

    # --- what happens outside ---

    @precondition(lambda self: self.begun)
    @rule(one=which, delivery=st.sampled_from(["delivered", "delivery_failed"]))
    def hear_of_a_delivery(self, one: int, delivery: str) -> None:
        for held in self._run(self.rig.list_held(self._choose(one).id)):
            assert self._run(self.rig.report(held, delivery)) == 200
        self._run(self.rig.settle())

    @rule(seconds=st.sampled_from([1, 1, 5, 5, 10, 18, 31, 61, 151]))
    def wait(self, seconds: float) -> None:
        self.rig.pass_time(seconds)
        self._run(self.rig.settle())

    # --- what holds after each step ---

    @invariant()
    def every_caller_reads_what_is_lawful(self) -> None:
        for expected in self.begun[-READ:]:
            now = self._tick()
            reply = self._run(self._calls(expected).read(expected.id))
            offer = self.lawful.offer(expected, now)
            read = reply.body["fallback"]
            assert reply.body["status"] == self.lawful.status(expected, now), (reply.body, expected)
            self.seen[reply.body["status"]] += 1
            assert reply.body["attempts_remaining"] == self.lawful.remaining(expected, now), (reply.body, expected)
            assert (read and (read["channel"], _moment(read["available_at"]))) == offer, (read, offer)
            assert _moment(reply.body["expires_at"]) == expected.expires_at

    def teardown(self) -> None:
        """Let everything come to its end; then each was sent to as often as is lawful, and is booked."""
        for _ in range(4):
            self.rig.pass_time(18)
            self._run(self.rig.settle())
        for expected in self.begun:
            self._run(self.rig.check_sends(expected.id, deliver=expected.deliver))
        self._run(self.rig.check_ledger())
        if adopted := self._run(self.rig.count_adopted()):
            self.seen["adopted"] = adopted

    # --- tools ---

    def _request(self, who: Who, *, deliver: bool, keyed: bool) -> None:
        key = f"{self.example}-{len(self.keyed)}" if keyed else None
        self._tick()
        wait = self.lawful.wait_for_request(who, self.rig.now)
        reply = self._post_request(who, deliver=deliver, key=key)
        if wait:
            assert (reply.status, reply.headers["retry-after"]) == (429, str(wait)), (reply, wait)
            self.seen["request limited"] += 1
            return
        assert reply.status == 202, reply
        expected = self.lawful.take_request(reply.body["id"], who, self.rig.now, deliver=deliver)
        assert reply.body["attempts_remaining"] == self.lawful.remaining(expected, self.rig.now)
        self.begun.append(expected)
        if expected.known is not None:
            self.seen["from a known source"] += 1
        if key is not None:
            self.keyed.append((key, expected))

    def _enter_together(self, expected: Expected, many: int) -> None:
        """As many are compared as are left, and the others are told to wait, or that it has ended."""
        status = self.lawful.status(expected, self.rig.now)
        left = self.lawful.remaining(expected, self.rig.now) if status == "pending" else 0
        verify = self._calls(expected).verify
        replies = self._run(self._gather(*(verify(expected.id, NEVER_RIGHT) for _ in range(many))))
        compared = [reply for reply in replies if reply.status == 200]
        copied = [reply for reply in replies if reply.status == 503]  # as real checks went that nobody compared
        assert not copied or not self._run(self.rig.list_held(expected.id)), replies
        assert len(compared) <= left, (replies, left)
        assert copied or len(compared) == min(many, left), (replies, left)
        assert not any(reply.body["verified"] for reply in compared)
        for _ in compared:
            self.lawful.count_guess(expected, self.rig.now, right=False)
        for reply in replies:
            assert reply.status in (200, 409, 429, 503), reply
            assert reply.status != 429 or (left and reply.headers["retry-after"] == "1"), reply

    def _enter_again(self, expected: Expected) -> None:
        """Under one key a code is compared once; another code under it is another request."""
        key, verify = f"{self.example}-{next(self.wrong_keys)}", self._calls(expected).verify
        first = self._run(verify(expected.id, NEVER_RIGHT, idem=key))
        self._expect_checked(expected, first, right=False)
        if first.status == 200:
            again = self._run(verify(expected.id, NEVER_RIGHT, idem=key))
            assert (again.body, again.headers.get("idempotent-replayed")) == (first.body, "true"), (first, again)
            assert self._run(verify(expected.id, NEVER_RIGHT + "1", idem=key)).status == 422

    def _enter_uncompared(self, expected: Expected) -> None:
        """Given back: nothing is counted of a code that Telnyx did not compare."""
        if not self._run(self.rig.list_held(expected.id)):
            return
        with self.rig.failing_checks("error500"):
            reply = self._run(self._calls(expected).verify(expected.id, NEVER_RIGHT))
        lawful = self.lawful.status(expected, self.rig.now)
        assert reply.status == (503 if lawful == "pending" else 409), reply

    def _post_request(self, who: Who, *, deliver: bool, key: str | None) -> Reply:
        fields = {"ip_address": who.address, "deliver": deliver}
        if who.account is not None:
            fields["account_id"] = who.account
        return self._run(self.rig.calls[who.client].request(who.phone, idem=key, **fields))

    def _expect_checked(self, expected: Expected, reply: Reply, *, right: bool) -> None:
        status = self.lawful.status(expected, self.rig.now)
        if status != "pending":
            assert (reply.status, reply.body["verification_status"]) == (409, status), reply
            return
        if reply.status == 503 and not right:
            return
        self.lawful.count_guess(expected, self.rig.now, right=right)
        assert reply.status == 200, reply
        told = (reply.body["verified"], reply.body["status"], reply.body["attempts_remaining"])
        now = self.rig.now
        assert told == (right, self.lawful.status(expected, now), self.lawful.remaining(expected, now)), reply

    def _who(self, client: str, number: int, address: int, account: int | None) -> Who:
        high, low = divmod(self.example, 250)
        named = None if account is None else f"user {self.example} {account}"
        return Who(client, f"+1312{220 + high}{low:03}{number}", f"10.{high}.{low}.{address}", named)

    def _choose(self, one: int) -> Expected:
        self._tick()
        return self.begun[-1 - one % len(self.begun)]

    def _calls(self, expected: Expected) -> Calls:
        return self.rig.calls[expected.who.client]

    def _tick(self) -> datetime:
        self.rig.pass_time(TICK)
        return self.rig.now

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @staticmethod
    async def _gather(*works: Coroutine[Any, Any, T]) -> list[T]:
        return await asyncio.gather(*works)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
