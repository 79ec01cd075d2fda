"""What a rule's finding means, as a sentence for an operator who is woken by it.

Called by fraud.judge. Pure. A sentence is stored with the decision and the block, so it must not narrow a number down:
with the two last digits that an exemption's label shows, 10,000 numbers are left.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from service import phone
from service.fraud.decision import Finding
from service.fraud.histories.history import DAY, RANGES, History
from service.fraud.histories.subjects import LEAST_PREFIX

# The last digits that are hidden beside those that tell a range's numbers apart.
HIDDEN = 2
PLACES = {
    "country": "{country}",
    "ip": "numbers requested from this address",
    "network": "numbers requested from this network",
    "device": "numbers requested by this device",
}
# Which history each rule looks at; `range` and `block` name theirs.
LOOKS_AT = {
    "sequential": "block_10k",
    "country_conversion": "country",
    "country_spike": "country",
    "ip_conversion": "ip",
    "burst": "network",
    "unverified_share": "ip",
    "device_numbers": "device",
    "many_countries": "ip",
}
PLAIN = {
    "many_countries": "numbers of {detail} requested from this address, and ",
    "sequential": "numbers too close together or at equal distances ({detail}): ",
    "burst": "{detail}: ",
}


class Occasion(msgspec.Struct, frozen=True):
    """A send to be explained: to which number, of which country, and when it was decided."""

    phone_number: str
    country: str | None
    at: datetime


def explain(finding: Finding, histories: Mapping[str, History], occasion: Occasion) -> Finding:
    """Return a finding with its sentence; a finding of a rule that looks at no history speaks for itself."""
    if finding.rule == "block":
        held = [one for one in finding.detail.removeprefix("blocked: ").split(", ") if one in histories]
        places = " and ".join(_name_place(kind, occasion) for kind in held)
        return msgspec.structs.replace(finding, reason=f"a block is in force on {places}") if held else finding
    kind = finding.detail.partition(" ")[0] if finding.rule == "range" else LOOKS_AT.get(finding.rule, "")
    if kind not in histories:
        return finding
    before = PLAIN.get(finding.rule, "").format(detail=finding.detail) if "evidence" not in finding.detail else ""
    told = before + _count(histories[kind], _name_place(kind, occasion), occasion.at)
    return msgspec.structs.replace(finding, reason=told)


def _count(history: History, place: str, at: datetime) -> str:
    """Count a day's codes before this send's, and say since when so few were entered."""
    before = [(age, done) for age, done in zip(history.ages[1:], history.converted[1:], strict=True) if age < DAY]
    if not before:
        return f"a code to {place}"
    missed = sum(not done for _, done in before)
    since = at - timedelta(seconds=before[-1][0])
    return f"{missed} of {len(before)} codes to {place} not entered since {since:%H:%M} UTC"


def _name_place(kind: str, occasion: Occasion) -> str:
    country = occasion.country or "?"
    if kind not in RANGES:
        return PLACES.get(kind, kind).format(country=country)
    digits = next(digits for one, digits in RANGES.items() if one == kind)
    return f"{country} {_begin(occasion.phone_number, country, digits)}… ({10**digits:,} numbers)"


def _begin(e164: str, country: str, digits: int) -> str:
    """Return a number's first digits: none after the calling code where that would leave too few numbers."""
    e164 = phone.subscriber_of(e164)
    hidden = digits + HIDDEN
    if country in phone.SMALL or phone.count_national(e164) - hidden < LEAST_PREFIX - 1:
        return f"+{phone.calling_code(e164)}"
    return e164[:-hidden]
