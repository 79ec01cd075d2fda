"""review: list, set and lift numbers whose code is fixed. What the operator API does, without a key.

Imported when one of its commands runs. A code is printed once, alone on standard output.
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
from service.operators.overrides.review_numbers import LONGEST, ReviewNumber, ReviewNumbers
from service.phone import normalise
from service.policy import loading
from service.settings import KeySettings
from service.vault import Vault

T = TypeVar("T")


@click.group()
def review() -> None:
    """List, set and lift numbers whose code is fixed.

    For those who review a client's app.

    Needs DATABASE_URL, SECRET_KEY, INDEX_KEY and POLICY_FILE, the same ones as serve. Every change is in `audits`.
    """


@review.command("list")
def list_review_numbers() -> None:
    """List review numbers in force, and those that ended within a day.

    Each line has: id, client, number, until when, and why.
    """
    for one in _with(lambda book: book.list_all()):
        click.echo(_line(one))


@review.command("set")
@click.argument("client")
@click.argument("phone")
@click.option(
    "--for", "length", required=True, type=Length(most_days=LONGEST.days), metavar="LENGTH", help="Such as 30d."
)
@click.option("--reason", required=True, help="Why. It is kept for a year: without anybody's number.")
@click.option("--code", type=click.Choice(["-"]), help="Read the code from standard input instead of making one.")
def set_review_number(client: str, phone: str, length: timedelta, reason: str, code: str | None) -> None:
    """Fix a code for PHONE, a number that is kept for fiction, and print it, once.

    For CLIENT alone. Nothing is ever sent to the number; limits and wrong-code budgets hold.
    """
    read_reason(reason)
    given = None if code is None else sys.stdin.readline().strip()
    try:
        number = normalise(phone)
    except InvalidPhoneNumber:
        raise GatewayError("That is not a possible phone number in E.164, such as +14155550100.") from None
    made, fixed = _with(lambda book: book.set(None, client, number, reason, length, given))
    click.echo(fixed)
    click.echo(_line(made), err=True)


@review.command("lift")
@click.argument("review_number_id", type=click.IntRange(1, LARGEST_ID))
def lift_review_number(review_number_id: int) -> None:
    """Lift a review number, by its id in the list: its code is not right any more."""
    try:
        _with(lambda book: book.lift(None, review_number_id))
    except NotFound:
        raise GatewayError(f"There is no review number {review_number_id} in force.") from None
    click.echo(f"Review number {review_number_id} is lifted.")


def _line(one: ReviewNumber) -> str:
    until = one.lifted_at or one.until
    state = "until" if one.in_force else "ended"
    return f"{one.id}  {one.client}  {one.number}  {state} {until:%Y-%m-%d %H:%M} UTC  {one.reason}"


def _with(work: Callable[[ReviewNumbers], Awaitable[T]]) -> T:
    return run(
        KeySettings,
        lambda database, settings: work(
            ReviewNumbers(database, Vault(settings.secret_key, settings.index_key), loading.load(settings.policy_file))
        ),
    )
