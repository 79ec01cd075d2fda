"""Where a request came from: what no stranger could have written, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request
from netaddr import IPSet

from service.api.access.source import came_by_https, source_of

PROXIES = IPSet(["10.0.0.0/8", "2001:db8:1::/48"])
TELNYX = "192.76.120.193"
STRANGER = "203.0.113.9"


def request_from(
    peer: str | None, *forwarded: str, proto: tuple[str, ...] = (), scheme: str = "http"
) -> Request[Any, Any, Any]:
    lines = [("X-Forwarded-For", line) for line in forwarded] + [("X-Forwarded-Proto", line) for line in proto]
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
    scope: Any = {"type": "http", "client": (peer, 1234) if peer else None, "headers": headers, "scheme": scheme}
    return Request(scope)


def find_source(peer: str | None, *forwarded: str) -> str | None:
    found = source_of(request_from(peer, *forwarded), PROXIES)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        (TELNYX, [], TELNYX),
        (STRANGER, [], STRANGER),
        (STRANGER, [TELNYX], STRANGER),  # nobody vouches for what a stranger writes
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [TELNYX], TELNYX),
        ("10.0.0.1", [f"{TELNYX}, {STRANGER}"], STRANGER),  # the leftmost is the stranger's own word
        ("10.0.0.1", [f"{TELNYX}, {STRANGER}, 10.0.0.2"], STRANGER),
        ("10.0.0.1", [f"{STRANGER}, {TELNYX}, 10.0.0.3, 10.0.0.2"], TELNYX),
        ("10.0.0.1", [TELNYX, STRANGER], STRANGER),  # lines are joined in their order
        ("10.0.0.1", [STRANGER, f"{TELNYX},10.0.0.2"], TELNYX),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # nothing but proxies
        ("10.0.0.1", [f"  {TELNYX}  ,\t10.0.0.2 "], TELNYX),
        ("::ffff:10.0.0.1", [TELNYX], TELNYX),
        ("::ffff:192.76.120.193", [], TELNYX),
        ("10.0.0.1", ["::ffff:192.76.120.193"], TELNYX),
        ("10.0.0.1", ["::ffff:c04c:78c1"], TELNYX),
        ("10.0.0.1", [f"{TELNYX}:443"], TELNYX),  # as Azure's gateways write it
        ("10.0.0.1", [f"{STRANGER}, {TELNYX}:65535, 10.0.0.3:1, 10.0.0.2"], TELNYX),
        ("10.0.0.1", [f"{TELNYX}:443, {STRANGER}:443"], STRANGER),
        ("10.0.0.1", [f"{TELNYX}:443, [2001:db8:2::1]:443"], "2001:db8:2::1"),
        ("10.0.0.1", [f"{TELNYX}, [2001:db8:2::1]"], "2001:db8:2::1"),
        ("10.0.0.1", ["2001:db8:2::1:443"], "2001:db8:2::1:443"),  # an address, and not one with a port
        ("10.0.0.1", [f"{TELNYX}, [2001:db8:1::2]:443, [::ffff:10.0.0.2]:1"], TELNYX),
        ("10.0.0.1", [f"[::ffff:{TELNYX}]:443"], TELNYX),
        ("fe80::1%eth0", [], "fe80::1"),
        ("2001:db8:1::1", [TELNYX], TELNYX),
        ("2001:db8:2::1", [TELNYX], "2001:db8:2::1"),
        ("2001:DB8:1:0:0:0:0:1", ["2001:DB8:2::0:1"], "2001:db8:2::1"),
    ],
)
def test_the_source_is_the_nearest_address_that_is_no_trusted_proxy(
    peer: str, forwarded: list[str], source: str
) -> None:
    assert find_source(peer, *forwarded) == source


NO_ADDRESS = [
    "unknown", "", "_hidden", f"[{TELNYX}]", '"192.76.120.193"', "192.76.120.193/32", "192.76.120",
    "3226237121", "0xc04c78c1", "0300.76.120.193", "192.076.120.193", "fe80::1%eth0", "192.76.120.193\x00",
    "192.76.120.193.", "for=192.76.120.193",
    "_hidden:443", "unknown:443", f"[{TELNYX}]:443", f'"{TELNYX}:443"', f"{TELNYX}:", f"{TELNYX}:_port",
    f"{TELNYX}:443:443", f"{TELNYX}:443443", f"{TELNYX} :443", f"{TELNYX}: 443", f"{TELNYX}:-1", f"{TELNYX}:4\xb2",
    f":{TELNYX}", ":443", "[]", "[]:443", "[2001:db8:2::1", "2001:db8:2::1]", "[2001:db8:2::1]443", "[2001:db8:2::1]:",
    "[[2001:db8:2::1]]", "[fe80::1%eth0]:443", "192.76.120:443", "3226237121:443", "0xc04c78c1:443",
    "192.76.120.193/32:443", f"http://{TELNYX}:443", "[v1.a]:443",
]  # fmt: skip


@pytest.mark.parametrize("hop", NO_ADDRESS)
def test_a_hop_that_is_no_address_is_no_source_and_nothing_left_of_it_counts(hop: str) -> None:
    assert find_source("10.0.0.1", f"{TELNYX}, {hop}") is None
    assert find_source("10.0.0.1", TELNYX, hop) is None


def test_a_connection_without_a_peer_has_no_source() -> None:
    assert find_source(None, TELNYX) is None


WRITTEN = [
    TELNYX, f"{TELNYX}:443", f"[::ffff:{TELNYX}]:443", STRANGER, "10.0.0.2", "10.0.0.2:1", "garbage", "",
]  # fmt: skip
hops = st.one_of(st.sampled_from(WRITTEN), st.text(st.characters(max_codepoint=255)))


@given(left=st.lists(hops, max_size=4), own=st.sampled_from([STRANGER, f"{STRANGER}:52000", f"[::ffff:{STRANGER}]:1"]))
def test_nothing_that_a_stranger_writes_changes_their_source(left: list[str], own: str) -> None:
    forwarded = ", ".join([*left, own])
    assert find_source("10.0.0.1", forwarded) == STRANGER
    assert find_source("10.0.0.1", *left, own) == STRANGER
    assert find_source(STRANGER, forwarded) == STRANGER


@pytest.mark.parametrize(
    ("peer", "scheme", "proto", "expected"),
    [
        (TELNYX, "https", (), True),
        (TELNYX, "http", (), False),
        (TELNYX, "http", ("https",), False),  # a stranger's word
        ("10.0.0.1", "http", ("https",), True),
        ("10.0.0.1", "http", ("HTTPS ",), True),
        ("10.0.0.1", "http", (), False),
        ("10.0.0.1", "https", (), True),
        ("10.0.0.1", "https", ("http",), False),  # TLS between proxies says nothing of the client's
        ("10.0.0.1", "http", ("https, http",), False),
        ("10.0.0.1", "http", ("http", "https"), True),
        ("10.0.0.1", "http", ("httpss",), False),
        ("::ffff:10.0.0.1", "http", ("https",), True),
        (None, "http", ("https",), False),
    ],
)
def test_https_is_the_connections_own_or_what_a_trusted_proxy_says(
    peer: str | None,
    scheme: str,
    proto: tuple[str, ...],
    *,
    expected: bool,
) -> None:
    assert came_by_https(request_from(peer, proto=proto, scheme=scheme), PROXIES) is expected
