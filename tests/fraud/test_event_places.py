"""Where an event comes from is compared with the request by network, and stops nobody as shipped."""

from __future__ import annotations

import pytest

from tests.support.fraud import enforced, findings_of, mint, run_guarded, sends_to
from tests.support.gateway import PHONE, Gateway, read_code

ENFORCED = '[rules.event_ip]\nmode = "enforce"\n'
# An event's address and what is told of it, and the request's address.
NEAR: dict[str, tuple[dict[str, object], str]] = {
    "the same": ({"ip": "198.51.100.1"}, "198.51.100.1"),
    "another exit in the same network": ({"ip": "198.51.100.1"}, "198.51.100.201"),
    "another exit of the same provider": ({"ip": "198.51.100.1", "asn_network": "198.48.0.0/12"}, "198.60.7.9"),
    "another /64 of the same network": ({"ip": "2001:db8:1:2::5"}, "2001:db8:1:9::7"),
    "another family": ({"ip": "198.51.100.1"}, "2001:db8::1"),
    "a relay, whose exits change": ({"ip": "198.51.100.1", "relay": True}, "203.0.113.9"),
    "made up by a proxy for IPv6": ({"ip": "198.51.100.1"}, "244.12.7.9"),
    "the same from the other side": ({"ip": "250.1.2.3"}, "203.0.113.9"),
    "a company's own": ({"ip": "198.51.100.1"}, "10.1.2.3"),
    "a carrier's inside": ({"ip": "100.66.1.2"}, "203.0.113.9"),
}
FAR: dict[str, tuple[dict[str, object], str]] = {
    "another network": ({"ip": "198.51.100.1"}, "203.0.113.9"),
    "another provider": ({"ip": "198.51.100.1", "asn_network": "198.51.100.0/22"}, "203.0.113.9"),
    "another network of IPv6": ({"ip": "2001:db8:1::5"}, "2001:db8:2::5"),
    "an edge event's": ({"ip": "198.51.100.1", "edge": True}, "203.0.113.9"),
}


async def ask_from(gateway: Gateway, order: dict[str, object], address: str) -> str:
    return await gateway.begin(device_event_id=await mint(gateway, **order), ip_address=address)


async def test_people_whose_exit_changes_get_their_codes_where_the_rule_is_enforced(database_url: str) -> None:
    policy, private = ENFORCED + '[clients.shop.limits]\nphone = ["100/1h"]\n', "ALLOW_PRIVATE_USER_ADDRESSES"
    async with run_guarded(database_url, policy, **{private: "true"}) as gateway:
        for name, (order, address) in NEAR.items():
            assert "event_ip" not in await findings_of(gateway, await ask_from(gateway, order, address)), name
        for name, (order, address) in FAR.items():
            assert await enforced(gateway, await ask_from(gateway, order, address)) == {"event_ip"}, name


@pytest.mark.parametrize("version", ["v4", "v3"])
async def test_as_shipped_an_event_from_elsewhere_is_noted_and_the_code_goes(database_url: str, version: str) -> None:
    async with run_guarded(database_url, FINGERPRINT_API=version) as gateway:
        elsewhere = await ask_from(gateway, {"ip": "198.51.100.1", "asn_network": "198.51.0.0/16"}, "203.0.113.9")
        assert (await findings_of(gateway, elsewhere))["event_ip"] == "observe"
        assert await read_code(gateway)
        near = await ask_from(gateway, {"ip": "198.51.100.1", "asn_network": "198.51.0.0/16"}, "198.51.7.9")
        assert "event_ip" not in await findings_of(gateway, near)
        assert sends_to(gateway, PHONE) == 2


@pytest.mark.parametrize("version", ["v4", "v3"])
async def test_an_address_in_another_country_than_the_number_is_noted_and_the_code_goes(
    database_url: str, version: str
) -> None:
    limits = '[clients.shop.limits]\nphone = ["100/1h"]\n'
    async with run_guarded(database_url, limits, FINGERPRINT_API=version) as gateway:
        abroad = await ask_from(gateway, {"country": "DE"}, "203.0.113.9")
        assert (await findings_of(gateway, abroad))["ip_country"] == "observe"
        assert await read_code(gateway)
        # The same calling code, a relay, and what is no country say nothing.
        for order in ({"country": "CA"}, {"country": "DE", "relay": True}, {"country": "ZZ"}, {"country": "US"}):
            near = await ask_from(gateway, {**order}, "203.0.113.9")
            assert "ip_country" not in await findings_of(gateway, near), order
