"""IP addresses: parsed from text, and reduced to the network that counts as one source.

Called by api, verification, fraud and providers. Not for access control: an address embedded by a transition mechanism
says whom to count, never whom to let in.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

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
# Addresses that say nothing of where their user is: a company's own, a carrier's inside (CGN), this machine, and those
# that a proxy makes up for IPv6 users of an IPv4 service (240/4).
NOWHERE = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
                 "240.0.0.0/4", "fc00::/7", "fe80::/10", "::1/128")
)  # fmt: skip


def parse(text: str) -> Address | None:
    """Parse an address from a socket or a header: an IPv4-mapped one is IPv4. None if it is no address."""
    try:
        address = ip_address(text)
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


def network_of(address: str) -> str:
    """Return the network that counts as one source: an IPv4 address, even inside IPv6, or an IPv6 /64."""
    user = read(address) if ":" in address else None
    if not isinstance(user, IPv6Address):
        return str(user or address)
    bits = 128 if user in LOCAL else HOUSEHOLD
    return str(ip_network((user, bits), strict=False))


def neighbours_of(network: str) -> str:
    """Return the network around an address, of a size that can be rented as a whole."""
    address = ip_address(network.partition("/")[0])
    return str(ip_network((address, NEIGHBOURS[address.version]), strict=False))


def tells_place(address: Address) -> bool:
    """Return whether an address can be compared with others to tell where its user is."""
    return not any(address in network for network in NOWHERE)


def is_near(address: Address, network: str) -> bool | None:
    """Return whether an address is in the network around another one, or in a network; None if they say nothing."""
    other = ip_network(network)
    if other.version != address.version or not tells_place(other.network_address) or not tells_place(address):
        return None
    return address in other.supernet(new_prefix=min(other.prefixlen, NEIGHBOURS[other.version]))


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
