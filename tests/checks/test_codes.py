"""What counts as a code: 4 to 15 digits as the end user typed them; anything else is refused before it counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.gateway import POLICY, run_gateway
from tests.support.guessing import begin_and_read, count_guesses_at_telnyx, wrong_codes

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda code: code,
    "spaced": lambda code: f" {code[:3]} {code[3:]}\t",
    "with a non-breaking space": lambda code: f"{code[:3]}\u00a0{code[3:]}",
    "with a hyphen": lambda code: f"{code[:3]}-{code[3:]}",
    "with dashes and dots": lambda code: f"{code[:2]}\u2013{code[2:4]}.{code[4:]}.",
    "between marks": lambda code: f"\u202a\ufeff{code[:3]}\u200b{code[3:]}\u2069\u202c\n",
    "filled in twice": lambda code: code * 2,
    "filled in twice, with a space": lambda code: f"{code[:3]}-{code[3:]} {code[:3]}-{code[3:]}",
    "filled in twice, in two scripts": lambda code: code + code.translate({48 + n: 0xFF10 + n for n in range(10)}),
    "with a plus": lambda code: f"+{code}",
    "with a plus and spaces": lambda code: f" + {code}",
    "with a full-width plus": lambda code: f"\uff0b{code}",
    "in Arabic-Indic digits": lambda code: code.translate({48 + digit: 0x660 + digit for digit in range(10)}),
    "in full-width digits": lambda code: code.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
}
NO_CODES = [
    "123", "1234567890123456", "12a456", "++123456", "123+456", "-12345", "123,456", "12/34/56",
    "", "     ", "9" * 81, "1234\u0000", "(123456)", "G-123456", "1234561234567890", "0x1234",
     "1e10000", "1234;5", "\u00b2\u00b3\u00b2\u00b3", "\u2160\u2161\u2162\u2163",
]  # fmt: skip


async def test_a_right_code_is_right_however_it_was_typed(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        for place, (name, spell) in enumerate(SPELLINGS.items()):
            verification, code = await begin_and_read(gateway, f"+131255501{place:02}")
            reply = await gateway.verify(verification, spell(code))
            assert (reply.status, reply.body["verified"]) == (200, True), name
        sent = {call.code for call in gateway.stage.journal.list_calls("check")}
        assert all(code and code.isascii() and code.isdigit() for code in sent)


async def test_what_is_no_code_gets_422_counts_nowhere_and_never_leaves(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        for text in NO_CODES:
            reply = await gateway.verify(verification, text)
            assert (reply.status, reply.body["fields"]) == (422, ["code"]), text
            assert not text.strip() or text not in str(reply.body)
        for body in ({}, {"code": None}, {"code": 123456}, {"code": ["123456"]}, {"code": "123456", "more": 1}):
            reply = await gateway.call("POST", f"/v1/verifications/{verification}/verify", body)
            assert reply.status == 422, body
        assert count_guesses_at_telnyx(gateway) == 0
        assert (await gateway.read(verification)).body["attempts_remaining"] == 5
        assert (await gateway.verify(verification, code)).body["verified"] is True


async def test_twelve_digits_of_two_halves_that_differ_are_one_wrong_code(database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        verification, code = await begin_and_read(gateway)
        other = wrong_codes(code, 1)[0]
        for text in (code + other, other + code, code + code[:-1]):
            assert (await gateway.verify(verification, text)).body["verified"] is False
        assert (await gateway.verify(verification, code * 2)).body["attempts_remaining"] == 2


async def test_what_counts_as_filled_in_twice_follows_the_policys_length(database_url: str) -> None:
    async with run_gateway(database_url, policy=POLICY + "[verification]\ncode_length = 10\n") as gateway:
        verification, code = await begin_and_read(gateway)
        assert (await gateway.verify(verification, "1234567890" * 2)).status == 200
        assert (await gateway.verify(verification, code * 2)).body["verified"] is False


@pytest.mark.parametrize("many", [4, 15])
async def test_codes_of_4_to_15_digits_are_compared(database_url: str, many: int) -> None:
    async with run_gateway(database_url) as gateway:
        verification, _ = await begin_and_read(gateway)
        reply = await gateway.verify(verification, wrong_codes("9" * many, 1)[0])
        assert (reply.status, reply.body["verified"], reply.body["attempts_remaining"]) == (200, False, 4)
        assert count_guesses_at_telnyx(gateway) == 1
