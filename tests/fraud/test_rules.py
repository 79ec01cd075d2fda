"""Every rule by itself: what it objects to, and the nearest case that it lets pass."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from service.channels import CHANNELS
from service.fraud.facts import DeviceFacts, Facts, UnconvertedCodes
from service.fraud.histories.history import History
from service.fraud.stages import RULES
from service.phone import NumberPlan
from service.policy.loading import parse
from service.providers.fingerprint.event import DeviceEvent

POLICY = parse('[countries]\nallow = ["US", "CA"]\ncall = ["US"]\n').default
CLOSED = parse(
    '[countries]\nallow = ["US"]\n[rules.captcha]\nfail = "closed"\n[rules.device_unread]\nfail = "closed"\n'
)

Sends = list[tuple[int, int, bool]]
Table = dict[str, tuple[dict[str, Any], dict[str, Any]]]


def event(**changes: Any) -> DeviceFacts:
    clean = DeviceEvent(
        event_id="", observed_at=datetime(2026, 1, 1, tzinfo=UTC), complete=True, visitor_id=None, confidence=0.99,
        replayed=False, ip_address=None, linked_id=None, bot="not_detected", suspect_score=3, tampering=False,
        vpn=False, proxy=False, tor=False, virtual_machine=False, incognito=False,
    )  # fmt: skip
    of_event = {name: value for name, value in changes.items() if name in DeviceEvent.__struct_fields__}
    more: dict[str, Any] = {name: value for name, value in changes.items() if name not in of_event}
    told: dict[str, Any] = {"state": "found", "event": msgspec.structs.replace(clean, **of_event), "age": 2.0}
    return DeviceFacts(**(told | more))


def history(sends: Sends, **more: Any) -> History:
    """Make one of sends, newest first: age in seconds, mark, converted."""
    ages, marks, done = [one[0] for one in sends], [one[1] for one in sends], [one[2] for one in sends]
    total = sum(done)
    counts = {
        "day_sends": len(sends),
        "day_converted": total,
        "long_sends": len(sends),
        "long_converted": total,
        "peak": 0.0,
    }
    return History(ages=ages, marks=marks, converted=done, **{**counts, "block": None, **more})


def unconverted(count: int, apart: int = 977, age: int = 600) -> Sends:
    return [(0, 5000, False), *((age + 60 * i, (5000 + apart * (i + 1) * (i + 2)) % 9973, False) for i in range(count))]


def converted(count: int) -> Sends:
    return [(0, 5000, False), *((600 + 60 * i, 977 * i % 9973, i % 3 != 2) for i in range(count))]


def over(kind: str, sends: Sends, **more: Any) -> dict[str, Any]:
    return {"histories": {kind: history(sends, **more)}}


def countries(*codes: int) -> Sends:
    return [(60 * i, code << 21 | i, False) for i, code in enumerate(codes)]


def spread(count: int) -> Sends:
    """Unconverted sends of a country, each in a range of a million of its own."""
    return [(600 * (i > 0) + i, i << 21 | i, False) for i in range(count)]


US = NumberPlan("US", valid=True, kind="fixed_or_mobile")
FIXED = NumberPlan("CA", valid=True, kind="fixed")

# A rule's name: what it objects to, and what it does not, as changes to facts that are clean.
TABLE: Table = {
    "number": (
        {"number": NumberPlan("US", valid=True, kind="premium")},
        {"number": NumberPlan("US", valid=True, kind="voip")},
    ),
    "number_unconverted": (
        {"codes": UnconvertedCodes(of_a_day=3)},
        {"codes": UnconvertedCodes(of_a_day=2, in_a_row=9)},
    ),
    "number_unknown": (
        {"number": NumberPlan("US", valid=False, kind="unknown"), "line": "unknown"},
        {"number": NumberPlan("US", valid=False, kind="unknown"), "line": "mobile"},
    ),
    "country": ({"number": FIXED, "channel": "call"}, {"number": FIXED, "channel": "sms"}),
    "landline": ({"number": FIXED}, {"number": NumberPlan("US", valid=True, kind="fixed")}),
    "captcha": ({"captcha": "failed"}, {"captcha": "unread"}),
    "bot": ({"device": event(bot=None)}, {"device": event()}),
    "suspect_score": ({"device": event(suspect_score=21)}, {"device": event(suspect_score=20)}),
    "confidence": ({"device": event(confidence=0.69)}, {"device": event(confidence=0.7)}),
    "event_replayed": ({"device": event(replayed=True)}, {"device": event(replayed=None)}),
    "event_stale": ({"device": event(age=601)}, {"device": event(age=599)}),
    "event_forged": ({"device": DeviceFacts("unknown")}, {"device": DeviceFacts("none")}),
    "event_bound": ({"device": event(bound=False)}, {"device": event(bound=True)}),
    "event_ip": ({"device": event(same_place=False)}, {"device": event()}),
    "event_linked": ({"device": event(same_account=False)}, {"device": event()}),
    "event_incomplete": ({"device": event(complete=False, bot=None)}, {"device": event()}),
    "no_event": ({"device": DeviceFacts("none")}, {"device": event()}),
    "device_unread": ({"device": DeviceFacts("unread")}, {"device": DeviceFacts("none")}),
    "tampering": ({"device": event(tampering=True)}, {"device": event(tampering=None)}),
    "tor": ({"device": event(tor=True)}, {"device": event(vpn=True)}),
    "vpn": ({"device": event(vpn=True)}, {"device": event(tor=True)}),
    "proxy": ({"device": event(proxy=True)}, {"device": event(vpn=True)}),
    "hosting": ({"device": event(hosting=True)}, {"device": event(proxy=True)}),
    "virtual_machine": ({"device": event(virtual_machine=True)}, {"device": event()}),
    "ip_country": ({"device": event(countries=("DE", "FR"))}, {"device": event(countries=("CA", "FR"))}),
    "block": (over("range", converted(3), block=7), over("range", converted(3), lifted=60.0)),
    "sequential": (over("block_10k", unconverted(4, apart=1)), over("block_10k", unconverted(4))),
    "range": (over("block_100k", [(a, m * 10, g) for a, m, g in unconverted(8)]), over("block_100k", converted(30))),
    "country_spike": (
        over("country", converted(2), day_sends=50, day_converted=20),
        over("country", converted(2), day_sends=20),
    ),
    "country_conversion": (over("country", spread(30)), over("country", spread(12))),
    "ip_conversion": (over("ip", unconverted(10)), over("ip", converted(40))),
    "burst": (over("network", unconverted(8)), over("network", converted(40))),
    "unverified_share": (over("ip", unconverted(12)), over("ip", unconverted(10))),
    "device_numbers": (over("device", unconverted(3)), over("device", unconverted(2))),
    "many_countries": (over("ip", countries(1, 44, 49, 33)), over("ip", countries(1, 44, 49, 49))),
}
SURROUNDINGS = ("range", "country_conversion", "ip_conversion", "burst")


def judge(rule: str, changes: dict[str, Any]) -> str | None:
    facts = Facts(US, "sms", event(), {})
    policy = CLOSED.default if rule == "device_unread" else POLICY
    return RULES[rule](msgspec.structs.replace(facts, **changes), policy)


def test_every_rule_has_its_table() -> None:
    assert TABLE.keys() == RULES.keys()


@pytest.mark.parametrize("rule", TABLE)
def test_a_rule_objects_to_its_case_and_not_to_the_one_beside_it(rule: str) -> None:
    objectionable, near = TABLE[rule]
    assert judge(rule, objectionable) is not None
    assert judge(rule, near) is None


@pytest.mark.parametrize("rule", sorted(RULES))
def test_facts_that_are_clean_or_missing_are_objected_to_by_none_but_no_event(rule: str) -> None:
    assert judge(rule, {}) is None
    assert (judge(rule, {"device": DeviceFacts("none")}) is None) == (rule != "no_event")


@pytest.mark.parametrize(
    "device",
    [
        event(bot=None, platform="android"),
        event(bot=None, platform="ios", virtual_machine=None),
        event(bot=None, source="edge"),
        event(bot=None, failed=("bot",)),
        event(bot=None, absent=("bot",)),
        event(bot=None, complete=False, absent=("verdicts",)),
    ],
)
def test_a_verdict_that_cannot_come_is_not_held_against_an_event(device: DeviceFacts) -> None:
    assert judge("bot", {"device": device}) is None
    assert judge("event_incomplete", {"device": device}) is None


def test_an_automation_that_is_named_is_objected_to_wherever_it_is_seen() -> None:
    for seen in ({"bot": None, "source": "edge"}, {"bot": None, "platform": "android"}, {}, {"absent": ("bot",)}):
        assert judge("bot", {"device": event(agent="ai_agent", **seen)}) == "bot ai_agent"


def test_an_event_that_fingerprint_has_not_finished_is_objected_to_whatever_others_lack() -> None:
    unfinished = event(bot=None, complete=False, partial=True, absent=("verdicts",))
    assert judge("event_incomplete", {"device": unfinished}) == "no verdicts"


def test_a_captcha_that_nobody_could_check_suppresses_where_the_policy_says_closed() -> None:
    assert RULES["captcha"](Facts(US, "sms", event(), {}, "unread"), CLOSED.default) == "not judged"


def test_a_channel_that_has_to_be_named_goes_only_where_order_and_lists_both_name_it() -> None:
    order, listed = '[fallback]\norder = ["sms", "whatsapp"]\n', '[countries]\nwhatsapp = ["US"]\n'
    for policy, objected in (("", True), (order, True), (listed, True), (order + listed, False)):
        facts = Facts(US, "whatsapp", event(), {})
        assert (RULES["country"](facts, parse(policy).default) is not None) is objected, policy


def test_only_what_does_not_reach_landlines_is_moved_to_what_does() -> None:
    assert [judge("landline", {"number": FIXED, "channel": channel}) is not None for channel in CHANNELS] == [
        traits.landline is not None for traits in CHANNELS.values()
    ]


def test_a_landline_that_may_not_be_called_is_objected_to() -> None:
    assert judge("landline", {"number": US, "line": "fixed"}) is None
    assert judge("landline", {"number": FIXED, "line": "mobile"}) is None


@pytest.mark.parametrize("rule", SURROUNDINGS)
def test_a_number_that_converted_before_is_not_blamed_for_its_neighbours(rule: str) -> None:
    guilty: dict[str, History] = TABLE[rule][0]["histories"]
    known = history([(0, 1234, False), (3600, 1234, True)])
    assert judge(rule, {"histories": guilty | {"block_10k": known}}) is None
    others = history([(0, 1234, False), (3600, 99, True), *((3700 + n, n, False) for n in range(3))])
    assert judge(rule, {"histories": guilty | {"block_10k": others}}) is not None


@pytest.mark.parametrize("rule", ["burst", "country_conversion"])
def test_an_address_that_converts_is_not_blamed_for_its_network_or_country(rule: str) -> None:
    guilty: dict[str, History] = TABLE[rule][0]["histories"]
    assert judge(rule, {"histories": guilty | {"ip": history([(0, 1, False), (60, 2, True)])}}) is None


def test_an_operators_block_holds_for_who_is_known_too() -> None:
    known = history([(0, 1234, False), (3600, 1234, True)])
    for firm in (False, True):
        held = {"block_10k": known, "block_1m": history([(0, 1, False)], block=3, firm=firm)}
        assert (judge("block", {"histories": held}) is not None) is firm


def test_a_country_in_trouble_lowers_what_is_needed_against_its_ranges() -> None:
    few = over("block_100k", [(a, m * 10, g) for a, m, g in unconverted(3)])["histories"]
    assert judge("range", {"histories": few}) is None
    assert judge("range", {"histories": few | {"country": history(spread(30))}}) is not None


def test_a_range_that_converts_is_not_blamed_for_its_country() -> None:
    guilty = TABLE["country_conversion"][0]["histories"]
    for kind in ("block_10k", "block_100k", "block_1m"):
        assert judge("country_conversion", {"histories": guilty | {kind: history(converted(3))}}) is None
        assert judge("country_conversion", {"histories": guilty | {kind: history(unconverted(3))}}) is not None
    unconverted_among_converted = {
        "block_10k": history([*unconverted(3), (9000, 1, True)]),
        "block_1m": history(converted(9)),
    }
    assert judge("country_conversion", {"histories": guilty | unconverted_among_converted}) is not None


def test_more_than_a_dozen_of_a_network_in_a_minute_are_a_burst_if_none_converted() -> None:
    crowd = [(n, n, False) for n in range(13)]
    assert judge("burst", over("network", crowd)) == "13 in a minute"
    assert judge("burst", over("network", crowd[:12])) is None
    assert judge("burst", over("network", [*crowd, (4000, 99, True)])) is None


@pytest.mark.parametrize("kind", ["block_10k", "block_100k"])
def test_a_small_range_in_which_many_rush_and_nobody_enters_a_code_waits_for_no_evidence(kind: str) -> None:
    rush = [(n, 700 * n, False) for n in range(9)]
    assert judge("range", over(kind, rush)) == f"{kind} 9 in a minute"
    assert judge("range", over(kind, rush[:8])) is None
    assert judge("range", over(kind, [*rush, (4000, 99, True)])) is None
    assert judge("range", over("block_1m", rush)) is None


def test_sends_too_young_to_convert_do_not_count_among_an_addresses_unconverted_ones() -> None:
    assert judge("unverified_share", over("ip", unconverted(12, age=260))) is not None
    assert judge("unverified_share", over("ip", [(n, n, False) for n in range(12)] + [(9000, 99, True)])) is None
