"""What is unsafe about a process's settings: the setting's name, what can happen, and what to do.

Called by cli.process.startup, cli.profiles, operators.doctor.guide and operators.doctor.deployment. Pure: looks at
settings and at the names of variables, and never reveals a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import msgspec
from netaddr import IPAddress, IPNetwork, IPSet, valid_ipv4, valid_ipv6
from pydantic import HttpUrl

from service.settings import Settings

# Of 32 random bytes nearly all differ. A key with fewer different bytes than this is a phrase or a pattern.
LEAST_DIFFERENT = 16
# Addresses that may speak for others, or as Telnyx. A larger network is a part of the Internet, not somebody's own.
MOST_TRUSTED, MOST_TELNYX = 2**24, 2**10
# Addresses that a household has, by IP version.
HOUSEHOLD = {4: 1, 6: 2**64}
PRIVATE = IPSet(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1", "fc00::/7"])
# Secrets that captcha providers publish for tests: with them every token passes, or none does.
PUBLISHED = frozenset({
    "1x0000000000000000000000000000000AA", "2x0000000000000000000000000000000AA", "3x0000000000000000000000000000000AA",
    "0x0000000000000000000000000000000000000000", "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
})  # fmt: skip
PREFIXES = (
    "TELNYX_", "FINGERPRINT_", "CAPTCHA_", "WEBHOOK_", "DATABASE_", "SECRET_KEY", "INDEX_KEY", "POLICY_FILE",
    "METRICS_", "TRUSTED_PROX", "ALERT_WEBHOOK",
)  # fmt: skip
ALIKE = 0.85


class Unsafe(msgspec.Struct, frozen=True):
    """One unsafe setting, for an operator to read."""

    setting: str
    risk: str
    remedy: str


def find_unsafe(settings: Settings) -> Iterator[Unsafe]:
    """Yield what is unsafe, the worst first."""
    if settings.telnyx_public_key is None:
        yield Unsafe(
            "TELNYX_PUBLIC_KEY",
            "Signatures of webhooks are not checked: whoever sends from Telnyx's network can report false deliveries.",
            "Set it to the public key in Telnyx's portal (Keys & Credentials).",
        )
    if settings.allow_private_user_addresses:
        yield Unsafe(
            "ALLOW_PRIVATE_USER_ADDRESSES",
            "Requests may give a proxy's address for the end user's: all users would share one limit, unnoticed.",
            "Leave it unset, unless your end users are in networks of your own.",
        )
    yield from _find_open_networks(settings)
    yield from _find_plain_text(settings)
    yield from _find_weak_secrets(settings)


def find_unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield environment variables that look like our settings but are not: a misspelt setting is silently not set."""
    ours = {name.upper() for name in Settings.model_fields}
    long_ones = [name for name in ours if "_" in name]
    for name in sorted(set(names) - ours):
        if name.startswith(PREFIXES) or get_close_matches(name.upper(), long_ones, n=1, cutoff=ALIKE):
            yield name


def is_local(url: HttpUrl) -> bool:
    """Say whether an address is this machine's own, so that nothing is on the way to it."""
    host = (url.host or "").strip("[]")
    return host == "localhost" or ((valid_ipv4(host) or valid_ipv6(host)) and IPAddress(host).is_loopback())


def _find_open_networks(settings: Settings) -> Iterator[Unsafe]:
    if _is_wide(settings.webhook_allowed_cidrs, MOST_TELNYX):
        yield Unsafe(
            "WEBHOOK_ALLOWED_CIDRS",
            "Webhooks are accepted from a large part of the Internet.",
            "Leave it unset: Telnyx sends from 192.76.120.192/27.",
        )
    if _is_wide(settings.trusted_proxies - PRIVATE, MOST_TRUSTED) or IPNetwork("0.0.0.0/0") in settings.trusted_proxies:
        yield Unsafe(
            "TRUSTED_PROXIES",
            "Forwarding headers are believed from strangers: anybody can pass as Telnyx.",
            "Name the addresses of your own proxies, and nothing else.",
        )
    if not settings.webhook_require_https:
        yield Unsafe(
            "WEBHOOK_REQUIRE_HTTPS",
            "Webhooks are accepted over plain HTTP, and can be read and changed on the way.",
            "Leave it unset, and put HTTPS in front.",
        )

    if settings.metrics_host is not None and _is_public(settings.metrics_host):
        yield Unsafe(
            "METRICS_HOST",
            "Whoever can reach that port sees, without a key, which rules stop what, and can learn to avoid them.",
            "Set an address that only your monitoring can reach, or use a key of the scope metrics instead.",
        )


def _find_plain_text(settings: Settings) -> Iterator[Unsafe]:
    urls: dict[str, HttpUrl | None] = {
        "TELNYX_BASE_URL": settings.telnyx_base_url,
        "FINGERPRINT_BASE_URL": settings.fingerprint_base_url,
        "CAPTCHA_BASE_URL": settings.captcha_base_url,
        "ALERT_WEBHOOK_URL": settings.alert_webhook_url,
    }
    for name, url in urls.items():
        if url is not None and url.scheme == "http":
            yield Unsafe(
                name,
                "It begins with http://: keys, numbers and codes can be read and changed on the way.",
                "Use https://, or leave it unset.",
            )


def _find_weak_secrets(settings: Settings) -> Iterator[Unsafe]:
    for name, keys in (("SECRET_KEY", settings.secret_key), ("INDEX_KEY", [settings.index_key])):
        if any(len(set(key)) < LEAST_DIFFERENT for key in keys):
            yield Unsafe(name, "It is not random, so it can be guessed.", "Make one: openssl rand -base64 32.")
    if settings.captcha_secret in PUBLISHED:
        yield Unsafe(
            "CAPTCHA_SECRET",
            "The provider publishes this secret for tests: every captcha passes, or none does.",
            "Use your own site's secret.",
        )


def _is_public(host: str) -> bool:
    """Say whether others than our own network may reach this address; all of a machine's may hold a public one."""
    return (valid_ipv4(host) or valid_ipv6(host)) and IPAddress(host) not in PRIVATE


def _is_wide(networks: IPSet, most: int) -> bool:
    """Return whether these networks have more than `most` addresses (IPv6: /64 networks)."""
    return bool(sum(max(1, block.size // HOUSEHOLD[block.version]) for block in networks.iter_cidrs()) > most)
