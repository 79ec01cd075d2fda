"""IP addresses: text in; whose address it is, and the network that counts as one, out.

Called by api, verification, fraud, providers and the simulation. Decides no access: what a transition mechanism carries
inside an address says whom to count, and never whom to let in.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

HOUSEHOLD = 64  # bits of an IPv6 address that one household shares
# Bits of the network around an address, as one may rent it whole.
NEIGHBOURS = {4: 24, 6: 48}
LOW_32, LOW_24 = 0xFFFF_FFFF, 0xFF_FFFF
# In these the last 32 bits are the IPv4 address that a translator speaks for: NAT64, stateless translation (SIIT), and
# the IPv4-compatible form. An interface identifier (ISATAP) is none of them: hosts choose their own, and whoever did
# would be counted as four thousand million others.
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("::/96"))
# NAT64 within one operator's network. Where in it the IPv4 address stands is the operator's choice (RFC 6052), but for
# the usual one, so that the rest count by the whole address: a /64 may be all of the operator's users.
LOCAL = IPv6Network("64:ff9b:1::/48")


def parse(text: str) -> Address | None:
    """Read an address as a socket or a header spells it: an IPv4-mapped one is IPv4. None for what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    # A zone is a name on the machine that wrote it.
    return None if address.scope_id is not None else address.ipv4_mapped or address


def read(text: str) -> Address | None:
    """Read the address of whom to count: the IPv4 one, where IPv6 only carries it. None for what is no address."""
    address = parse(text)
    return _unwrap(address) if isinstance(address, IPv6Address) else address


def network_of(address: str) -> str:
    """Return what counts as one: an IPv4 address, also one that IPv6 carries, or the /64 of an IPv6 one."""
    user = read(address) if ":" in address else None
    if not isinstance(user, IPv6Address):
        return str(user or address)
    bits = 128 if user in LOCAL else HOUSEHOLD
    return str(ip_network((user, bits), strict=False))


def neighbours_of(network: str) -> str:
    """Return the network around one, as one may rent it whole."""
    address = ip_address(network.partition("/")[0])
    return str(ip_network((address, NEIGHBOURS[address.version]), strict=False))


def _unwrap(address: IPv6Address) -> Address:
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    low = int(address) & LOW_32
    local = address in LOCAL and low & LOW_24
    # ::0 and ::1 are IPv6's own: unspecified, and this machine.
    if local or (low > 1 and any(address in network for network in TRANSLATED)):
        return IPv4Address(low)
    return address
