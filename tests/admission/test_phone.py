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


PASTED = [
    " +13125550142", "\t+13125550142\r\n", "+13125550142\n\u200b", "\ufeff+13125550142", "'+13125550142",
    "\u201c+13125550142\u201d",
    *(f"{mark}+1 312 555 0142{mark}" for mark in map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))),
    *(f"+1{mark}312{mark}5550142" for mark in "\u200b\u200c\u200d\u200e\u200f\u061c\u2060\ufeff\u00ad\u034f\ufe0f"),
    *(f"+1{space}312{space}555{space}0142" for space in "\u00a0\u202f\u2007\u2009\u2003\u3000\u1680\u205f\u2800\t"),
    *(f"+1{dash}312{dash}5550142" for dash in "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\u30fc\ufe63\uff0d"),
    *(f"+1{dot}312{dot}555{dot}0142" for dot in ".\u00b7\u2022\u2024\u2027\u30fb\uff0e_"),
    *(f"+1{comma}312{comma}555{comma}0142" for comma in (",", ", ", "\u060c", "\uff0c", "/", "\uff0f")),
    "(+1) 312 555-0142", "( + 1 ) (312) 555-0142", "[+1] 312 555 0142", "\uff08+1\uff09312 555 0142", "+13125550142,",
    "\uff0b\uff11\uff13\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff14\uff12", "\ufe6213125550142",
    "+\u0661\u0663\u0661\u0662\u0665\u0665\u0665\u0660\u0661\u0664\u0662",
]  # fmt: skip


@pytest.mark.parametrize("spelling", [*SPELLINGS, *PASTED, "+1 1 312 555 0142", "+1\u200b3125550142", "+13125550142 "])
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
        ("+54 9 11 6907 1234", "+54 11 6907 1234"),
        ("+55 11 98123 4567", "+55 11 8123 4567"),
        ("+57 601 234 5678", "+57 1 234 5678"),
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
    assert phone.subscriber_of("+551178123456") == "+551178123456"  # a trunking radio's own eight digits
    assert phone.subscriber_of("+551132345678") == "+551132345678"
    assert phone.subscriber_of("+573011234567") == "+573011234567"
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
    assert len(plain) <= 16  # 15 digits


@pytest.mark.parametrize(
    "text",
    [
        "", "+", "3125550142", "13125550142", "0013125550142", "tel:+13125550142", "+1312555014", "+131255501423",
        "+13125550142;ext=5", "+13125550142 x5", "+1800FLOWERS", "+99912345678", "+1" * 20, "+13125550142\n+1", "abc",
        "+\u2160312", "+1 5550142", "+1312555014\u00b2", "+13125550142,5", "+13125550142,,5", "+1,,312,555,0142",
        "+13125550142/43", "+49 30 123456/78", "+49 30 123456,78", "+49 30 123456~78", "+49 30 123456\n78",
        "+49 30 123456;78",
        "+49 30 123456#78", "+49 30 123456*78", "+49 30 123456:78", "1+3125550142", "++13125550142",
        "+1 312 555 0142 +1",
        "-+13125550142", "+1\u20e33125550142", "+\u24603125550142", "+1\x0b3125550142\x01", "+49 1234567890123456",
        "\u202a\u202c", "(+)", "+1 312 555 O142",
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
        ("+18619171234", "US", False, "unknown"),
        ("+18760000000", "JM", False, "unknown"),
        ("+88312345678", None, False, "unknown"),
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
