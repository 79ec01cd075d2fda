"""Parsers of fields that several calls share. They raise Invalid, which names the field and never repeats its text.

Called by request_body and operator.
"""

from __future__ import annotations

import re
from datetime import timedelta

from service import accounts, addresses, phone
from service.api.bodies import AnyRequest
from service.api.problems import Invalid
from service.errors import InvalidPhoneNumber
from service.policy.values import read_seconds

# Stricter than in the policy, as the OpenAPI file documents.
LENGTH = re.compile(r"[1-9][0-9]{0,5}[smhd]", re.ASCII)
DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
# A plus and a digit, or as many digits as a number has, grouped however people do.
NUMBER_LIKE = re.compile(r"[+\uff0b]\s*\d|(?:\d(?:[^\w:,;]|_){0,3}){9,}")
NOT_PUBLIC = (
    "no end user comes from it over the Internet. Send the address at which your outermost proxy saw the end user. "
    "Whoever runs the gateway can allow such addresses: ALLOW_PRIVATE_USER_ADDRESSES."
)


def read_number(text: str) -> str:
    """Read a phone number in E.164, in any spelling."""
    try:
        return phone.normalise(text)
    except InvalidPhoneNumber:
        raise Invalid(
            "phone_number", detail="Not a possible phone number in E.164, with + and its country code."
        ) from None


def read_address(text: str) -> str:
    """Read the IP address to count by: the IPv4 address, where an IPv6 one only carries it."""
    return str(_read_address(text))


def read_public_address(text: str) -> str:
    """Read the IP address to count by, of somebody on the Internet."""
    address = _read_address(text)
    # A proxy's or the caller's own: all end users would count as one, and use up each other's limit.
    if kind := addresses.find_special(address):
        raise Invalid("ip_address", detail=f"This address is {kind}: {NOT_PUBLIC}")
    return str(address)


def read_account(text: str) -> str:
    """Read an account id unchanged; one without a visible character is refused, because it names nobody."""
    if not accounts.normalise(text):
        raise Invalid("account_id", detail="It must contain more than spaces and invisible characters.")
    return text


def read_length(text: str, field: str, most: int) -> timedelta:
    """Read a length of time such as 30m, at most so many seconds."""
    seconds = read_seconds(text) if LENGTH.fullmatch(text) else 0
    if not 0 < seconds <= most:
        raise Invalid(field, detail=f"A whole number and s, m, h or d; {most // 3600}h at most.")
    return timedelta(seconds=seconds)


def read_window(request: AnyRequest, shipped: str, most: int) -> timedelta:
    """Read the query's window, or the default one."""
    given = request.query_params.getall("window", [shipped])
    return read_length(given[0] if len(given) == 1 else "", "window", most)


def read_reason(text: str) -> str:
    """Read a reason, unless it is blank or holds what looks like a number."""
    if not text.strip():
        raise Invalid("reason", detail="Say why, for whoever reads it later.")
    # A reason is stored in clear and outlives the erasure of a number that stands in it.
    if NUMBER_LIKE.search(DATE.sub(":", text)):
        raise Invalid("reason", detail="This looks like somebody's number: leave it out.")
    return text


def _read_address(text: str) -> addresses.Address:
    address = addresses.read(text)
    if address is None:
        raise Invalid("ip_address", detail="Not an IP address.")
    return address
