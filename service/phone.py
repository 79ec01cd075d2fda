"""Phone numbers: parsed from any spelling into E.164, and what the numbering plan says of them.

Called by api, fraud, verification and cli. Cannot tell whether a number is in use.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberType as Type

from service import spelling
from service.errors import InvalidPhoneNumber

NumberKind = Literal[
    "mobile", "fixed", "fixed_or_mobile", "toll_free", "premium", "shared_cost", "voip", "personal", "pager", "uan",
    "voicemail", "unknown",
]  # fmt: skip

KINDS: dict[int, NumberKind] = {
    Type.MOBILE: "mobile",
    Type.FIXED_LINE: "fixed",
    Type.FIXED_LINE_OR_MOBILE: "fixed_or_mobile",
    Type.TOLL_FREE: "toll_free",
    Type.PREMIUM_RATE: "premium",
    Type.SHARED_COST: "shared_cost",
    Type.VOIP: "voip",
    Type.PERSONAL_NUMBER: "personal",
    Type.PAGER: "pager",
    Type.UAN: "uan",
    Type.VOICEMAIL: "voicemail",
}


# The database stores a number's country and kind. If fewer than 10,000 numbers have both, the kind is not stored; of a
# country with fewer than a million numbers, not even a number's last two digits are shown. Both lists were counted from
# phonenumbers' patterns, and tests/fraud/test_numbers_hidden.py checks them.
RARE: dict[str, frozenset[NumberKind]] = {
    "AL": frozenset({"premium", "shared_cost"}),
    "AZ": frozenset({"premium"}),
    "FO": frozenset({"toll_free", "premium"}),
    "GR": frozenset({"uan"}),
    "GY": frozenset({"premium"}),
    "IR": frozenset({"uan"}),
    "LI": frozenset({"premium", "uan"}),
    "MO": frozenset({"toll_free"}),
    "NC": frozenset({"toll_free"}),
    "NU": frozenset({"fixed"}),
    "SB": frozenset({"toll_free", "voip"}),
    "SC": frozenset({"toll_free"}),
    "SH": frozenset({"voip"}),
    "SK": frozenset({"pager"}),
    "TO": frozenset({"toll_free"}),
    "TV": frozenset({"fixed"}),
    "UY": frozenset({"uan"}),
    "VU": frozenset({"toll_free"}),
    "WS": frozenset({"toll_free"}),
}
SMALL = frozenset({"AC", "BQ", "CK", "FK", "FO", "GL", "IO", "MH", "NC", "NF", "NU", "PW", "SH", "ST", "TV"})
# Tristan da Cunha has a thousand numbers. They count as Saint Helena's, whose calling code they share.
PART_OF = {"TA": "SH"}
# Kinds to which no rule objects, but which decide the channel that is used. Rare ones count as unknown from the start,
# because the channel would reveal them.
PLAIN: frozenset[NumberKind] = frozenset({"fixed", "voip"})

# phonenumbers drops one national prefix (a 0 that is dialled inside the country) at a time: a number that still begins
# with one would be the same telephone under another name.
MOST_PREFIXES = 5

# Numbering plans that reach one phone by two numbers, and the number under which it is known here.
# Argentina: ten digits name a line; calls from abroad put a 9 before a mobile's, texts mostly do not.
# San Marino: its fixed lines answer under their own country code and, as before 1996, under Italy's.
# (Palestine: under its own and under Israel's, whose plan it shares; `subscriber_of` asks the metadata which are its.)
# Brazil: until 2016 mobiles had eight digits, and got a 9 before them; no other number begins as they did.
# Colombia: until 2021 landlines had eight digits, and got a 60 before them.
# Not here, because phonenumbers takes the old form for no possible number: Mexico (no 1 since 2019), Ivory Coast (ten
# digits since 2021), Benin (ten since 2024).
TWO_FORMS = (
    (re.compile(r"\+54(\d{10})"), r"+549\1"),
    (re.compile(r"\+39(0549\d{6})"), r"+378\1"),
    (re.compile(r"\+55([1-9]\d)([689]\d{7})"), r"+55\g<1>9\2"),
    (re.compile(r"\+57([124-8][2-9]\d{6})"), r"+5760\1"),
)
TWO_FORMED = ("+54", "+55", "+57", "+39", "+972")


# Of the beginning of a range: how many digits are shown at most, and how many of its numbers' are left open at least.
MOST_SHOWN, OPEN_DIGITS = 6, 4

# A request, its decision and its record ask the same of one number: so many of the newest are kept, which is as many as
# may wait for their sends in a rush.
NEWEST = 2048

# A plus, and at most 15 digits; shorter than seven is no telephone's.
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class NumberPlan(msgspec.Struct, frozen=True):
    """What the numbering plan says. `country`: ISO 3166 alpha-2, None for a number of no country.

    `valid`: the plan knows the number. It does not know ranges that were opened after it was made.
    """

    country: str | None
    valid: bool
    kind: NumberKind


def normalise(text: str) -> str:
    """Return the number in E.164. Raises InvalidPhoneNumber if it cannot be one, whatever the reason."""
    text = text if is_e164(text) else _drop_punctuation(text)
    for _ in range(MOST_PREFIXES):
        plain = _strip(text)
        if plain == text and is_e164(plain):
            return plain
        text = plain
    raise InvalidPhoneNumber


def _drop_punctuation(text: str) -> str:
    """Return a plus and digits, however they are written. Raises InvalidPhoneNumber for what may be more or less."""
    number, before, over = "", "", False
    for sort, character in spelling.sort(text.strip()):
        match sort:
            case "plus" | "digit" if over or bool(number) == (sort == "plus"):
                raise InvalidPhoneNumber  # an extension, a second number, or one without its country
            case "plus" | "digit":
                number += "+" if sort == "plus" else character
            case "dash" | "break" | None if not number or sort is None:
                raise InvalidPhoneNumber
            case "break":  # twice it is a pause, after which an extension is dialled
                over = over or before == "break" or _is_whole(number)
        before = before if sort in ("mark", "space") else sort
    return number


def _is_whole(number: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def is_e164(text: str) -> bool:
    """Say whether this is a number as it goes over the wire, and may stand in a path."""
    return E164.fullmatch(text) is not None


@lru_cache(NEWEST)
def _parse(text: str) -> phonenumbers.PhoneNumber:
    return phonenumbers.parse(text)


def _strip(text: str) -> str:
    try:
        number = _parse(text)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhoneNumber from error
    # Not a number either that is only dialled within its own city.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidPhoneNumber
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def subscriber_of(e164: str) -> str:
    """Return the number under which its subscriber is known: the same for all numbers that reach one phone.

    Counting, histories and erasure use it; what is dialled, and its country, are as the caller gave them.
    """
    if not e164.startswith(TWO_FORMED):
        return e164
    for form, known in TWO_FORMS:
        if found := form.fullmatch(e164):
            return found.expand(known)
    if e164.startswith("+972") and phonenumbers.is_valid_number(phonenumbers.parse(f"+970{e164[4:]}")):
        return f"+970{e164[4:]}"
    return e164


@lru_cache(NEWEST)
def describe(e164: str) -> NumberPlan:
    """Return what the numbering plan says of a number in E.164 (phonenumbers' metadata; no look-up)."""
    number = _parse(e164)
    found = phonenumbers.number_type(number)
    country, kind = _country(number), KINDS.get(found, "unknown")
    return NumberPlan(
        country=country,
        valid=found != Type.UNKNOWN,  # as is_valid_number does, which would do the same work again
        kind=tell_kind(country, kind) if kind in PLAIN else kind,
    )


def tell_kind(country: str | None, kind: NumberKind) -> NumberKind:
    """Return the kind as it may be stored: unknown if too few numbers of the country are of it."""
    return "unknown" if kind in RARE.get(country or "", ()) else kind


def _country(number: phonenumbers.PhoneNumber) -> str | None:
    region = phonenumbers.region_code_for_number(number)
    if region is None:
        # The plan does not know it (yet): it counts as the country's that runs its calling code, which stands first.
        # Where another one's numbers have a prefix of their own, region_code_for_number has gone by that.
        region = phonenumbers.region_codes_for_country_code(number.country_code or 0)[0]
    return None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else PART_OF.get(region or "", region)


def is_country(code: str) -> bool:
    """Return whether this is the ISO 3166 alpha-2 code of a country with numbers of its own."""
    return code in phonenumbers.SUPPORTED_REGIONS and code not in PART_OF


def list_countries() -> list[str]:
    """List every country with numbers of its own, in ISO 3166 alpha-2."""
    return sorted(filter(is_country, phonenumbers.SUPPORTED_REGIONS))


def countries_by_code() -> dict[int, list[str]]:
    """List the calling codes that several countries share, each with the country that runs it first."""
    shared = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
    found = {code: [region for region in regions if is_country(region)] for code, regions in shared}
    return {code: countries for code, countries in found.items() if len(countries) > 1}


def plan_version() -> str:
    """Return the version of the installed numbering plan."""
    return str(phonenumbers.__version__)


def count_national(e164: str) -> int:
    """Return how many digits of a number in E.164 follow its calling code."""
    return len(e164) - 1 - len(str(calling_code(e164)))


def mask(e164: str) -> str:
    """Mask a number for operators: its calling code and, unless its country is small, last two digits."""
    shown = "" if describe(e164).country in SMALL else e164[-2:]
    return f"+{calling_code(e164)}…{shown}"


def show_beginning(prefix: str) -> str:
    """Return as much of the beginning of numbers as leaves ten thousand of them: a plus, and six digits at most."""
    code = calling_code(prefix)
    lengths = [
        length
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
        if (plan := phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)) is not None
        for length in (plan.general_desc.possible_length if plan.general_desc is not None else ())
    ]
    shown = len(str(code)) + max(0, min(max(lengths, default=0), 15 - len(str(code))) - OPEN_DIGITS)
    return prefix[: 1 + min(MOST_SHOWN, shown)]


@lru_cache(NEWEST)
def calling_code(e164: str) -> int:
    """Return the country calling code of a number in E.164: the one code that it begins with."""
    codes = (int(e164[1:end]) for end in range(2, 5))
    return next((code for code in codes if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), 0)


def code_of(country: str) -> int:
    """Return a country's calling code, 0 for one that has none; several countries may share one."""
    return int(phonenumbers.country_code_for_region(country))
