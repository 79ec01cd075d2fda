"""exemptions: list what operators waive, waive something, lift it. What the operator API does, without a key.

Imported when one of its commands runs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import click

from service.api.fields import read_reason
from service.cli.lengths import Length
from service.cli.running import run
from service.db.asking import LARGEST_ID
from service.errors import GatewayError, InvalidPhoneNumber, NotFound
from service.fraud.decision import ALL_RULES
from service.fraud.money import INSURANCE
from service.operators.overrides.exemptions import LONGEST, Exemption, Exemptions
from service.settings import KeySettings
from service.vault import Vault

T = TypeVar("T")


@click.group()
def exemptions() -> None:
    """List, set and lift what operators waive.

    For a number, for a range of numbers that is safe, or for a country.

    Needs DATABASE_URL, SECRET_KEY and INDEX_KEY, the same ones as serve. Every change is in `audits`.
    """


@exemptions.command("list")
def list_exemptions() -> None:
    """List exemptions in force, and those that ended within a day.

    Each line has: id, what is exempted, from what, until when, and why.
    """
    for one in _with(lambda book: book.list_all()):
        click.echo(_line(one))


@exemptions.command("set")
@click.option("--number", metavar="PHONE", help="A number in E.164, or - to read it from standard input.")
@click.option("--prefix", metavar="PREFIX", help="The beginning of a range's numbers, such as +4474651.")
@click.option("--country", metavar="COUNTRY", help="A country, such as GB: from what judges the whole country.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Only this rule; may be given several times.")
@click.option(
    "--for", "length", required=True, type=Length(most_days=LONGEST.days), metavar="LENGTH", help="Such as 30d."
)
@click.option("--reason", required=True, help="Why. It is kept for a year: without anybody's number.")
def set_exemption(
    number: str | None, prefix: str | None, country: str | None, rules: tuple[str, ...], length: timedelta, reason: str
) -> None:
    """Say that a number or a range is safe, or that a country is busy with people.

    Rules then stop nothing that is requested for it; limits and budgets hold. A country's may be exempted from
    budget_unconverted, which is meant if no --rule is named, country_conversion and country_spike.
    """
    read_reason(reason)
    waived = list(rules) or [INSURANCE if country is not None else ALL_RULES]
    number = sys.stdin.readline().strip() if number == "-" else number

    async def put(book: Exemptions) -> Exemption:
        return await book.set(None, book.choose(number, prefix, country), waived, reason, length)

    try:
        click.echo(_line(_with(put)))
    except InvalidPhoneNumber:
        raise GatewayError("That is not a possible phone number in E.164, such as +14155550100.") from None


@exemptions.command("lift")
@click.argument("exemption_id", type=click.IntRange(1, LARGEST_ID))
def lift_exemption(exemption_id: int) -> None:
    """Lift an exemption, by its id in the list."""
    try:
        _with(lambda book: book.lift(None, exemption_id))
    except NotFound:
        raise GatewayError(f"There is no exemption {exemption_id} in force.") from None
    click.echo(f"Exemption {exemption_id} is lifted.")


def _line(one: Exemption) -> str:
    waived = "every rule" if one.safe else ", ".join(one.waived)
    until = one.lifted_at or one.until
    state = "until" if one.in_force else "ended"
    return f"{one.id}  {one.number}  {waived}  {state} {until:%Y-%m-%d %H:%M} UTC  {one.reason}"


def _with(work: Callable[[Exemptions], Awaitable[T]]) -> T:
    return run(
        KeySettings,
        lambda database, settings: work(Exemptions(database, Vault(settings.secret_key, settings.index_key))),
    )
