"""What stands in the database leaves at least 10,000 numbers that can be meant, in every country of the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import phonenumbers
import pytest
from alembic import command
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from service import phone
from service.db.schema import migrate
from service.fraud.histories.subjects import has_range, subjects_of
from service.phone import KINDS, PLAIN, RARE, SMALL
from service.vault import Vault
from tests.support.clusters import query
from tests.support.fraud import run_guarded
from tests.support.gateway import Gateway
from tests.support.numbering import count_numbers
from tests.support.waiting import until

LEAST = 10_000
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
DESCRIPTIONS = {
    "fixed": "fixed_line", "mobile": "mobile", "toll_free": "toll_free", "premium": "premium_rate",
    "shared_cost": "shared_cost", "personal": "personal_number", "voip": "voip", "pager": "pager", "uan": "uan",
    "voicemail": "voicemail",
}  # fmt: skip
RANGES = ("block_10k", "block_100k", "block_1m")
LIMITS = f"""
[countries]
allow = [{", ".join(f'"{region}"' for region in REGIONS if phone.is_country(region))}]
[rules.event_forged]
mode = "off"
"""


def counts(region: str) -> dict[str, int]:
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    return {kind: count_numbers(getattr(metadata, name)) for kind, name in DESCRIPTIONS.items()}


def an_example(region: str) -> str:
    for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
        if (found := phonenumbers.example_number_for_type(region, kind)) is not None:
            return phonenumbers.format_number(found, PhoneNumberFormat.E164)
    raise LookupError(region)


def marks_of(e164: str, key: int) -> dict[str, int]:
    vault = Vault([b"s" * 32], key.to_bytes(32))
    return {one.kind: one.mark for one in subjects_of(vault, e164, phone.describe(e164), "203.0.113.9", "visitor")}


def test_the_kinds_that_are_not_told_are_those_of_fewer_than_ten_thousand_numbers() -> None:
    rare = {
        region: frozenset(kind for kind, count in counts(region).items() if 0 < count < LEAST) for region in REGIONS
    }
    # Saint Helena's landlines and Tristan da Cunha's count together.
    assert counts("SH")["fixed"] + counts("TA")["fixed"] >= LEAST
    rare |= {"SH": rare["SH"] - {"fixed"}, "TA": frozenset()}
    assert {region: kinds for region, kinds in rare.items() if kinds} == RARE


def test_no_country_that_is_told_has_fewer_than_ten_thousand_numbers() -> None:
    tellable = [region for region in REGIONS if phone.is_country(region)]
    assert all(sum(counts(region).values()) >= LEAST for region in tellable)
    small = {region for region in tellable if sum(counts(region).values()) < 100 * LEAST}
    assert small == SMALL


def test_a_rare_kind_that_decides_the_channel_is_unknown_from_the_start() -> None:
    landline = phonenumbers.example_number_for_type("NU", PhoneNumberType.FIXED_LINE)
    assert landline is not None
    assert phone.describe(phonenumbers.format_number(landline, PhoneNumberFormat.E164)).kind == "unknown"
    assert {"fixed", "voip"} == PLAIN


@pytest.mark.parametrize(("region", "shown"), [("US", 2), ("GB", 2), ("FO", 0), ("NU", 0), ("TA", 0)])
def test_a_mask_shows_no_digit_where_that_would_leave_too_few(region: str, shown: int) -> None:
    assert len(phone.mask(an_example(region)).partition("…")[2]) == shown


@pytest.mark.parametrize("region", ["US", "AD", "MT", "IS", "NO", "GB"])
def test_without_the_key_a_mark_tells_no_digit_of_a_number(region: str) -> None:
    """Over many keys, each digit of a mark takes each value as often."""
    number = an_example(region)
    seen = [marks_of(number, key) for key in range(600)]
    for kind in RANGES:
        marks = [f"{one[kind]:06}" for one in seen if kind in one]
        for place in range({"block_10k": 4, "block_100k": 5, "block_1m": 6}[kind] if marks else 0):
            often = [sum(mark[-1 - place] == str(digit) for mark in marks) for digit in range(10)]
            assert min(often) > 25, (kind, place, often)
            assert max(often) < 110, (kind, place, often)


def test_marks_keep_distances_within_ten_thousand_tenths_and_who_is_who() -> None:
    stem, vault_keys = "+1312555", range(50)
    for key in vault_keys:
        one, next_one, other_tenth = (marks_of(f"{stem}{rest}", key) for rest in ("0142", "0145", "0900"))
        assert (next_one["block_10k"] - one["block_10k"]) % 10_000 == 3
        assert (other_tenth["block_10k"] - one["block_10k"]) % 10_000 == 758
        neighbour = marks_of("+13125560142", key)
        assert one["block_100k"] // 10_000 != neighbour["block_100k"] // 10_000
        assert one["block_1m"] // 100_000 == neighbour["block_1m"] // 100_000
    everybody = {marks_of(f"+131255{n:05}", 1)["block_100k"] for n in range(0, 100_000, 7)}
    assert len(everybody) == len(range(0, 100_000, 7))


def test_a_range_that_is_most_of_a_country_is_not_kept() -> None:
    for region in REGIONS:
        number = an_example(region)
        national = len(number) - 1 - len(str(phone.calling_code(number)))
        for digits in (4, 5, 6):
            assert has_range(number, digits) == (national - digits >= 2), region


def numbers_in(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers_in(one)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


async def request_everywhere(gateway: Gateway) -> dict[UUID, str]:
    numbers = {region: an_example(region) for region in REGIONS}
    begun = {
        UUID(await gateway.begin(number, ip_address=f"198.51.{n}.9")): number
        for n, number in enumerate(numbers.values())
    }

    async def are_decided() -> bool:
        left = "select count(*) from sends where decision is null"
        return bool(await gateway.database.pool.fetchval(left) == 0)

    await until(are_decided, "every request is decided")
    return begun


async def test_a_dump_holds_no_digits_and_no_crowd_of_fewer_than_ten_thousand(database_url: str) -> None:
    async with run_guarded(database_url, LIMITS) as gateway:
        begun = await request_everywhere(gateway)
        sends = await gateway.database.pool.fetch("select verification_id, weighed, decision, country from sends")
        histories = await gateway.database.pool.fetch("select subject, marks from histories")
        tables = await gateway.database.pool.fetch("select tablename from pg_tables where schemaname = 'public'")
        dump = [
            row[0] for table in tables for row in await gateway.database.pool.fetch(f"select t::text from {table[0]} t")
        ]
    text = "\n".join(dump)
    marks = {row["subject"]: row["marks"] for row in histories}
    crowds = {region: counts(region) for region in REGIONS}
    weighed = 0
    for send in sends:
        number = begun[send["verification_id"]]
        assert number[1:] not in text
        decision = msgspec.json.decode(send["decision"])
        digits = {int(number[-n:]) for n in (4, 5, 6)} - {0}
        stored = [one[1] for one in decision["facts"]["histories"].values()]
        kept = [marks[subject] for subject in send["weighed"] or [] if subject in marks]
        weighed += len(kept)
        assert not digits & {*numbers_in(stored), *numbers_in(kept)}, number
        assert all(marks[0] == 0 for marks in stored), "a decision keeps no mark"
        told = decision["facts"]["number"]
        country, kind = told["country"], told["kind"]
        whole = crowds[country]
        few = whole.get(kind, sum(whole.values())) if kind != "fixed_or_mobile" else whole["fixed"] + whole["mobile"]
        few += crowds["TA"].get(kind, 0) if country == "SH" else 0
        assert few >= LEAST, (country, kind, few)
        assert send["country"] in (country, None)
    assert weighed > len(REGIONS)


async def test_what_an_older_version_wrote_is_cleared_by_the_migration(database_url: str) -> None:
    await asyncio.to_thread(command.downgrade, migrate.configure(database_url), "0002")
    decision = {
        "facts": {"histories": {"block_10k": [[0, 9], [142, 139], [False, True]], "ip": [[0], [5 << 21], [False]]}}
    }
    await query(
        database_url,
        "insert into sends (verification_id, ordinal, phone_hash, channel, cause, state, wanted_at, due_at, decision) "
        "values (gen_random_uuid(), 1, gen_random_uuid(), 'sms', 'request', 'sent', now(), now(), $1)",
        msgspec.json.encode(decision).decode(),
    )
    for mark in (345678, 5 << 21):
        await query(
            database_url,
            "insert into histories (subject, ats, marks, goods, day_sends, day_good, long_sends, long_good, peak) "
            "values (gen_random_uuid(), array[now()], array[$1::int], array[false], 1, 0, 1, 0, 0)",
            mark,
        )
    await asyncio.to_thread(migrate.upgrade, database_url)
    kept = msgspec.json.decode(await query(database_url, "select decision from sends"))
    assert kept["facts"]["histories"]["block_10k"][1] == [0, 9997]
    assert kept["facts"]["histories"]["ip"][1] == [5 << 21]
    assert await query(database_url, "select array_agg(marks) from histories") == [[5 << 21]]


def test_every_kind_of_the_plan_is_counted() -> None:
    assert {kind for kind in KINDS.values() if kind != "fixed_or_mobile"} == set(DESCRIPTIONS)
