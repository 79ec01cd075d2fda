"""Phone numbers: any spelling in, E.164 out, and what the numbering plan says of one.

Called by api (normalise) and fraud (describe). Never says anything of whether a number exists.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberType as Type

from service.errors import InvalidPhoneNumber

Kind = Literal[
    "mobile", "fixed", "fixed_or_mobile", "toll_free", "premium", "shared_cost", "voip", "personal", "pager", "uan",
    "voicemail", "unknown",
]  # fmt: skip

KINDS: dict[int, Kind] = {
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


PLUS = ("+", "\uff0b")
# phonenumbers drops one national prefix (a 0 that is dialled inside the country) at a time: what still begins
# with one would be the same telephone under another name.
MOST_PREFIXES = 5


class Plan(msgspec.Struct, frozen=True):
    """What the numbering plan says. `country`: ISO 3166 alpha-2, None for a number of no single country."""

    country: str | None
    valid: bool
    kind: Kind


def normalise(text: str) -> str:
    """Return the number in E.164. Raises InvalidPhoneNumber when it cannot be one, whatever the reason."""
    if text[:1] not in PLUS or any(letter.isalpha() for letter in text):
        raise InvalidPhoneNumber
    for _ in range(MOST_PREFIXES):
        plain = _strip(text)
        if plain == text:
            return plain
        text = plain
    raise InvalidPhoneNumber


def _strip(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise InvalidPhoneNumber from error
    if number.extension or not phonenumbers.is_possible_number(number):
        raise InvalidPhoneNumber
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def describe(e164: str) -> Plan:
    """Say what the numbering plan knows of a number in E.164 (phonenumbers' metadata; no look-up)."""
    number = phonenumbers.parse(e164)
    kind = phonenumbers.number_type(number)
    return Plan(
        country=_country(number),
        valid=kind != Type.UNKNOWN,  # which is how is_valid_number judges, after the same work again
        kind=KINDS.get(kind, "unknown"),
    )


def _country(number: phonenumbers.PhoneNumber) -> str | None:
    region = phonenumbers.region_code_for_number(number)
    if region is None:  # no such number, but its code may be of one country alone
        regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
        region = regions[0] if len(regions) == 1 else None
    return None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region


def is_country(code: str) -> bool:
    """Say whether this is the ISO 3166 alpha-2 code of a country that has numbers."""
    return code in phonenumbers.SUPPORTED_REGIONS


def mask(e164: str) -> str:
    """Shorten a number for an operator's eyes: its country code and last two digits."""
    return f"+{calling_code(e164)}…{e164[-2:]}"


def calling_code(e164: str) -> int:
    """Return the country calling code of a number in E.164: the one code that it begins with."""
    codes = (int(e164[1:end]) for end in range(2, 5))
    return next((code for code in codes if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), 0)
