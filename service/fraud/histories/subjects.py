"""The subjects in whose histories a send is counted: its number's ranges, its country, its source. As keyed hashes.

Called by fraud.judge, verification.callers and operators. Pure, given the key. Without the key nothing of it may reveal
a digit of a number: a number's place in its range is shifted by an offset that only the key yields.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from service import addresses, phone
from service.fraud.histories.history import RANGES, SubjectKind
from service.vault import Vault

# How many digits of a national number must lie outside a range: with fewer it would be half a country.
LEAST_PREFIX = 2
MILLION = 6  # digits


class Subject(msgspec.Struct, frozen=True):
    """One history that a send is counted in. `mark` tells its number from others there, and reveals nothing else."""

    kind: SubjectKind
    hash: UUID
    mark: int


def subjects_of(
    vault: Vault, e164: str, plan: phone.NumberPlan, network: str | None, visitor_id: str | None = None
) -> list[Subject]:
    """List the histories of a send: its number's ranges, its country, and its address, network and device.

    A mark's upper part says to which part of the subject a number belongs: of a country, which million; of a source,
    which calling code; of a range, which tenth.
    """
    e164 = phone.subscriber_of(e164)
    own = vault.hash(b"mark", e164).int & 0x1FFFFF
    million = vault.hash(b"million", e164[:-MILLION]).int % 1000
    marked = own | min(phone.calling_code(e164), 999) << 21
    found = [Subject(kind, range_of(vault, e164, RANGES[kind]), mark) for kind, mark in _marks(vault, e164)]
    found.append(Subject("country", country_of(vault, plan.country or ""), own | million << 21))
    if network is not None:
        found.append(Subject("ip", address_of(vault, network), marked))
        found.append(Subject("network", neighbours_of(vault, network), marked))
    if visitor_id is not None:
        found.append(Subject("device", device_of(vault, visitor_id), marked))
    return found


def _marks(vault: Vault, e164: str) -> Iterator[tuple[SubjectKind, int]]:
    """Yield a number's mark in each of its ranges.

    Its last four digits are shifted by an offset of its range of 10,000, which preserves distances, and each digit
    before them by an offset of its own, which preserves tenths.
    """
    mark, below, national = 0, 0, phone.count_national(e164)
    for kind, digits in RANGES.items():
        if national < digits + LEAST_PREFIX:
            return
        offset = vault.hash(b"mark.offset", e164[:-digits]).int
        mark += (int(e164[-digits : len(e164) - below]) + offset) % 10 ** (digits - below) * 10**below
        below = digits
        yield kind, mark


def number_of(vault: Vault, e164: str) -> UUID:
    """Hash a number, for look-up, counting and erasure; the same for every form of it."""
    return vault.hash(b"phone", phone.subscriber_of(e164))


def has_range(e164: str, digits: int) -> bool:
    """Return whether a number is long enough to have a range of so many last digits."""
    return phone.count_national(e164) >= digits + LEAST_PREFIX


def range_of(vault: Vault, e164: str, digits: int) -> UUID:
    """Hash the range of a number that leaves so many last digits open."""
    return vault.hash(b"history.range", e164[:-digits], str(digits))


def prefix_of(vault: Vault, e164: str, digits: int) -> UUID:
    """Hash the numbers that have the first so many digits of a number in common."""
    return vault.hash(b"prefix", e164[1 : digits + 1], str(digits))


def country_of(vault: Vault, country: str) -> UUID:
    """Hash a country, in ISO 3166 alpha-2."""
    return vault.hash(b"history.country", country)


def address_of(vault: Vault, network: str) -> UUID:
    """Hash an address (IPv6: its /64)."""
    return vault.hash(b"history.ip", network)


def neighbours_of(vault: Vault, network: str) -> UUID:
    """Hash the network around an address, of a size that can be rented as a whole."""
    return vault.hash(b"history.network", addresses.neighbours_of(network))


def device_of(vault: Vault, visitor_id: str) -> UUID:
    """Hash a device; the same for all clients."""
    return vault.hash(b"history.device", visitor_id)
