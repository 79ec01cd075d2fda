"""What is counted apart for a known source, to the place and the moment: strangers see neither more nor less for it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.db.engine import Database
from service.vault import new_id
from service.verification.states import GuessResult
from service.worker.retention import Retention
from tests.support.admission import AdmissionHarness
from tests.support.gateway import OTHER_PHONE, PHONE

HOME, ELSEWHERE, AWAY = "203.0.113.9", "198.51.100.7", "192.0.2.44"
ACCOUNT = "account-4711"
POLICY = """
[limits]
phone = ["3/10m", "5/1h"]
ip = ["1000/1h"]
account = ["2/1h"]
[lockout]
codes_per_phone = "4/24h"
codes_per_phone_total = "6/24h"
"""
Seen = tuple[str, int | None, float | None]


async def open_at(database: Database, policy: str = POLICY) -> AdmissionHarness:
    harness = AdmissionHarness(database, policy)
    await harness.join("shop", "bank")
    return harness


async def ask(harness: AdmissionHarness, phone: str = PHONE, **fields: Any) -> Seen:
    """Ask once; what can be seen of the answer."""
    answer = await harness.admit(phone, **fields)
    return answer.outcome, answer.remaining, answer.wait


async def guess(
    harness: AdmissionHarness, phone: str = PHONE, *, result: GuessResult = "wrong", codes: int = 1, **fields: Any
) -> str:
    """Ask once and try so many codes; how the asking ended."""
    answer = await harness.admit(phone, **fields)
    caller = harness.callers[fields.get("client", "shop")]
    for _ in range(codes if answer.outcome == "admitted" else 0):
        tried = new_id()
        if (await harness.store.reserve(caller, answer.id, tried)).outcome == "reserved":
            await harness.store.settle(tried, result, caller.policy)
    return answer.outcome


async def verify(harness: AdmissionHarness, phone: str = PHONE, **fields: Any) -> None:
    """Verify a number from somewhere, long enough ago that no limit remembers it."""
    assert await guess(harness, phone, result="right", **fields) == "admitted"
    harness.wait(2 * 86_400)


async def test_a_known_source_has_each_limit_once_more_and_not_twice_more(database: Database) -> None:
    harness = await open_at(database)
    await verify(harness, account=ACCOUNT, ip=HOME)
    for _ in range(3):
        assert (await ask(harness, ip=ELSEWHERE))[0] == "admitted"
    assert await ask(harness, ip=ELSEWHERE) == ("limited", 5, 600.0)
    for _ in range(2):
        assert (await ask(harness, account=ACCOUNT, ip=HOME))[0] == "admitted"
    assert await ask(harness, account=ACCOUNT, ip=HOME) == ("limited", 5, 3600.0)
    harness.wait(3600)
    assert (await ask(harness, account=ACCOUNT, ip=HOME))[0] == "admitted"


async def test_five_requests_in_an_accounts_name_close_it_for_all_but_the_numbers_that_it_verified(
    database: Database,
) -> None:
    harness = await open_at(database)
    await verify(harness, account=ACCOUNT, ip=HOME)
    for place in range(2):
        assert (await ask(harness, f"+1312555{place:04}", account=ACCOUNT, ip=ELSEWHERE))[0] == "admitted"
    assert (await ask(harness, OTHER_PHONE, account=ACCOUNT, ip=HOME))[0] == "limited"
    assert (await ask(harness, account=ACCOUNT, ip=HOME))[0] == "admitted"


async def test_naming_an_account_spends_none_of_its_owners_limits(database: Database) -> None:
    """An account that was signed in elsewhere is known there too; what is used up there is not used up at home."""
    harness = await open_at(database)
    await verify(harness, account=ACCOUNT, ip=HOME)
    assert await guess(harness, account=ACCOUNT, ip=ELSEWHERE, codes=5) == "admitted"
    for place in (ELSEWHERE, AWAY):
        assert (await ask(harness, account=ACCOUNT, ip=place))[0] == "limited"
    assert await ask(harness, account=ACCOUNT, ip=HOME) == ("admitted", 5, None)
    assert await guess(harness, account=ACCOUNT, ip=HOME, result="right") == "admitted"


async def test_an_account_that_is_not_known_is_a_source_at_each_network_of_its_own(database: Database) -> None:
    """On a form that names accounts, ten wrong codes from elsewhere lock nobody out at home."""
    harness = await open_at(database)
    assert await guess(harness, account=ACCOUNT, ip=ELSEWHERE, codes=4) == "admitted"
    assert (await ask(harness, account=ACCOUNT, ip=ELSEWHERE))[0] == "limited"
    assert await ask(harness, account=ACCOUNT, ip=HOME) == ("admitted", 2, None)


async def test_an_address_is_known_only_where_no_account_was_given(database: Database) -> None:
    harness = await open_at(database)
    await verify(harness, ip=HOME)
    await verify(harness, OTHER_PHONE, account=ACCOUNT, ip=HOME)
    for phone in (PHONE, OTHER_PHONE):
        for _ in range(3):
            await ask(harness, phone, ip=ELSEWHERE)
    assert (await ask(harness, ip=HOME))[0] == "admitted"
    assert (await ask(harness, ip=HOME, account="another"))[0] == "limited"
    assert (await ask(harness, OTHER_PHONE, ip=HOME))[0] == "limited"
    assert (await ask(harness, OTHER_PHONE, ip=AWAY, account=ACCOUNT))[0] == "admitted"


async def test_a_source_is_known_to_the_client_and_for_the_number_that_it_verified(database: Database) -> None:
    harness = await open_at(database)
    await verify(harness, ip=HOME)
    for client, phone in (("bank", PHONE), ("shop", OTHER_PHONE)):
        for _ in range(3):
            await ask(harness, phone, client=client, ip=ELSEWHERE)
        assert (await ask(harness, phone, client=client, ip=HOME))[0] == "limited"


async def test_it_is_known_for_90_days_from_its_last_code(database: Database) -> None:
    harness = await open_at(database)
    await verify(harness, ip=HOME)
    harness.wait(86 * 86_400)
    await verify(harness, ip=HOME)

    async def is_known() -> bool:
        for _ in range(3):
            await ask(harness, ip=ELSEWHERE)
        assert (await ask(harness, ip=ELSEWHERE))[0] == "limited"
        return (await ask(harness, ip=HOME))[0] == "admitted"

    harness.wait(80 * 86_400)
    assert await is_known()
    harness.wait(8 * 86_400)
    assert not await is_known()


async def test_expired_sources_and_codes_are_deleted(database: Database) -> None:
    """The source after its 90 days; what a code was, as far as it is kept, with its Idempotency-Key."""
    harness = await open_at(database)
    await verify(harness, account=ACCOUNT, ip=HOME)
    asked = await harness.admit(ip=HOME)
    await harness.store.reserve(harness.callers["shop"], asked.id, new_id(), new_id(), new_id())
    retention = Retention(database, lambda: harness.now)
    harness.wait(87 * 86_400)
    assert (await retention.purge())["known_sources"] == 0
    assert [row["body"] for row in await harness.rows("guesses") if row["body"]] == []
    harness.wait(1 * 86_400 + 1)
    assert (await retention.purge())["known_sources"] == 2


async def test_only_a_verification_makes_a_source_known(database: Database) -> None:
    harness = await open_at(database)
    caller = harness.callers["shop"]
    assert await guess(harness, ip=HOME, codes=3) == "admitted"
    canceled = await harness.admit(ip=HOME)
    assert await harness.store.cancel(caller.key_id, caller.client_id, canceled.id, caller.policy)
    assert await harness.rows("known_sources") == []


async def test_wrong_codes_of_strangers_and_of_a_known_source_spend_nothing_of_each_other(database: Database) -> None:
    harness = await open_at(database)
    await verify(harness, ip=HOME)
    assert await guess(harness, ip=ELSEWHERE, codes=5) == "admitted"
    assert await guess(harness, ip=AWAY, codes=5) == "admitted"
    assert (await ask(harness, ip=AWAY))[0] == "limited"
    assert await ask(harness, ip=HOME) == ("admitted", 5, None)
    assert await guess(harness, ip=HOME, result="right") == "admitted"
    assert (await ask(harness, ip="192.0.2.45"))[0] == "limited", "the owner's right code sets no stranger free"
    assert await guess(harness, ip=HOME, codes=5) == "admitted"
    assert (await ask(harness, ip=HOME))[0] == "limited"


async def test_a_stranger_is_locked_out_whether_or_not_a_known_sources_code_is_being_compared(
    database: Database,
) -> None:
    harness = await open_at(database)
    caller = harness.callers["shop"]
    await verify(harness, ip=HOME)
    mine, theirs = await harness.admit(ip=HOME), await harness.admit(ip=ELSEWHERE)
    assert (await harness.store.reserve(caller, mine.id, new_id())).outcome == "reserved"
    for _ in range(4):
        tried = new_id()
        await harness.store.reserve(caller, theirs.id, tried)
        await harness.store.settle(tried, "wrong", caller.policy)
    row = await harness.store.read(caller.key_id, caller.client_id, theirs.id, caller.policy)
    assert row is not None
    assert (row.status, row.remaining) == ("locked", 0)


async def test_a_fallback_counts_where_its_request_did(database: Database) -> None:
    harness = await open_at(database)
    caller = harness.callers["shop"]
    await verify(harness, ip=HOME)
    for _ in range(3):
        await ask(harness, ip=ELSEWHERE)
    mine = await harness.admit(ip=HOME)
    harness.wait(31)
    assert (await harness.store.use_fallback(caller.key_id, caller.client_id, mine.id, caller.policy)).outcome == "used"
    assert (await ask(harness, ip=HOME))[0] == "admitted"
    assert await ask(harness, ip=HOME) == ("limited", 5, 569.0)


Step = tuple[Literal["owner", "stranger", "wait"], int, str]
steps = st.lists(
    st.tuples(
        st.sampled_from(["owner", "stranger", "stranger", "wait"]),
        st.integers(0, 3),
        st.sampled_from([ELSEWHERE, AWAY]),
    ),
    min_size=4,
    max_size=14,
)


# Each example has numbers of its own: its clock begins where that of the one before did.
NUMBERS = itertools.count()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
async def test_a_stranger_is_told_the_same_of_a_number_with_a_known_source_whatever_its_owner_does(
    database: Database, steps: list[Step]
) -> None:
    """Two numbers, the same strangers; one of them has an owner who comes and goes."""
    harness = await open_at(database)
    number = next(NUMBERS)
    owned, bare = f"+1415555{number:04}", f"+1415556{number:04}"
    await verify(harness, owned, ip=HOME)
    for who, codes, place in steps:
        if who == "wait":
            harness.wait(200)
        elif who == "owner":
            await guess(harness, owned, ip=HOME, codes=codes, result="right" if codes == 3 else "wrong")
        else:
            seen = [await _play(harness, phone, codes, place) for phone in (owned, bare)]
            assert seen[0] == seen[1]
    harness.wait(timedelta(days=2).total_seconds())


async def _play(harness: AdmissionHarness, phone: str, codes: int, place: str) -> list[object]:
    """Ask as a stranger, try some codes, and look; all that is told."""
    caller, answer = harness.callers["shop"], await harness.admit(phone, ip=place)
    told: list[object] = [answer.outcome, answer.remaining, answer.wait]
    for _ in range(codes if answer.outcome == "admitted" else 0):
        tried = new_id()
        taken = await harness.store.reserve(caller, answer.id, tried)
        told += [taken.outcome, taken.status, taken.remaining]
        if taken.outcome == "reserved":
            settled = await harness.store.settle(tried, "wrong", caller.policy)
            told += [settled.status, settled.remaining]
    if answer.outcome == "admitted":
        row = await harness.store.read(caller.key_id, caller.client_id, answer.id, caller.policy)
        assert row is not None
        told += [row.status, row.remaining, row.used]
    return told
