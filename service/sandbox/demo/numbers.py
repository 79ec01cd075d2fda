"""What the shop does with a number or a code as people type them, and the countries that its picker offers.

Called by demo.page. The gateway reads numbers on its own: what is refused here would be refused there too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import phonenumbers

from service import phone


def compose_number(text: str, country: str) -> str | None:
    """Return a number in E.164, as dialled in its country or with a + and country code; None if it cannot be one."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_code(text: str) -> str:
    """Return a code without what people put between its digits, which may be of any script; else the text."""
    digits = re.sub(r"[\s\-]", "", text)
    return "".join(str(unicodedata.decimal(one)) for one in digits) if digits.isdecimal() else text


def write_countries(chosen: str = "US") -> str:
    """Write the picker's choices; the page puts names in place of the codes, in its reader's language."""
    mark = {chosen: " selected"}
    return "".join(
        f'<option value="{country}"{mark.get(country, "")}>{country} +{phone.code_of(country)}</option>'
        for country in phone.list_countries()
    )


def tell_countries(allowed: Collection[str]) -> str:
    """Say which countries' numbers get codes here."""
    if set(allowed) >= set(phone.list_countries()):
        return "Here numbers of every country get codes"
    return f"Here only numbers of {', '.join(sorted(allowed)) or 'no country'} get codes"
