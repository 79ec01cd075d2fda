"""Whose histories a send is counted in: its number's ranges, its country, and who asked for it. As keyed hashes.

Called by fraud.judge, operators.blocks and operators.erasure. Pure but for the key. Without the key, nothing of it may
tell a digit of a number: a number's place in its range is turned by an offset that the key alone knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from service import addresses, phone
from service.fraud.histories.history import RANGES, Kind
from service.vault import Vault

# A range leaves so many of a national number's digits to tell it from others: else it is half a country.
LEAST_PREFIX = 2
MILLION = 6  # digits


class Subject(msgspec.Struct, frozen=True):
    """One history that a send is counted in. `mark` tells the send's number from others there, and nothing else."""

    kind: Kind
    hash: UUID
    mark: int


def subjects_of(
    vault: Vault, e164: str, plan: phone.Plan, network: str | None, visitor_id: str | None = None
) -> list[Subject]:
    """List the histories of a send: its number's ranges, its country, and the address, network and device that asked.

    A mark's upper part says of which part of its subject a number is: of a country, which million; of who asked,
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


def _marks(vault: Vault, e164: str) -> Iterator[tuple[Kind, int]]:
    """Yield a number's mark in each of its ranges.

    Its last four digits are turned by an offset of its range of 10,000, so that distances stay what they are, and each
    digit before them by one of its own, so that tenths stay together.
    """
    mark, below = 0, 0
    for kind, digits in RANGES.items():
        if not has_range(e164, digits):
            return
        offset = vault.hash(b"mark.offset", e164[:-digits]).int
        mark += (int(e164[-digits : len(e164) - below]) + offset) % 10 ** (digits - below) * 10**below
        below = digits
        yield kind, mark


def number_of(vault: Vault, e164: str) -> UUID:
    """Hash a number: what it is looked up, counted and forgotten by, in whichever of its forms it was given."""
    return vault.hash(b"phone", phone.subscriber_of(e164))


def has_range(e164: str, digits: int) -> bool:
    """Say whether a number is long enough to have a range of so many last digits."""
    return phone.count_national(e164) >= digits + LEAST_PREFIX


def range_of(vault: Vault, e164: str, digits: int) -> UUID:
    """Hash the range of a number that leaves so many last digits open."""
    return vault.hash(b"history.range", e164[:-digits], str(digits))


def country_of(vault: Vault, country: str) -> UUID:
    """Hash a country, in ISO 3166 alpha-2."""
    return vault.hash(b"history.country", country)


def address_of(vault: Vault, network: str) -> UUID:
    """Hash an address (IPv6: its /64)."""
    return vault.hash(b"history.ip", network)


def neighbours_of(vault: Vault, network: str) -> UUID:
    """Hash the network around an address, as one may rent it whole."""
    return vault.hash(b"history.network", addresses.neighbours_of(network))


def device_of(vault: Vault, visitor_id: str) -> UUID:
    """Hash a device, for all clients alike."""
    return vault.hash(b"history.device", visitor_id)
