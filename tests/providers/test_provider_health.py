"""What of a provider's answers stops whom: everybody, the clients of one profile, or nobody; and what ends it."""

from __future__ import annotations

import pytest

from service.providers.telnyx.errors import SCOPES
from service.providers.verify.decoy import DecoyProvider
from service.providers.verify.health import LONGEST_PAUSE, ProviderHealth
from service.providers.verify.protocol import (
    AccountProblem,
    CheckAnswer,
    CodeCompared,
    InDoubt,
    NotCompared,
    Refused,
    SendAnswer,
    Sent,
    TryAgain,
)
from service.providers.verify.timings import ENOUGH, Timings
from service.verification.senders import Senders
from tests.support.clock import Clock

SENT = Sent("12ade33a-21c0-473b-b055-b3c836e1c292")
DOWN = TryAgain("http_500")
SHARED, OWN = "5a9dbeef-0000-4000-8000-000000000001", "5a9dbeef-0000-4000-8000-000000000002"


class Prober:
    """Says that all is well, or not; keeps what it was asked."""

    def __init__(self, *, well: bool) -> None:
        self.well = well
        self.asked: list[tuple[str, str | None]] = []

    async def can_send(self, reason: str, profile_id: str | None) -> bool:
        self.asked.append((reason, profile_id))
        return self.well

    async def can_check(self) -> bool:
        self.asked.append(("check", None))
        return self.well


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> ProviderHealth:
    return ProviderHealth({SHARED: ["(others)"], OWN: ["shop"]}, clock)


def stopped(health: ProviderHealth) -> set[str]:
    return {profile for profile in (SHARED, OWN) if health.trouble(profile)}


def fail_for(health: ProviderHealth, clock: Clock, seconds: float, answer: SendAnswer = DOWN) -> None:
    """Three failures over so many seconds."""
    for pause in (seconds / 2, seconds / 2, 0):
        health.note(answer, SHARED)
        clock.pass_by(pause)


@pytest.mark.parametrize("code", [code for code, scope in SCOPES.items() if scope in ("key", "account", "funds")])
def test_key_account_and_funds_are_everybodys(health: ProviderHealth, code: str) -> None:
    health.note(AccountProblem(code), OWN)
    assert stopped(health) == {SHARED, OWN}


@pytest.mark.parametrize("code", ["40333", "10005"])
@pytest.mark.parametrize("profile", [SHARED, OWN])
def test_a_spend_limit_and_a_deleted_profile_are_that_profiles_own(
    health: ProviderHealth, code: str, profile: str
) -> None:
    health.note(AccountProblem(code, of_profile=True), profile)
    assert stopped(health) == {profile}
    assert health.reasons_of_profiles() == {profile: f"ours_{code}"}
    assert health.trouble() is None


def test_nothing_is_kept_of_a_profile_that_nobody_named(health: ProviderHealth) -> None:
    for number in range(10, 1_000):
        health.note(AccountProblem("40333", of_profile=True), f"5a9dbeef-0000-4000-8000-{number:012}")
    assert (stopped(health), len(health._profiles)) == (set(), 2)


@pytest.mark.parametrize("answer", [DOWN, InDoubt("time_limit")])
def test_thirty_seconds_in_which_nothing_was_taken_stop_everybody(
    health: ProviderHealth, clock: Clock, answer: SendAnswer
) -> None:
    fail_for(health, clock, 29.9, answer)
    assert stopped(health) == set()
    clock.pass_by(0.1)
    health.note(answer, SHARED)
    assert stopped(health) == {SHARED, OWN}


@pytest.mark.parametrize("answer", [SENT, Refused("40309"), AccountProblem("40333", of_profile=True)])
def test_one_send_that_telnyx_decided_upon_ends_the_silence(
    health: ProviderHealth, clock: Clock, answer: SendAnswer
) -> None:
    fail_for(health, clock, 20)
    health.note(answer, OWN)
    clock.pass_by(20)
    fail_for(health, clock, 20)
    assert health.trouble(SHARED) is None


def test_two_failures_are_never_an_outage(health: ProviderHealth, clock: Clock) -> None:
    health.note(DOWN, SHARED)
    clock.pass_by(3_600)
    health.note(DOWN, SHARED)
    assert stopped(health) == set()


