"""IP addresses: parsed from text, and reduced to the network that counts as one source.

Called by api, verification, fraud and providers. Not for access control: an address embedded by a transition mechanism
says whom to count, never whom to let in.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Kinds = list[tuple[Network, str]]

HOUSEHOLD = 64  # bits of an IPv6 address that one household shares
# Bits of the network around an address, of a size that can be rented as a whole.
NEIGHBOURS = {4: 24, 6: 48}
LOW_32, LOW_24 = 0xFFFF_FFFF, 0xFF_FFFF
# In these the last 32 bits are the IPv4 address for which a translator speaks: NAT64, stateless translation (SIIT), and
# the IPv4-compatible form. Interface identifiers (ISATAP) are not included: hosts choose their own, and could claim any
# of four thousand million addresses.
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("::/96"))
# NAT64 within one operator's network. The operator chooses where the IPv4 address is (RFC 6052). Only the usual place
# is read; other addresses count as a whole, because a /64 may be all of the operator's users.
LOCAL = IPv6Network("64:ff9b:1::/48")
# In these no end user is ever seen over the Internet. Networks reserved for documentation are not among them: examples
# and tests use those.
SPECIAL: dict[str, tuple[str, ...]] = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "carrier-internal": ("100.64.0.0/10",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    # The rest of MADE_UP is taken: a product behind such a proxy would lose all of these people.
    "reserved": ("192.0.0.0/24", "198.18.0.0/15", "255.255.255.255/32", "2001:2::/48"),
}
# Proxies make addresses up in 240.0.0.0/4 for IPv6 users of an IPv4 service: each their own, but of no place.
MADE_UP = 0xF  # the first four bits
# Everything in IPv6 that is routed over the Internet, but for what is special.
GLOBAL_V6 = IPv6Network("2000::/3")

# A request's address comes back within its send: in its device event, and when the two are compared. So many of the
# newest are kept.
NEWEST = 1024


def _sort_special() -> tuple[dict[int, Kinds], Kinds, Kinds]:
    """Sort them so that few are looked at for each request: IPv4 by first octet, IPv6 inside GLOBAL_V6 and outside."""
    by_octet: dict[int, Kinds] = {}
    inside: Kinds = []
    outside: Kinds = []
    for kind, texts in SPECIAL.items():
        for network in map(ip_network, texts):
            if isinstance(network, IPv6Network):
                (inside if network.subnet_of(GLOBAL_V6) else outside).append((network, kind))
                continue
            for octet in range(int(network[0]) >> 24, (int(network[-1]) >> 24) + 1):
                by_octet.setdefault(octet, []).append((network, kind))
    return by_octet, inside, outside


SPECIAL_V4, SPECIAL_GLOBAL_V6, SPECIAL_V6 = _sort_special()


# What is none raises, which is not kept: a stranger's text may be as long as a body.
_parse_address = lru_cache(NEWEST)(ip_address)


@lru_cache(NEWEST)
def _parse_network(text: str) -> Network:
    return ip_network(text, strict=False)


def parse(text: str) -> Address | None:
    """Parse an address from a socket or a header: an IPv4-mapped one is IPv4. None if it is no address."""
    try:
        address = _parse_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # A zone is a name that only the machine that wrote it knows.
    return None if address.scope_id is not None else address.ipv4_mapped or address


def read(text: str) -> Address | None:
    """Parse the address to count by: the IPv4 address, if an IPv6 one only carries it. None if it is no address."""
    address = parse(text)
    return _unwrap(address) if isinstance(address, IPv6Address) else address


def is_network(text: str) -> bool:
    """Say whether this is a network, or an address in one."""
    try:
        _parse_network(text)
    except ValueError:
        return False
    return True


def network_of(address: str) -> str:
    """Return the network that counts as one source: an IPv4 address, even inside IPv6, or an IPv6 /64."""
    user = read(address) if ":" in address else None
    if not isinstance(user, IPv6Address):
        return str(user or address)
    return _around(user, 128 if user in LOCAL else HOUSEHOLD)


def neighbours_of(network: str) -> str:
    """Return the network around an address, of a size that can be rented as a whole."""
    address = _parse_address(network.partition("/")[0])
    return _around(address, NEIGHBOURS[address.version])


def find_special(address: Address) -> str | None:
    """Return what kind of special address it is, at which no end user is seen over the Internet; None if it is not."""
    if isinstance(address, IPv4Address):
        networks = SPECIAL_V4.get(int(address) >> 24)
        return _find_kind(address, networks) if networks else None
    if address in GLOBAL_V6:
        return _find_kind(address, SPECIAL_GLOBAL_V6)
    # Behind a translator of the operator's own, users have addresses that no other network knows.
    return _find_kind(address, SPECIAL_V6) or (None if address in LOCAL else "reserved")


def is_near(address: Address, network: str) -> bool | None:
    """Return whether an address is in the network around another one, or in a network; None if they say nothing."""
    other = _parse_network(network)
    if other.version != address.version or _tells_nothing(other.network_address) or _tells_nothing(address):
        return None
    below = other.max_prefixlen - min(other.prefixlen, NEIGHBOURS[other.version])
    return int(address) >> below == int(other.network_address) >> below


def _tells_nothing(address: Address) -> bool:
    made_up = isinstance(address, IPv4Address) and int(address) >> 28 == MADE_UP
    return made_up or find_special(address) is not None


def _around(address: Address, bits: int) -> str:
    """Write the network of so many bits that an address is in."""
    below = address.max_prefixlen - bits
    return f"{type(address)(int(address) >> below << below)}/{bits}"


def _find_kind(address: Address, networks: Kinds) -> str | None:
    return next((kind for network, kind in networks if address in network), None)


def _unwrap(address: IPv6Address) -> Address:
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    low = int(address) & LOW_32
    local = address in LOCAL and low & LOW_24
    # ::0 and ::1 are IPv6 addresses: unspecified, and this machine.
    if local or (low > 1 and any(address in network for network in TRANSLATED)):
        return IPv4Address(low)
    return address
