"""Where an end user can be seen: not at an address that the Internet does not know."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator

import pytest

from service import addresses
from tests.support.gateway import Gateway, run_gateway
from tests.support.wire import clone_database

NOBODY = str(ipaddress.IPv4Address(0))

NOBODY = str(ipaddress.IPv4Address(0))

REFUSED = {
    NOBODY: "unspecified", "0.1.2.3": "unspecified", "::": "unspecified",
    "127.0.0.1": "loopback", "127.255.0.9": "loopback", "::1": "loopback",
    "10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.254": "private", "192.168.1.17": "private",
    "fd00::17": "private", "fec0::1": "private",
    "169.254.169.254": "link-local", "fe80::1": "link-local",
    "100.64.0.1": "carrier-internal", "100.127.255.254": "carrier-internal",
    "224.0.0.1": "multicast", "239.1.2.3": "multicast", "ff02::1": "multicast",
    "255.255.255.255": "reserved", "198.18.0.1": "reserved", "192.0.0.8": "reserved",
    "2001:2::1": "reserved", "100::1": "reserved", "4000::1": "reserved",
    # Inside another address, which only carries it.
    "::ffff:10.0.0.1": "private", "::ffff:127.0.0.1": "loopback", "64:ff9b::192.168.0.1": "private",
    "64:ff9b:1::10.0.0.1": "private", "2002:0a00:0001::1": "private", "::10.0.0.1": "private",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe": "private",
}  # fmt: skip
# Next to those, in networks for apart, and behind an operator's own translator.
TAKEN = [
    "240.0.0.1", "250.17.4.9",
    "9.255.255.255", "11.0.0.1", "172.15.255.254", "172.32.0.1", "100.63.255.254", "100.128.0.1", "192.0.1.1",
    "192.167.255.254", "169.253.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.1", "1.1.1.1", "203.0.113.9",
    "192.0.2.1", "198.51.100.7", "2001:db8::17", "2606:4700::1", "2a00:1450::1", "::ffff:203.0.113.9",
    "64:ff9b::203.0.113.9", "64:ff9b:1:c000:2100::",
]  # fmt: skip


@pytest.fixture(scope="module")
async def gateway(postgres: str, template: str) -> AsyncIterator[Gateway]:
    async with clone_database(postgres, template) as url, run_gateway(url) as served:
        yield served


@pytest.mark.parametrize("address", REFUSED)
async def test_an_address_that_the_internet_does_not_know_is_refused_with_the_reason(
    gateway: Gateway, address: str
) -> None:
    reply = await gateway.request(ip_address=address)
    assert (reply.status, reply.body["fields"]) == (422, ["ip_address"])
    assert reply.body["detail"].startswith(f"This address is {REFUSED[address]}: ")
    assert "ALLOW_PRIVATE_USER_ADDRESSES" in reply.body["detail"]
    assert address not in str(reply.body)


async def test_every_other_address_is_taken(gateway: Gateway) -> None:
    for place, address in enumerate(TAKEN):
        assert (await gateway.request(f"+131255501{place:02}", ip_address=address)).status == 202, address


async def test_whoever_runs_the_gateway_can_allow_them(database_url: str) -> None:
    async with run_gateway(database_url, ALLOW_PRIVATE_USER_ADDRESSES="true") as gateway:
        for place, address in enumerate(("10.0.0.1", "127.0.0.1", "::1", NOBODY, "fe80::1", "198.18.0.1")):
            assert (await gateway.request(f"+131255501{place:02}", ip_address=address)).status == 202, address
        assert (await gateway.request(ip_address="10.0.0.256")).status == 422


def test_what_is_special_agrees_with_the_registries_that_python_knows() -> None:
    """Python's own sets change with its version, and count what documentation uses as private: only compared, then."""
    apart = [ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    apart.append(ipaddress.ip_network("240.0.0.0/4"))  # taken, because proxies make addresses up in it
    for high in range(0, 1 << 16, 7):
        address = ipaddress.IPv4Address((high << 16) + 0x0101)
        if not any(address in network for network in apart):
            special = not address.is_global or address.is_multicast
            assert bool(addresses.find_special(address)) == special, address