def test_compared_codes_do_not_hide_failing_sends(health: ProviderHealth, clock: Clock) -> None:
    for pause in (10, 10, 10, 0):
        health.note(DOWN, SHARED)
        health.note_check(CodeCompared(accepted=False))
        clock.pass_by(pause)
    assert stopped(health) == {SHARED, OWN}


def test_checks_that_find_nobody_stop_everybody_too_but_not_those_of_one_profile(
    health: ProviderHealth, clock: Clock
) -> None:
    answers: tuple[CheckAnswer, ...] = (NotCompared("no_connection"), InDoubt("time_limit"), NotCompared("http_503"))
    for answer in answers:
        health.note_check(NotCompared("40333", of_profile=True))
        assert stopped(health) == set()
        health.note_check(answer)
        clock.pass_by(16)
    assert stopped(health) == {SHARED, OWN}


async def test_failing_checks_of_decoys_stop_what_failing_checks_of_real_ones_stop(
    health: ProviderHealth, clock: Clock
) -> None:
    """A gateway that refuses everybody after three failed codes in half a minute would tell whose they were."""
    timings = Timings()
    silent, idle = DecoyProvider(timings), DecoyProvider(Timings())
    senders = Senders(real=idle, decoy=silent, test=idle, idle=idle, health=health, profile_id=SHARED)
    for _ in range(3):
        for _ in range(ENOUGH):
            timings.record("check", 0.0, NotCompared("http_500"))
        await senders.check(silent, "", "123456")
        clock.pass_by(16)
    assert stopped(health) == {SHARED, OWN}


def test_a_429_pauses_sends_for_as_long_as_it_says_and_is_neither_failure_nor_success(
    health: ProviderHealth, clock: Clock
) -> None:
    throttled = TryAgain("10011", 7.0, throttled=True)
    fail_for(health, clock, 40, throttled)
    assert stopped(health) == set()
    assert health.paused_for() == health.wait_of(OWN) == 7.0
    health.note_check(NotCompared("10011", 3.0))
    assert health.paused_for() == 7.0
    clock.pass_by(8)
    assert health.paused_for() == 0
    health.note(TryAgain("10011", None, throttled=True), SHARED)
    assert health.paused_for() == 1.0
    health.note(TryAgain("10011", 3_600.0, throttled=True), SHARED)
    assert health.paused_for() == LONGEST_PAUSE


async def test_no_send_and_no_check_ends_a_trouble_and_a_probe_does_however_it_began(
    health: ProviderHealth, clock: Clock
) -> None:
    health.note(AccountProblem("20100"), OWN)
    health.note(AccountProblem("40333", of_profile=True), OWN)
    clock.pass_by(3_600)
    health.note(SENT, OWN)
    health.note_check(CodeCompared(accepted=True))
    assert stopped(health) == {SHARED, OWN}
    prober = Prober(well=False)
    await health.tick(prober)
    assert stopped(health) == {SHARED, OWN}
    assert sorted(prober.asked, key=repr) == [("ours_20100", None), ("ours_40333", OWN)]
    clock.pass_by(60)
    await health.tick(Prober(well=True))
    assert stopped(health) == set()


async def test_what_checks_stopped_a_probe_of_a_check_ends(health: ProviderHealth, clock: Clock) -> None:
    for _ in range(3):
        health.note_check(NotCompared("http_500"))
        clock.pass_by(16)
    prober = Prober(well=True)
    await health.tick(prober)
    assert (prober.asked, stopped(health)) == ([("check", None)], set())
    health.note_check(NotCompared("http_500"))
    assert stopped(health) == set()


async def test_nothing_is_probed_while_all_is_well_or_has_just_gone_wrong(health: ProviderHealth, clock: Clock) -> None:
    prober = Prober(well=True)
    await health.tick(prober)
    health.note(AccountProblem("10009"), SHARED)
    clock.pass_by(1.9)
    await health.tick(prober)
    assert prober.asked == []


async def test_a_probe_that_breaks_leaves_the_trouble_and_the_next_probe(health: ProviderHealth, clock: Clock) -> None:
    class NoReply(Prober):
        async def can_send(self, reason: str, profile_id: str | None) -> bool:
            raise RuntimeError(reason, profile_id)

    health.note(AccountProblem("10009"), SHARED)
    clock.pass_by(60)
    with pytest.raises(RuntimeError):
        await health.tick(NoReply(well=True))
    assert stopped(health) == {SHARED, OWN}
    clock.pass_by(60)
    await health.tick(Prober(well=True))
    assert stopped(health) == set()
