"""Telnyx's number look-up, answered from phonenumbers and the test numbers.

Called by sandbox.telnyx.app and sandbox.telnyx.sends. Its carrier names are obviously made up.
"""

from __future__ import annotations

from typing import Any

import phonenumbers

from service.providers.verify.test_numbers import find_number
from service.sandbox.stage import Planned
from service.sandbox.telnyx.bodies import require_e164
from service.sandbox.telnyx.replies import decline, record

_LINE_TYPES = {
    phonenumbers.PhoneNumberType.FIXED_LINE: "fixed line",
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed line or mobile",
    phonenumbers.PhoneNumberType.TOLL_FREE: "toll free",
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "premium rate",
    phonenumbers.PhoneNumberType.SHARED_COST: "shared cost",
    phonenumbers.PhoneNumberType.VOIP: "voip",
    phonenumbers.PhoneNumberType.PERSONAL_NUMBER: "personal number",
    phonenumbers.PhoneNumberType.PAGER: "pager",
    phonenumbers.PhoneNumberType.UAN: "uan",
    phonenumbers.PhoneNumberType.VOICEMAIL: "voicemail",
}

# An area code that was opened after the installed numbering plan was made: the look-up knows more than the plan.
NEWER_RANGE = "+1861"


def find_country(phone_number: str) -> str | None:
    """Return the ISO code of a number's country; None if it belongs to no single one."""
    if phone_number.startswith(NEWER_RANGE):
        return "US"
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone_number))
    except phonenumbers.NumberParseException:
        return None


def plan_carrier(phone_number: str) -> Planned:
    """Look a number up; 422 for one that belongs to no country."""
    require_e164(phone_number)
    try:
        parsed = phonenumbers.parse(phone_number)
    except phonenumbers.NumberParseException:
        raise decline(422, "10016", f"{phone_number} is not a valid phone number.", "/phone_number") from None
    return Planned(
        operation="carrier", act=lambda: (record(_describe(phone_number, parsed)), None), phone_number=phone_number
    )


def _describe(phone_number: str, parsed: phonenumbers.PhoneNumber) -> dict[str, Any]:
    scripted = find_number(phone_number)
    known = _LINE_TYPES.get(phonenumbers.number_type(parsed), "unknown")
    line_type = scripted.line_type if scripted else "mobile" if phone_number.startswith(NEWER_RANGE) else known
    return {
        "record_type": "number_lookup",
        "phone_number": phone_number,
        "national_format": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL),
        "country_code": find_country(phone_number),
        "valid_number": phonenumbers.is_valid_number(parsed),
        "carrier": {
            "name": "Sandbox Mobile",
            "type": line_type,
            "mobile_country_code": "",
            "mobile_network_code": "",
            "normalized_carrier": "",
            "error_code": None,
        },
        "portability": {"line_type": line_type, "ported_status": "N", "ported_date": "", "spid_carrier_name": ""},
        "caller_name": {"caller_name": "", "error_code": ""},
        "fraud": None,
    }
