"""Secrets at work: hashes that keep uses apart, seals that fit one row, keys that rotate, ids that sort."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.vault import Vault, first_id, new_api_key, new_id, new_token
from tests.support.admission import NOON

OLD, NEW, INDEX = b"o" * 32, b"n" * 32, b"i" * 32
ROW, OTHER_ROW = UUID(int=1), UUID(int=2)
parts = st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=3)


@given(parts, parts)
def test_different_parts_have_different_hashes_and_the_same_have_one(one: list[str], other: list[str]) -> None:
    vault = Vault([NEW], INDEX)
    assert (vault.hash(b"kind", *one) == vault.hash(b"kind", *other)) == (one == other)
    assert vault.hash(b"kind", *one) != vault.hash(b"other", *one)
    assert vault.hash(b"kind", *one) != Vault([NEW], b"j" * 32).hash(b"kind", *one)


def test_hashes_outlive_the_rotation_of_the_secret_key() -> None:
    assert Vault([NEW, OLD], INDEX).hash(b"phone", "+1") == Vault([OLD], INDEX).hash(b"phone", "+1")


@given(st.binary(max_size=200))
def test_what_was_sealed_for_a_row_opens_for_that_row_alone(plain: bytes) -> None:
    vault = Vault([NEW], INDEX)
    sealed = vault.seal(ROW, plain)
    assert vault.unseal(ROW, sealed) == plain
    assert vault.unseal(OTHER_ROW, sealed) is None
    assert vault.seal(ROW, plain) != sealed
    assert plain not in sealed or len(plain) < 8


@given(st.integers(0, 47), st.integers(1, 255))
def test_a_seal_that_was_altered_anywhere_opens_nothing(place: int, change: int) -> None:
    vault = Vault([NEW], INDEX)
    sealed = bytearray(vault.seal(ROW, b"sixteen bytes ok"))
    sealed[place] ^= change
    assert len(sealed) == 48
    assert vault.unseal(ROW, bytes(sealed)) is None


@pytest.mark.parametrize("cut", [0, 3, 4, 15, 16, 31, 47])
def test_a_seal_that_was_cut_opens_nothing(cut: int) -> None:
    vault = Vault([NEW], INDEX)
    assert vault.unseal(ROW, vault.seal(ROW, b"sixteen bytes ok")[:cut]) is None


def test_a_rotated_key_opens_what_it_sealed_until_it_is_taken_away() -> None:
    sealed = Vault([OLD], INDEX).seal(ROW, b"plain")
    assert Vault([NEW, OLD], INDEX).unseal(ROW, sealed) == b"plain"
    assert Vault([NEW], INDEX).unseal(ROW, sealed) is None
    assert Vault([OLD], INDEX).unseal(ROW, Vault([NEW, OLD], INDEX).seal(ROW, b"plain")) is None


def test_an_api_key_is_found_under_every_secret_key_the_newest_first() -> None:
    key = new_api_key()
    digests = Vault([NEW, OLD], INDEX).digests(key)
    assert digests == Vault([NEW], INDEX).digests(key) + Vault([OLD], INDEX).digests(key)
    assert key.startswith("vg_")
    assert len(key) >= 46


def test_ids_sort_by_the_time_they_were_made_and_are_of_version_7() -> None:
    early = [new_id() for _ in range(100)]
    time.sleep(0.002)
    late = [new_id() for _ in range(100)]
    assert max(early) < min(late)
    assert {UUID(bytes=made.bytes).version for made in early} == {7}
    assert len({*early, *late, *(new_token() for _ in range(100))}) == 300
    assert first_id(NOON) > max(late) > first_id(NOON.replace(year=2026, month=1))
