"""Which addresses of the internet a call may reach whose URL somebody else chose: public ones alone.

Used by providers.http.client at every connect, after the name was resolved (a name that answers otherwise the second
time reaches nothing inside either), and by callbacks.endpoint_admin. Resolves nothing.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from service.addresses import find_special

# IPv6 that carries an IPv4 address: of NAT64, 6to4 and Teredo none is needed to reach a public receiver, and each could
# name an address inside.
CARRIERS = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))
# Public by their number, and answered inside: a cloud's own services, and what Python 3.11 does not know to be special.
ELSEWHERE = frozenset({IPv4Address("168.63.129.16")})
DOCUMENTATION = IPv6Network("3fff::/20")


class ForbiddenAddress(OSError):
    """The address is not a public one."""


def is_public(text: str) -> bool:
    """Say whether an IP address is one of the public internet."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in DOCUMENTATION or any(address in carrier for carrier in CARRIERS):
            return False
    if find_special(address) is not None or address in ELSEWHERE:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_inside(host: str) -> bool:
    """Say whether a URL's host is an IP address that is not public. A name is resolved at each connect, not here."""
    try:
        return not is_public(host)
    except ValueError:
        return False
