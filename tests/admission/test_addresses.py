"""Whose address it is: IPv4 inside IPv6 counts as IPv4, and nothing else is read into an address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import addresses
from tests.support.gateway import run_gateway

V4 = ipaddress.IPv4Address("192.0.2.33")
LOW = int(V4)


def write(prefix: str, low: int) -> str:
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | low))


CARRIED = {
    "mapped": write("::ffff:0:0", LOW),
    "translated": write("::ffff:0:0:0", LOW),
    "compatible": write("::", LOW),
    "nat64": write("64:ff9b::", LOW),
    "nat64, local": write("64:ff9b:1:abcd::", LOW),
    "6to4": write("2002::", LOW << 80 | 0x1234 << 64 | 7),
    "teredo": write("2001::", 0x4136E378 << 64 | 0x8000 << 48 | 0x63BF << 32 | (LOW ^ 0xFFFFFFFF)),
}
OWN = ["::", "::1", "2001:db8::192.0.2.33", "fe80::5efe:192.0.2.33", "2001:db8:1:2:200:5efe:192.0.2.33", "64:ff9c::1",
       "2003::1", "2001:1::1", "::1:ffff:192.0.2.33", "fd00::192.0.2.33"]  # fmt: skip


@pytest.mark.parametrize("address", CARRIED.values(), ids=CARRIED.keys())
def test_an_ipv4_address_inside_an_ipv6_one_is_what_is_counted(address: str) -> None:
    assert addresses.read(address) == V4
    assert addresses.network_of(address) == "192.0.2.33"


@pytest.mark.parametrize("address", OWN)
def test_what_a_host_may_write_into_its_own_address_is_ignored(address: str) -> None:
    assert addresses.read(address) == ipaddress.IPv6Address(address)


def test_access_lists_treat_only_a_mapped_address_as_ipv4() -> None:
    """An access list must not believe a tunnel about whose packets it carries."""
    assert addresses.parse(CARRIED["mapped"]) == V4
    for kind in CARRIED.keys() - {"mapped"}:
        assert isinstance(addresses.parse(CARRIED[kind]), ipaddress.IPv6Address), kind


@pytest.mark.parametrize(
    "text", ["", "192.0.2", "192.0.2.033", "fe80::1%eth0", "::ffff:192.0.2.1%1", "2001:db8::/64", "x"]
)
def test_text_that_is_no_address_parses_to_none(text: str) -> None:
    assert addresses.parse(text) is addresses.read(text) is None


def test_users_of_a_local_translator_are_counted_apart_wherever_it_puts_their_address() -> None:
    """RFC 6052 lets an operator put it at bit 48, 56, 64 or 96; at the first three a /64 may hold all of its users."""
    for shift in (40, 24):  # prefixes of 64 and of 48 bits, as far as the address's last octets stand there
        one, other = (write("64:ff9b:1:c000::", octet << shift) for octet in (0x21, 0x22))
        assert addresses.network_of(str(addresses.read(one))) != addresses.network_of(str(addresses.read(other)))


@given(st.ip_addresses())
def test_parsing_an_address_twice_changes_nothing(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    once = addresses.read(str(address))
    assert once is not None
    assert addresses.read(str(once)) == once


async def test_no_tunnel_is_a_way_around_the_limit_of_an_address(database_url: str) -> None:
    """Nor is one translator's prefix one user: a neighbour behind it is let in."""
    async with run_gateway(database_url, policy='[limits]\nip = ["1/1h"]\n') as gateway:
        for place, (address, status) in enumerate(
            [(str(V4), 202), *((carried, 429) for carried in CARRIED.values()), ("64:ff9b::192.0.2.34", 202)]
        ):
            assert (await gateway.request(f"+131255500{place:02}", ip_address=address)).status == status, address
