"""Commands on the database: migrate, keys, purge, erase. Each opens it, does one thing and ends.

A key is printed once, alone on standard output, and is stored nowhere.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import click

from service.cli.lengths import Length
from service.cli.running import run
from service.clients.caller import SCOPES, Scope
from service.clients.key_admin import LONGEST_LIFE, KeyAdmin
from service.db.asking import LARGEST_ID
from service.db.engine import Database
from service.db.schema.migrate import upgrade
from service.errors import GatewayError, InvalidPhoneNumber
from service.operators.erasure import erase as forget
from service.phone import normalise
from service.policy.loading import CLIENT
from service.settings import DatabaseSettings, KeySettings, load
from service.vault import Vault
from service.worker.retention import Retention

T = TypeVar("T")

# Decisions are kept for 30 days: what happened before could not be told at the end.
LONGEST_OBSERVATION = 28


@click.command()
def migrate() -> None:
    """Upgrade the database's schema to the newest version.

    Needs DATABASE_URL. All or nothing; safe to run again, or twice at the same time.
    """
    upgrade(load(DatabaseSettings).database_url)
    click.echo("The schema is up to date.")


@click.group()
def keys() -> None:
    """Create, list and revoke API keys.

    Needs DATABASE_URL, SECRET_KEY and INDEX_KEY, the same ones as serve.
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="verify",
    show_default=True,
    help="Which calls the key opens: the product's, the operator's and /metrics, or /metrics alone.",
)
@click.option(
    "--test", is_flag=True, help="A test client: its numbers behave as in the sandbox and never reach Telnyx."
)
@click.option(
    "--ends",
    "ends_after",
    type=Length(most_days=LONGEST_LIFE.days),
    metavar="LENGTH",
    help="How long the key is valid, such as 90d.",
)
@click.option(
    "--observe",
    type=Length(most_days=LONGEST_OBSERVATION),
    metavar="LENGTH",
    help="For how long, such as 7d, the client's rules only observe; limits hold. Afterwards they are enforced.",
)
def create(name: str, scope: Scope, *, test: bool, ends_after: timedelta | None, observe: timedelta | None) -> None:
    """Create a key and print it, once.

    NAME is the client that the key belongs to: limits and settings apply to all keys of a name. Only the key is written
    to standard output, and it cannot be shown again.
    """
    if not CLIENT.fullmatch(name):
        raise GatewayError("A client's name begins with a letter or digit and has at most 63 of a-z, 0-9, - and _.")
    if observe is not None and (test or scope != "verify"):
        raise GatewayError("--observe is for keys of the scope verify of clients that are no test clients.")
    click.echo(_book(lambda book: book.create(name, scope, test=test, ends_after=ends_after, observe=observe)))


@keys.command("list")
def list_keys() -> None:
    """List the keys, without showing them.

    Each line has: id, client, scope, the key's beginning, when it was created, when it was last used (at most a minute
    behind), and when it ends, ended or was revoked.
    """
    for line in _book(lambda book: book.list()):
        click.echo(line)


@keys.command()
@click.argument("key_id", type=click.IntRange(1, LARGEST_ID))
def revoke(key_id: int) -> None:
    """Revoke a key, by its id in the list.

    It takes effect at once, in every process.
    """
    if not _book(lambda book: book.revoke(key_id)):
        raise GatewayError(f"There is no key {key_id}, or it is already revoked.")
    click.echo(f"Key {key_id} is revoked.")


@click.command()
def purge() -> None:
    """Delete everything past its retention now.

    serve and dispatch do this every five minutes. Needs only DATABASE_URL. Tables that cannot be cleared are named, the
    others are cleared all the same, and the exit code is 1.
    """

    async def work(database: Database, _: DatabaseSettings) -> dict[str, int | Exception]:
        return await Retention(database).purge(whole=True)

    done = run(DatabaseSettings, work)
    for table, gone in done.items():
        if isinstance(gone, int):
            click.echo(f"{table}: {gone}")
    failed = [f"{table} ({type(gone).__name__})" for table, gone in done.items() if isinstance(gone, Exception)]
    if failed:
        raise GatewayError(f"These could not be cleared: {', '.join(failed)}. Run purge again later.")


@click.command()
@click.argument("phone_number", metavar="PHONE")
def erase(phone_number: str) -> None:
    """Erase a person's data, by phone number.

    PHONE is a number in E.164, or `-` to read it from standard input, which is safer: arguments stay in the shell's
    history and can be seen by others on the machine. Pending verifications end. Limits and wrong-code budgets stay
    until their windows have passed.
    """
    try:
        number = normalise(_read_number() if phone_number == "-" else phone_number)
    except InvalidPhoneNumber:
        raise GatewayError("That is not a possible phone number in E.164, such as +14155550100.") from None

    async def work(database: Database, settings: KeySettings) -> int:
        return await forget(database, Vault(settings.secret_key, settings.index_key), number)

    click.echo(f"Forgotten. Verifications of this number: {run(KeySettings, work)}.")


def _read_number() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Phone number", hide_input=True, err=True))
    return sys.stdin.buffer.readline().decode(errors="replace").strip()


def _book(work: Callable[[KeyAdmin], Awaitable[T]]) -> T:
    return run(
        KeySettings,
        lambda database, settings: work(KeyAdmin(database, Vault(settings.secret_key, settings.index_key))),
    )
