"""Every spelling of a number means the same number, and what cannot be a number is refused."""

from __future__ import annotations

from contextlib import suppress

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import phone
from service.errors import InvalidPhoneNumber
from tests.admission.test_races import SPELLINGS

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]

dialled = st.builds(
    lambda code, prefix, digits: f"+{code}{prefix}{digits}",
    st.sampled_from(CODES),
    st.sampled_from(["", "0", "00", "(0)", "1", "8", "06", "15", " 0 "]),
    st.text("0123456789", min_size=3, max_size=12),
)
examples = [
    number for region in REGIONS for kind in TYPES if (number := phonenumbers.example_number_for_type(region, kind))
]


@pytest.mark.parametrize("spelling", [*SPELLINGS, "+1 1 312 555 0142", "+1\u200b3125550142", "+13125550142 "])
def test_a_number_is_the_same_in_every_spelling(spelling: str) -> None:
    assert phone.normalise(spelling) == "+13125550142"


@given(dialled)
@example("+660812345678")
@example("+66 (0) 081 234 5678")
@example("+39 0 0039 06 698")
def test_a_national_prefix_gives_no_number_a_second_name(text: str) -> None:
    with suppress(InvalidPhoneNumber):
        plain = phone.normalise(text)
        assert phonenumbers.format_number(phonenumbers.parse(plain), phonenumbers.PhoneNumberFormat.E164) == plain
        assert phone.normalise(plain) == plain


def test_real_numbers_of_every_country_come_through_however_they_are_written() -> None:
    for number in examples:
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert {phone.normalise(e164), phone.normalise(written)} == {e164}
    assert len(examples) > 400


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+54 9 11 2345-6789", "+54 11 2345-6789"),
        ("+54 9 11 2345-6789", "+54 11 15 2345-6789"),
        ("+54 9 341 512 3456", "+54 341 512 3456"),
        ("+378 886377", "+39 0549 886377"),
        ("+378 0549 886377", "+39 0549 886377"),
        ("+970 599 123 456", "+972 599 123 456"),
        ("+970 2 295 1234", "+972 2 295 1234"),
    ],
)
def test_one_phone_that_is_reached_by_two_numbers_is_one_subscriber(one: str, other: str) -> None:
    one, other = phone.normalise(one), phone.normalise(other)
    assert phone.subscriber_of(one) == phone.subscriber_of(other)


def test_no_other_two_numbers_are_one_subscriber() -> None:
    plain = [phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) for number in examples]
    moved = {number[:4] for number in plain if phone.subscriber_of(number) != number}
    assert {code[:3] for code in moved} <= {"+54", "+39", "+97"}
    assert phone.subscriber_of("+972501234567") == "+972501234567"
    assert phone.subscriber_of("+390669812345") == "+390669812345"


@given(dialled)
def test_a_subscribers_number_is_its_own(text: str) -> None:
    with suppress(InvalidPhoneNumber):
        known = phone.subscriber_of(phone.normalise(text))
        assert phone.subscriber_of(known) == known


@given(st.text(max_size=40) | st.text("+0123456789 ()-.;x#*\uff0b\u0661", max_size=40))
def test_whatever_comes_is_a_number_in_e164_or_refused(text: str) -> None:
    try:
        plain = phone.normalise(text)
    except InvalidPhoneNumber:
        return
    assert plain[0] == "+"
    assert plain[1:].isascii()
    assert plain[1:].isdigit()
    assert len(plain) <= 18  # 15 digits by E.164; phonenumbers knows of 17


@pytest.mark.parametrize(
    "text",
    [
        "", "+", "3125550142", "13125550142", "0013125550142", "tel:+13125550142", "+1312555014", "+131255501423",
        "+13125550142;ext=5", "+13125550142 x5", "+1800FLOWERS", "+99912345678", "+1" * 20, "+13125550142\n+1", "abc",
        "+\u2160312",
    ],
)  # fmt: skip
def test_what_cannot_be_a_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhoneNumber):
        phone.normalise(text)


@pytest.mark.parametrize(
    ("number", "country", "valid", "kind"),
    [
        ("+13125550142", "US", True, "fixed_or_mobile"),
        ("+442079460000", "GB", True, "fixed"),
        ("+447400123456", "GB", True, "mobile"),
        ("+19005550142", "US", True, "premium"),
        ("+18005550142", "US", True, "toll_free"),
        ("+11115550142", None, False, "unknown"),
        ("+4900000", "DE", False, "unknown"),
        ("+80012345678", None, True, "toll_free"),
    ],
)
def test_the_numbering_plan_says_where_a_number_is_and_what_it_is(
    number: str, country: str | None, kind: str, *, valid: bool
) -> None:
    plan = phone.describe(number)
    assert (plan.country, plan.valid, plan.kind) == (country, valid, kind)


def test_a_mask_keeps_the_country_and_two_digits() -> None:
    assert phone.mask("+13125550142") == "+1…42"
