"""Internet addresses that nobody owns, assigned as providers assign theirs.

Called by world and people. IPv4 comes from 100.64.0.0/10 (shared address space), IPv6 from 2001:db8::/32
(documentation): a trace must never contain anybody's real address.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from service.simulation.population.dice import Dice

V4 = int(IPv4Address("100.64.0.0"))
V6 = int(IPv6Address("2001:db8::"))
HOMES = 1 << 16  # addresses of homes in one country
TOWERS = 24  # addresses that one mobile operator's people share
EXITS = 300  # addresses of VPN services, all countries together
OFFICES = 1 << 12


class Addresses:
    """The addresses of one country, the `place`-th of at most 15."""

    def __init__(self, place: int) -> None:
        """Take two networks of 65,536 IPv4 addresses, and one of 2 ** 28 IPv6 subnets."""
        self._v4 = V4 + ((place * 2 + 2) << 16)
        self._v6 = V6 + (place + 1 << 92)

    def home(self, dice: Dice) -> str:
        """Draw one household's IPv4 address."""
        return _v4(self._v4 + dice.integer(0, HOMES - 1))

    def home_v6(self, dice: Dice) -> str:
        """Draw an address in one household's own /64."""
        return _v6(self._v6 + (dice.integer(0, (1 << 28) - 1) << 64) + dice.integer(1, (1 << 62) - 1))

    def tower(self, dice: Dice) -> str:
        """Draw an address that a mobile operator's people share; some are much busier than others."""
        busy = dice.number() ** 1.5
        return _v4(self._v4 + HOMES + dice.integer(0, 2) * TOWERS + int(busy * TOWERS))

    def office(self, dice: Dice) -> str:
        """Draw one company's address."""
        return _v4(self._v4 + HOMES + 256 + dice.integer(0, OFFICES - 1))


def vpn_exit(dice: Dice) -> str:
    """Draw an address of a VPN service, which people of all countries share."""
    return _v4(V4 + dice.integer(0, EXITS - 1))


def datacentre(dice: Dice) -> str:
    """Draw a data centre's network of 256 addresses, named by its first."""
    return _v4(V4 + (1 << 16) + (dice.integer(0, 255) << 8))


def beside(address: str, place: int) -> str:
    """Return the `place`-th IPv4 address, or /64, counted from a given one."""
    if ":" in address:
        return _v6(int(IPv6Address(address)) + (place << 64))
    return _v4(int(IPv4Address(address)) + place)


def _v4(number: int) -> str:
    return str(IPv4Address(number))


def _v6(number: int) -> str:
    return str(IPv6Address(number))
